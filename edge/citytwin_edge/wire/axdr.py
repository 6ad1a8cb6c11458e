"""A-XDR: the values in DLMS messages, each with its type (IEC 61334-6, IEC 62056-5-3, 9.5).

>>> decode(bytes.fromhex("0202 0906 0100010800ff 06 00000532"))
Node(tag=2, value=(Node(tag=9, value=b'\\x01\\x00\\x01\\x08\\x00\\xff'), Node(tag=6, value=1330)))
"""

from __future__ import annotations

import datetime
import struct
from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed

NULL, ARRAY, STRUCTURE, BITS, OCTETS, TEXT, UTF8, ENUM = 0, 1, 2, 4, 9, 10, 12, 22
DATE_TIME: Final = 25
DEPTH_MAX: Final = 12
ELEMENTS_MAX: Final = 4096
_NUMBERS: Final = {
    3: ">?", 5: ">i", 6: ">I", 13: ">B", 15: ">b", 16: ">h", 17: ">B", 18: ">H", 20: ">q",
    21: ">Q", 22: ">B", 23: ">f", 24: ">d",
}  # fmt: skip
_FIXED: Final = {25: 12, 26: 5, 27: 4}
_UNSPECIFIED: Final = 0x8000
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  # differences only
SECOND_NS: Final = 1_000_000_000

Value = int | float | bytes | tuple["Node", ...] | None


class Node(NamedTuple):
    """A value with its type.

    Attributes:
        tag: of the type; see the constants of this module.
        value: a number; bytes (of strings, bits, dates and times); or the elements of an array or
            structure; None of null-data.
    """

    tag: int
    value: Value

    @property
    def is_list(self) -> bool:
        """Whether it has elements."""
        return self.tag in {ARRAY, STRUCTURE}

    @property
    def elements(self) -> tuple[Node, ...]:
        """Its elements; none where it is no list."""
        return self.value if isinstance(self.value, tuple) else ()

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.tag in _NUMBERS


class Reader:
    """Reads values one after another out of bytes."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte."""
        self._data = data
        self._place = 0
        self._elements = 0

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._place

    def peek(self) -> int:
        """Return the next byte without taking it; -1 at the end."""
        return self._data[self._place] if self.rest else -1

    def take(self, size: int) -> bytes:
        """Take bytes.

        Raises:
            DeviceMalformed: there are not so many.
        """
        if size > self.rest:
            raise DeviceMalformed(f"the message ends {size - self.rest} bytes too early")
        self._place += size
        return self._data[self._place - size : self._place]

    def length(self) -> int:
        """Take a length: one byte, or 0x81 to 0x84 and so many bytes more."""
        first = self.take(1)[0]
        if first < 0x80:
            return first
        size = first & 0x7F
        if not 1 <= size <= 4:
            raise DeviceMalformed(f"a length cannot begin with {first:#x}")
        return int.from_bytes(self.take(size))

    def node(self, depth: int = 0) -> Node:
        """Take one value.

        Raises:
            DeviceMalformed: it is none, or its type is not supported.
        """
        self._elements += 1
        if depth > DEPTH_MAX or self._elements > ELEMENTS_MAX:
            raise DeviceMalformed("the message has too many elements, or too many inside others")
        tag = self.take(1)[0]
        if tag in _NUMBERS:
            form = _NUMBERS[tag]
            return Node(tag, struct.unpack(form, self.take(struct.calcsize(form)))[0])
        if tag in {ARRAY, STRUCTURE}:
            return Node(tag, tuple(self.node(depth + 1) for _ in range(self.length())))
        if tag in {OCTETS, TEXT, UTF8}:
            return Node(tag, self.take(self.length()))
        if tag == BITS:
            return Node(tag, self.take((self.length() + 7) // 8))
        if tag in _FIXED:
            return Node(tag, self.take(_FIXED[tag]))
        if tag == NULL:
            return Node(tag, None)
        raise DeviceMalformed(f"type {tag} is not one that a pushed message has")


def decode(data: bytes) -> Node:
    """Return the one value that bytes are.

    Raises:
        DeviceMalformed: they are none, or more than one.
    """
    reader = Reader(data)
    node = reader.node()
    if reader.rest:
        raise DeviceMalformed(f"{reader.rest} bytes follow the end of the message")
    return node


def moment(octets: bytes, utc_offset_h: float | None) -> int:
    """Return UTC nanoseconds of a date-time of 12 bytes (Blue Book 4.1.6.1).

    Args:
        octets: year (2), month, day, weekday, hour, minute, second, hundredths, deviation (2; so
            many minutes lead from local time to UTC), status.
        utc_offset_h: by how many hours the clock is ahead of UTC, summer time left out; for times
            without a deviation.

    Raises:
        DeviceMalformed: it is no moment, or it has no deviation and no offset is given.
    """
    if len(octets) != 12:
        raise DeviceMalformed(f"{octets.hex(' ')} is not a date and time of 12 bytes")
    year, month, day, _, hour, minute, second, hundredths = struct.unpack(">HBBBBBBB", octets[:9])
    deviation, status = struct.unpack(">hB", octets[9:])
    try:
        local = datetime.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        raise DeviceMalformed(f"{octets.hex(' ')} is not a date and time") from None
    if deviation & 0xFFFF != _UNSPECIFIED:
        behind = datetime.timedelta(minutes=deviation)
    elif utc_offset_h is not None:
        summer = status != 0xFF and bool(status & 0x80)
        behind = -datetime.timedelta(hours=utc_offset_h + summer)
    else:
        raise DeviceMalformed("the meter's time has no offset; utc_offset_h can say it")
    hundredths_ns = hundredths * 10_000_000 if hundredths < 100 else 0
    return int((local + behind - _EPOCH).total_seconds()) * SECOND_NS + hundredths_ns
