"""A BLE watch: whether bluetoothd and a Bluetooth adapter are there, and word when that changes.

bleak does not say when bluetoothd dies, or the adapter is pulled out or switched off, while it
scans: it then just hears nothing. So the gateway asks D-Bus itself, on a connection of its own.
Source: BlueZ, org.bluez.Adapter; D-Bus specification, "org.freedesktop.DBus.NameOwnerChanged".
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from dbus_fast import AuthError, BusType, DBusError, Message, MessageType
from dbus_fast.aio import MessageBus

CALL_S_MAX: Final = 5.0
BLUEZ: Final = "org.bluez"
_ADAPTER: Final = "org.bluez.Adapter1"
_BUS: Final = "org.freedesktop.DBus"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
BUS_ERRORS: Final = (OSError, EOFError, AuthError, DBusError)
"""What a bus raises that is not there, goes away or refuses (TimeoutError is an OSError)."""


class Watch:
    """One adapter; connects when it is first looked at, and again when the bus was lost."""

    def __init__(self, hci: str, changed: asyncio.Event) -> None:
        """Watch the adapter ``hci``; ``changed`` is set when something may have changed."""
        self._hci, self._path = hci, f"/org/bluez/{hci}"
        self._changed = changed
        self._bus: MessageBus | None = None
        self._ending: asyncio.Task[None] | None = None

    async def _open(self) -> None:
        """Connect to the system bus (BUS_ERRORS: it is not there, or refuses)."""
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            async with asyncio.timeout(CALL_S_MAX):
                await bus.connect()
                bus.add_message_handler(self._heard)
                for rule in (
                    f"interface='{_BUS}',member='NameOwnerChanged',arg0='{BLUEZ}'",
                    f"interface='{_PROPERTIES}',path='{self._path}'",
                    f"interface='{_OBJECTS}',arg0path='{self._path}'",
                ):
                    await self._call(bus, "AddMatch", f"type='signal',{rule}")
        except BaseException:
            bus.disconnect()
            raise
        self._bus = bus
        self._ending = asyncio.create_task(self._end(bus))

    async def close(self) -> None:
        """Leave the bus; never raises."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()
        if self._ending is not None:
            await asyncio.wait([self._ending])
            self._ending = None

    async def _end(self, bus: MessageBus) -> None:
        untyped: Any = bus
        with contextlib.suppress(*BUS_ERRORS):
            await untyped.wait_for_disconnect()
        self._changed.set()

    def _heard(self, message: Message) -> None:
        if message.message_type == MessageType.SIGNAL:
            self._changed.set()

    async def look(self) -> str:
        """Return why the adapter cannot be used, and what to do; empty when it can."""
        try:
            if self._bus is None or not self._bus.connected:
                await self.close()
                await self._open()
            assert self._bus is not None
            async with asyncio.timeout(CALL_S_MAX):
                return await self._trouble(self._bus)
        except BUS_ERRORS as error:
            why = str(error) or type(error).__name__
            return f"the system's message bus (D-Bus) is not there or does not answer: {why}"

    async def _trouble(self, bus: MessageBus) -> str:
        owned = await self._call(bus, "NameHasOwner", BLUEZ)
        if owned.message_type == MessageType.ERROR or not owned.body[0]:
            return (
                "bluetoothd is not running (systemctl enable --now bluetooth; if there is none: "
                "apt install bluez)"
            )
        reply = await bus.call(
            Message(
                destination=BLUEZ,
                path=self._path,
                interface=_PROPERTIES,
                member="GetAll",
                signature="s",
                body=[_ADAPTER],
            )
        )
        if reply.error_name == f"{_BUS}.Error.AccessDenied":
            return (
                "the agent's user may not use bluetoothd: it must be in the group bluetooth "
                "(docs/guides/ble.md)"
            )
        if reply.message_type == MessageType.ERROR:
            return f"there is no Bluetooth adapter {self._hci} (bluetoothctl list)"
        found: dict[str, Any] = {name: one.value for name, one in reply.body[0].items()}
        if found.get("PowerState") == "off-blocked":
            return f"{self._hci} is blocked (rfkill unblock bluetooth)"
        if not found.get("Powered"):
            return f"{self._hci} is switched off (bluetoothctl power on)"
        return ""

    @staticmethod
    async def _call(bus: MessageBus, member: str, argument: str) -> Message:
        """Ask the bus itself."""
        return await bus.call(
            Message(
                destination=_BUS,
                path="/org/freedesktop/DBus",
                interface=_BUS,
                member=member,
                signature="s",
                body=[argument],
            )
        )
