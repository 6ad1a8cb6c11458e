"""BLE characteristics: devices that are connected to be read, written, and listened to (GATT).

Source: Bluetooth Core Specification 5.4, Vol 3, Part G.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from citytwin.adapter import Binding, Direction, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused, DeviceSilent, StoreFull
from citytwin.quality import Quality
from citytwin_edge.adapters.ble_ear import Ear, Heard
from citytwin_edge.adapters.ble_link import VALUE_BYTES_MAX, Link, asked
from citytwin_edge.adapters.ble_radio import Radio
from citytwin_edge.adapters.ble_settings import BleDevice, BlePoint, uuid_of
from citytwin_edge.wire.adverts import Section
from citytwin_edge.wire.payload import Payload, PayloadField
from citytwin_edge.wire.registers import encode

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.characteristic import BleakGATTCharacteristic

LINK_S_MIN: Final = 2.0
LINK_S_MAX: Final = 60.0
"""Between two attempts to connect a device that shall notify: 2 s, 4 s … 60 s."""

_log = structlog.get_logger(__name__)


class Reading(NamedTuple):
    """What a characteristic says of one point."""

    value: float
    quality: int
    raw: bytes
    note: str = ""


class Values:
    """What characteristics say of the points."""

    def __init__(self, settings: BleDevice, bindings: Sequence[Binding], site: Site) -> None:
        """Compile.

        Raises:
            ValueError: a point does not fit; the text names it.
        """
        self._site = site
        self._payloads: list[PayloadField] = []
        self.points: dict[str, list[int]] = {}
        for index, (point, address) in enumerate(bindings):
            try:
                self._payloads.append(address.payload(point, settings))
            except ValueError as error:
                raise ValueError(f"point {point.id}: {error}") from None
            self.points.setdefault(uuid_of(address.characteristic), []).append(index)
        self.uuids = list(self.points)

    def of(self, uuid: str, data: bytes) -> dict[int, Reading]:
        """Return what a characteristic's bytes say, by point."""
        payload = Payload(data)
        return {point: self._reading(point, payload) for point in self.points[uuid]}

    def _reading(self, point: int, payload: Payload) -> Reading:
        raw = payload.data
        try:
            value, _ = self._payloads[point].decode(payload)
            if isinstance(value, str):
                return Reading(float(self._site.intern(value)), Quality.GOOD, raw, value)
        except DeviceMalformed as error:
            return Reading(math.nan, Quality.BAD_MALFORMED, raw, str(error))
        except StoreFull as error:
            return Reading(math.nan, Quality.BAD_OUT_OF_RANGE, raw, str(error))
        return Reading(value, Quality.BAD_NOT_A_NUMBER if math.isnan(value) else Quality.GOOD, raw)

    def bad(self, uuid: str, error: DeviceError) -> dict[int, Reading]:
        """Return why a characteristic says nothing, by point."""
        return dict.fromkeys(self.points[uuid], _bad(error))


class _Connected:
    """What both modes share."""

    def __init__(
        self,
        settings: BleDevice,
        bindings: Sequence[Binding],
        values: Values,
        radio: Radio,
        site: Site,
    ) -> None:
        """Reach it through the radio; touches nothing."""
        self._settings, self._site, self._values = settings, site, values
        self._radio = radio
        self._addresses: list[BlePoint] = [binding.address for binding in bindings]
        self._name = bindings[0].point.device if bindings else settings.place
        self._link = Link(settings.place, radio, settings.connect_timeout_s)

    async def open(self) -> None:
        """Look after the Bluetooth adapter; the device is connected when it is first needed."""
        self._link.attend()

    async def close(self) -> None:
        """Part from the device, and from the radio."""
        await self._link.close()

    async def write(self, point: int, value: float) -> None:
        """Write a characteristic; see the contract.

        Where the point is a part of it, what the device has now is read and the part exchanged.
        """
        address = self._addresses[point]
        if address.at is None:
            raise DeviceRefused(
                "only a number in bytes can be written: the point needs at and type"
            )
        field, uuid = address.in_bytes(self._settings.order), uuid_of(address.characteristic)
        try:
            client = await self._link.client()
            target = self._link.find(client, uuid, {"write", "write-without-response"})
            current = b""
            if "read" in target.properties:
                current = await self._got(client, uuid)
            elif field.address or field.partial:
                raise DeviceRefused(f"the rest of {uuid} would be lost: it cannot be read")
            data = _exchanged(current, address, self._settings, value)
            self._tap(Direction.SENT, uuid, data)
            written = client.write_gatt_char(target, data, response="write" in target.properties)
            await asked(written, f"{self._link} was not written")
        finally:
            await self._done()

    async def _done(self) -> None:
        """Part, where the connection is not kept."""

    async def _got(self, client: BleakClient, uuid: str) -> bytes:
        """Read a characteristic (DeviceError)."""
        data = await self._link.read(client, uuid)
        self._tap(Direction.RECEIVED, uuid, data)
        return data

    def _tap(self, direction: Direction, uuid: str, data: bytes) -> None:
        self._site.tap(
            self._radio.name,
            direction,
            data,
            device=self._name,
            note=f"{self._settings.place} characteristic:{uuid}",
        )

    async def probe(self) -> Sequence[Probed]:
        """Connect and read every characteristic once."""
        clock = self._site.clock
        probed: dict[int, Probed] = {}
        for uuid in self._values.uuids:
            begun_ns = clock.monotonic_ns()
            try:
                client = await self._link.client()
                readings = self._values.of(uuid, await self._got(client, uuid))
            except DeviceError as error:
                readings = self._values.bad(uuid, error)
                if isinstance(error, DeviceSilent):
                    for other in self._values.uuids:
                        readings = self._values.bad(other, error) | readings
            elapsed_ns = clock.monotonic_ns() - begun_ns
            for point, one in readings.items():
                probed.setdefault(
                    point, Probed(point, one.raw, one.value, one.quality, elapsed_ns, one.note)
                )
            if len(probed) == len(self._addresses):
                break
        await self._link.part()
        return [probed[point] for point in sorted(probed)]


class Polled(_Connected):
    """A device whose characteristics are read; see :class:`citytwin.adapter.Adapter`."""

    @property
    def requests(self) -> int:
        """How many characteristics a poll reads."""
        return len(self._values.uuids)

    async def read(self) -> Batch:
        """Read every characteristic once; see the contract."""
        return await self.read_some(range(len(self._addresses)))

    async def read_some(self, points: Sequence[int]) -> Batch:
        """Connect, read the characteristics of these points, and part unless the link is kept.

        Raises:
            DeviceError: nothing could be read.
        """
        wanted = set(points)
        found: dict[int, tuple[int, Reading]] = {}
        trouble: DeviceError | None = None
        answered = False
        try:
            client = await self._link.client()
            for uuid in self._values.uuids:
                if wanted.isdisjoint(self._values.points[uuid]):
                    continue
                try:
                    if isinstance(trouble, DeviceSilent):
                        raise trouble  # it has gone: the rest is not asked for
                    readings = self._values.of(uuid, await self._got(client, uuid))
                    answered = True
                except DeviceError as error:
                    trouble, readings = error, self._values.bad(uuid, error)
                now_ns = self._site.clock.now_ns()
                found |= {
                    point: (now_ns, one) for point, one in readings.items() if point in wanted
                }
        finally:
            await self._done()
        if trouble is not None and not answered:
            raise trouble
        rows = [(point, time_ns, *one[:2]) for point, (time_ns, one) in sorted(found.items())]
        return Batch.of(*zip(*rows, strict=True)) if rows else Batch.empty()

    async def _done(self) -> None:
        if not self._settings.keep_connected or self._link.has_parted:
            await self._link.part()


class Notified(_Connected):
    """A device that tells of its characteristics; see :class:`citytwin.adapter.Adapter`."""

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield what the device tells.

        Raises:
            DeviceSilent: it is not in range, has parted, or the Bluetooth adapter cannot be used.
        """
        self._link.attend()
        keeping = asyncio.create_task(self._keep())
        try:
            while (heard := await self._link.ear.get()) is not None:
                lost = missing(self._link.ear, self._name, len(self._addresses), heard.time_ns)
                if len(lost):
                    yield lost
                yield self._batch(heard)
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            await self.close()

    async def _keep(self) -> None:
        """Connect, ask for notifications and stay; again for ever, with a pause that grows."""
        pause_s = LINK_S_MIN
        while True:
            try:
                client = await self._link.client()
                for place, uuid in enumerate(self._values.uuids):
                    await self._ask(client, place, uuid)
                self._link.ear.well()
                pause_s = LINK_S_MIN
                await self._link.until_parted()
                raise DeviceSilent(f"{self._link} has parted")
            except DeviceError as error:
                self._link.ear.tell(error)
            await self._link.part()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LINK_S_MAX)

    async def _ask(self, client: BleakClient, place: int, uuid: str) -> None:
        """Ask for notifications of a characteristic, and read it first where that can be done."""
        target = self._link.find(client, uuid, {"notify", "indicate"})

        def told(_: BleakGATTCharacteristic, data: bytearray) -> None:
            self._put(place, bytes(data[:VALUE_BYTES_MAX]))

        await asked(client.start_notify(target, told), f"{self._link} does not notify")
        if "read" in target.properties:
            with contextlib.suppress(DeviceError):
                self._put(place, await self._link.read(client, uuid))

    def _put(self, place: int, data: bytes) -> None:
        clock = self._site.clock
        self._tap(Direction.RECEIVED, self._values.uuids[place], data)
        section = Section("characteristic", place, data)
        self._link.ear.put(Heard((section,), math.nan, clock.now_ns(), clock.monotonic_ns()))

    def _batch(self, heard: Heard) -> Batch:
        rows: dict[int, Reading] = {}
        for section in heard.sections:
            rows |= self._values.of(self._values.uuids[section.number], section.data)
        points = sorted(rows)
        values, qualities = zip(*(rows[point][:2] for point in points), strict=True)
        return Batch.of(points, heard.time_ns, values, qualities)


def missing(ear: Ear, name: str, points: int, time_ns: int) -> Batch:
    """Return samples that say that some are missing; none where a full queue cost nothing."""
    lost = ear.lost()
    if not lost:
        return Batch.empty()
    _log.warning("ble.left_out", device=name, lost=lost, in_all=ear.in_all_lost)
    return Batch.of(range(points), time_ns, [math.nan] * points, Quality.BAD_OVERFLOW)


def _bad(error: DeviceError) -> Reading:
    quality = Quality.BAD_SILENT
    if isinstance(error, DeviceRefused):
        quality = Quality.BAD_REFUSED
    return Reading(math.nan, quality, b"", str(error))


def _exchanged(current: bytes, address: BlePoint, settings: BleDevice, value: float) -> bytes:
    """Return what is written so that the point has ``value`` and the rest stays (DeviceRefused)."""
    field = address.in_bytes(settings.order)
    if current and len(current) < field.end:
        raise DeviceRefused(f"it has {len(current)} bytes, the value ends at byte {field.end}")
    try:
        own = encode(field, value, current[field.address : field.end])
    except ValueError as error:
        raise DeviceRefused(f"not written: {error}") from None
    return current[: field.address] + own + current[field.end :]
