"""Modbus frames that once went over a line, decoded without one: golden frames and captures.

Frames stand as on an RTU line (unit, PDU, CRC) or with the header of Modbus TCP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pymodbus.framer import FramerRTU

from citytwin.adapter import Exchange, Probed
from citytwin.errors import DeviceMalformed
from citytwin_edge.adapters.modbus_frames import Request, checked, read_request
from citytwin_edge.wire.fields import Field, Table
from citytwin_edge.wire.registers import Single

_HEADER_BYTES: Final = 7
_TABLES: Final = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
_WRITES: Final = (5, 6, 15, 16)

Image = dict[tuple[Table, int], bytes]
"""What a device said: of a register two bytes, of a bit one."""


def decode_exchanges(
    fields: Sequence[Field], exchanges: Sequence[Exchange], intern: Callable[[str], int]
) -> list[Probed]:
    """Return the fields of which the exchanges bring every register.

    Raises:
        DeviceMalformed: a frame is broken, or an answer is not that of its request.
        DeviceRefused: an answer is an exception.
    """
    image: Image = {}
    for exchange in exchanges:
        image.update(_read(exchange))
    found = []
    for index, field in enumerate(fields):
        parts = [image.get((field.table, field.address + n)) for n in range(field.size)]
        if None in parts:
            continue
        raw = b"".join(part for part in parts if part is not None)
        value, quality, text = Single(field).decode(raw, intern)
        found.append(Probed(index, raw, value, quality, 0, text))
    return found


def _read(exchange: Exchange) -> Image:
    unit, asked = unwrapped(exchange.request)
    answering, answer = unwrapped(exchange.response)
    if unit != answering:
        raise DeviceMalformed(f"unit {answering} answers what unit {unit} was asked")
    if asked[:1] and asked[0] in _WRITES:
        checked(unit, Request(asked, asked[:5], 5), answer)
        return {}
    table = _TABLES.get(asked[0]) if len(asked) == 5 else None
    if table is None:
        raise DeviceMalformed(f"{asked.hex(' ')} is no request that reads bits or registers")
    start, count = int.from_bytes(asked[1:3], "big"), int.from_bytes(asked[3:5], "big")
    data = checked(unit, read_request(table, start, count), answer)[2:]
    if table.of_bits:
        bits = int.from_bytes(data, "little")
        return {(table, start + n): bytes([bits >> n & 1]) for n in range(count)}
    return {(table, start + n): data[2 * n : 2 * n + 2] for n in range(count)}


def unwrapped(frame: bytes) -> tuple[int, bytes]:
    """Return unit and PDU of a frame of Modbus RTU or TCP.

    Raises:
        DeviceMalformed: it is neither.
    """
    if len(frame) < 4:
        raise DeviceMalformed(f"{frame.hex(' ') or 'nothing'} is no frame of Modbus")
    if FramerRTU.compute_CRC(frame[:-2]).to_bytes(2, "big") == frame[-2:]:
        return frame[0], frame[1:-2]
    # Unit, function and at least one byte more; a shorter one is a broken request of RTU.
    length = int.from_bytes(frame[4:6], "big")
    if frame[2:4] == b"\0\0" and length == len(frame) - 6 >= 3:
        return frame[6], frame[_HEADER_BYTES:]
    raise DeviceMalformed(
        f"{frame.hex(' ')}: neither checksum of Modbus RTU nor header of Modbus TCP are right"
    )
