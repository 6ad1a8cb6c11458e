"""Scanning a Modbus line: which units answer. Reads one register of each, and never writes.

It is polite: it listens first and leaves a line alone on which somebody else is asking, it pauses
between requests, and it asks each unit once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from citytwin.adapter import Found
from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin_edge.adapters.modbus_frames import read_request
from citytwin_edge.adapters.modbus_line import Line
from citytwin_edge.adapters.modbus_settings import ModbusDevice
from citytwin_edge.wire.fields import Table

LISTEN_S: Final = 1.0
"""A master polls every second or more often."""
NONSENSE: Final = "answers nonsense"
PAUSE_S: Final = 0.02
UNREACHABLE_MAX: Final = 3
"""So many units in a row that cannot be asked, because there is no connection, end a scan."""


async def scan(settings: ModbusDevice, line: Line) -> AsyncIterator[Found]:
    """Yield each unit that answers anything, in order; asks each once.

    Raises:
        DeviceError: there is no connection, or somebody else asks on the line.
    """
    probe = read_request(Table.HOLDING, 0, 1)
    low, high = settings.scan_units
    line.join(low)
    unreachable = 0
    try:
        if line.endpoint.byte_s and await line.overheard(LISTEN_S):
            raise DeviceError(
                f"{line.endpoint}: somebody else speaks on this line; a scan would disturb it. "
                "Stop the other master first"
            )
        for unit in range(low, high + 1):
            try:
                await line.ask(unit, probe, settings.reply_timeout_s, patient=False)
                said = "answers"
            except DeviceRefused as refused:
                said = f"answers: {refused}"
            except DeviceMalformed as error:
                said = f"{NONSENSE} (another speed or parity, or two of this unit): {error}"
            except DeviceSilent as silent:
                unreachable = 0 if line.is_open else unreachable + 1
                if unreachable >= UNREACHABLE_MAX:
                    raise DeviceSilent(str(silent)) from None
                said = ""
            if said:
                yield Found(f"unit = {unit}", said)
            await asyncio.sleep(PAUSE_S)
    finally:
        await line.leave(low)
