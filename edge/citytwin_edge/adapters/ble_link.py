"""A BLE link: the connection to one device, made when it is needed, over whatever happens to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from citytwin.errors import DeviceError, DeviceRefused, DeviceSilent
from citytwin_edge.adapters.ble_ear import Ear
from citytwin_edge.adapters.ble_radio import Radio, said_by

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.characteristic import BleakGATTCharacteristic

VALUE_BYTES_MAX: Final = 512
"""Of one characteristic (Core Specification, Vol 3, Part F, 3.2.9)."""
_CLOSE_S_MAX: Final = 0.8
_REFUSALS: Final = (
    "NotPermitted", "NotAuthorized", "NotSupported", "InvalidValueLength", "InvalidArguments",
    "InvalidOffset", "ImproperlyConfigured", "UnknownObject", "UnknownMethod",
)  # fmt: skip
"""D-Bus errors by which a device, or BlueZ for it, says no. Source: BlueZ, GattCharacteristic1."""
_Answer = TypeVar("_Answer")


class Link:
    """One device's connection; used by one task at a time."""

    def __init__(self, address: str, radio: Radio, limit_s: float) -> None:
        """Link to ``address`` by this radio; finding and connecting it has ``limit_s``."""
        self._address, self._radio, self._limit_s = address, radio, limit_s
        self._ear = Ear(address)
        self._client: BleakClient | None = None
        self._parted = asyncio.Event()

    def __str__(self) -> str:
        return f"{self._address} at {self._radio.hci}"

    @property
    def ear(self) -> Ear:
        """What hears of the Bluetooth adapter's troubles."""
        return self._ear

    @property
    def has_parted(self) -> bool:
        """Whether the device has ended the connection."""
        return self._parted.is_set()

    def attend(self) -> None:
        """Look after the Bluetooth adapter."""
        self._radio.attend(self._ear)

    async def close(self) -> None:
        """Part from the device, and from the radio."""
        await self.part()
        await self._radio.forsake(self._ear)

    async def client(self) -> BleakClient:
        """Return a connection, made if there is none.

        Raises:
            DeviceError: it could not be made in time.
        """
        if self._client is not None and self._client.is_connected and not self.has_parted:
            return self._client
        await self.part()
        self.attend()
        try:
            async with asyncio.timeout(self._limit_s):
                await self._radio.ready()
                self._client = await self._connected()
        except TimeoutError:
            raise DeviceSilent(f"{self} is not in range, or cannot be connected") from None
        return self._client

    async def _connected(self) -> BleakClient:
        from bleak import BleakClient

        parted = self._parted = asyncio.Event()
        device = await asked(self._radio.find(self._address), f"{self} was not found")
        client = BleakClient(device, lambda _: parted.set(), timeout=self._limit_s)
        async with self._radio.connecting:
            await asked(client.connect(), f"{self} cannot be connected")
        return client

    async def part(self) -> None:
        """End the connection, if there is one; never raises, and takes less than a second."""
        client, self._client = self._client, None
        if client is not None:
            ending = asyncio.ensure_future(_quietly(client.disconnect()))
            await asyncio.wait([ending], timeout=_CLOSE_S_MAX)
            ending.cancel()

    async def until_parted(self) -> None:
        """Wait until the device has parted, or the adapter is lost and with it the device."""
        waits = [
            asyncio.ensure_future(self._parted.wait()),
            asyncio.ensure_future(self._radio.troubled()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    # ---- characteristics

    def find(self, client: BleakClient, uuid: str, properties: set[str]) -> BleakGATTCharacteristic:
        """Return a characteristic that can do one of ``properties``.

        Raises:
            DeviceRefused: it is not there, or can none of them.
            DeviceSilent: the device has just parted.
        """
        from bleak.exc import BleakError

        try:
            target = client.services.get_characteristic(uuid)
        except BleakError as error:
            raise DeviceSilent(f"{self} has parted: {said_by(error)}") from None
        if target is None:
            raise DeviceRefused(f"{self} has no characteristic {uuid}")
        if not properties & set(target.properties):
            able = ", ".join(target.properties) or "nothing"
            raise DeviceRefused(f"the characteristic {uuid} can {able}, not {min(properties)}")
        return target

    async def read(self, client: BleakClient, uuid: str) -> bytes:
        """Read a characteristic (DeviceError)."""
        target = self.find(client, uuid, {"read"})
        data = await asked(client.read_gatt_char(target), f"{self} was not read")
        return bytes(data[:VALUE_BYTES_MAX])


async def asked(call: Coroutine[Any, Any, _Answer], what: str) -> _Answer:
    """Return what bleak answers.

    Raises:
        DeviceRefused: the device says no.
        DeviceSilent: it does not answer, or cannot be reached.
    """
    from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError

    from citytwin_edge.adapters.ble_watch import BUS_ERRORS

    try:
        return await call
    except TimeoutError:
        raise DeviceSilent(f"{what}: no answer in time") from None
    except BleakGATTProtocolError as error:  # the device itself
        raise DeviceRefused(f"{what}: {said_by(error)}") from None
    except BleakDBusError as error:
        if error.dbus_error.rpartition(".")[2] in _REFUSALS:
            raise DeviceRefused(f"{what}: {said_by(error)}") from None
        raise DeviceSilent(f"{what}: {said_by(error)}") from None
    except (BleakError, *BUS_ERRORS) as error:
        raise DeviceSilent(f"{what}: {said_by(error)}") from None


async def _quietly(call: Coroutine[Any, Any, Any]) -> None:
    with contextlib.suppress(DeviceError):
        await asked(call, "parting")
