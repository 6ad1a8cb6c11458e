"""M-Bus scan: which meters are on a bus, by primary address and by secondary address.

Each address has a turn of its own, so that meters that are being read keep theirs. A secondary
address is found digit by digit: who has ``1FFFFFFF``? Where several answer at a time, what comes
is no frame, and the next digit is asked about (EN 13757-3, 9.2 and annex).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from citytwin.adapter import Found
from citytwin.errors import DeviceError, DeviceSilent
from citytwin_edge.adapters.mbus_settings import MbusDevice
from citytwin_edge.adapters.mbus_talk import NoFrame, Talk
from citytwin_edge.adapters.serial_port import NoAnswer, Party, Port
from citytwin_edge.wire.mbus_frames import PRIMARY_MAX, SELECTED, initialise, request_data, select
from citytwin_edge.wire.mbus_telegram import Meter, Telegram

ANY: Final = "FFFFFFFF"


class _Several(Exception):
    """More than one meter answered."""


class Search:
    """One scan of a bus."""

    def __init__(self, settings: MbusDevice, port: Port) -> None:
        """Prepare; touches no port."""
        self._settings, self._port = settings, port
        self._party = Party(f"a meter at {port.endpoint}", knows_its_own=True)
        self._until = 0.0

    async def run(self) -> AsyncIterator[Found]:
        """Yield what is met; says at the end when time was too short.

        Raises:
            DeviceSilent: the port cannot be opened.
        """
        settings, loop = self._settings, asyncio.get_running_loop()
        self._until = loop.time() + settings.scan_s_max
        self._port.join(self._party)
        try:
            if settings.scan in ("all", "primary"):
                async for found in self._primary():
                    yield found
            if settings.scan in ("all", "secondary"):
                async for found in self._secondary(ANY):
                    yield found
            if self._is_over():
                yield Found("", f"the scan ended after {settings.scan_s_max:g} s (scan_s_max); "
                                "there may be more meters")  # fmt: skip
        finally:
            await self._port.leave(self._party)

    def _is_over(self) -> bool:
        return asyncio.get_running_loop().time() >= self._until

    async def _primary(self) -> AsyncIterator[Found]:
        for address in range(PRIMARY_MAX + 1):
            if self._is_over():
                return
            try:
                said = await self._asked(address, initialise(address))
            except _Several:
                words = f"several meters have primary address {address}; find them by id"
                yield Found("", words)
            except DeviceSilent:
                raise
            except DeviceError as error:
                yield Found(f"address = {address}", f"a meter that says: {error}")
            else:
                if said is not None:
                    yield Found(f"address = {address}", _described(said.meter))

    async def _secondary(self, mask: str) -> AsyncIterator[Found]:
        """Yield meters whose identification fits a mask, whose first F is the next digit."""
        if self._is_over():
            return
        try:
            said = await self._asked(None, select(mask))
        except _Several:
            place = mask.find("F")
            if place < 0:
                yield Found("", f"several meters have id {mask}; add manufacturer, version, medium "
                                "or fabrication")  # fmt: skip
                return
            for digit in "0123456789":
                narrower = mask[:place] + digit + mask[place + 1 :]
                async for found in self._secondary(narrower):
                    yield found
        except DeviceSilent:
            raise
        except DeviceError as error:
            yield Found(f'id = "{mask}"', f"a meter that says: {error}")
        else:
            if said is not None and said.meter is not None:
                yield Found(_address(said.meter), _described(said.meter))

    async def _asked(self, address: int | None, opening: bytes) -> Telegram | None:
        """Return what the meter says that answers to an opening; None: there is none.

        Raises:
            _Several: what came is no frame.
            DeviceError: the port is lost, or the meter reports an error or speaks in cipher.
        """
        changes = {"address": address, "id": "", "manufacturer": "", "version": None,
                   "medium": None, "fabrication": "", "retries": 0}  # fmt: skip
        talk = Talk(msgspec.structs.replace(self._settings, **changes), self._party)
        async with self._port.turn(self._party) as turn:
            try:
                await talk.ask(turn, opening, acknowledgement=True)
            except NoAnswer:
                return None
            except NoFrame:
                pass  # somebody is there
            link = SELECTED if address is None else address
            try:
                frame = await talk.ask(turn, request_data(link, count=True))
            except NoFrame:
                raise _Several from None
            except NoAnswer:
                return None
        return talk.understood(frame)


def _address(meter: Meter) -> str:
    """Return what a technician writes to read a meter: lines of TOML."""
    lines = [f'id = "{meter.id}"']
    if meter.manufacturer:
        lines += [f'manufacturer = "{meter.manufacturer}"', f"version = {meter.version}"]
        lines.append(f"medium = {meter.medium}")
    return "\n".join(lines)


def _described(meter: Meter | None) -> str:
    if meter is None:
        return "a meter that does not say which"
    made = f", {meter.manufacturer} version {meter.version}" if meter.manufacturer else ""
    return f"{meter.kind}, id {meter.id}{made}"
