"""M-Bus fixed telegrams: the old layout with two counters (CI fields 73 and 77).

>>> medium, (one, other) = fixed(0x00, bytes.fromhex("E9 7E"), bytes.fromhex("0100000035010000"))
>>> medium, one.quantity, one.in_unit, one.told.unit, other.in_unit, other.storage
(7, 'volume', Fraction(1, 1000), 'm3', Fraction(27, 200), 1)

Source: EN 13757-3:2004, 5.3 and annex; "The M-Bus: a documentation", 6.2.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from citytwin_edge.wire.mbus_records import Function, Record
from citytwin_edge.wire.mbus_values import Seen, bcd
from citytwin_edge.wire.mbus_vif import UNKNOWN, ValueInformation

FIXED_BYTES: Final = 16
_BINARY, _STORED = 0x01, 0x02
_HISTORIC: Final = 0x3E
"""The unit of a second counter that is the first one of an earlier time."""


def _decades(
    first: int, count: int, name: str, unit: str, exponent: int
) -> dict[int, tuple[str, str, Fraction]]:
    return {first + n: (name, unit, Fraction(10) ** (exponent + n)) for n in range(count)}


_UNITS: Final[dict[int, tuple[str, str, Fraction]]] = {
    **_decades(0x02, 9, "energy", "W.h", 0),
    **_decades(0x0B, 9, "energy", "kJ", 0),
    **_decades(0x14, 9, "power", "W", 0),
    **_decades(0x1D, 9, "power", "MJ/h", -3),
    **_decades(0x26, 9, "volume", "m3", -6),
    **_decades(0x2F, 9, "volume-flow", "m3/h", -6),
    0x38: ("temperature", "Cel", Fraction(1, 1000)),
    0x39: ("heat-cost", "1", Fraction(1)),
    0x3F: ("dimensionless", "1", Fraction(1)),
}


def fixed(status: int, units: bytes, counters: bytes) -> tuple[int, tuple[Record, ...]]:
    """Return the medium and both counters as records.

    Args:
        status: bit 0: they are binary, else BCD; bit 1: they are of a date, else of now.
        units: two bytes: six bits of unit each, and two each of the medium.
        counters: four bytes each, lowest first.
    """
    medium = units[0] >> 6 | (units[1] >> 6) << 2
    first = units[0] & 0x3F
    storage = 1 if status & _STORED else 0
    found = []
    for n, byte in enumerate(units):
        unit = byte & 0x3F
        is_historic = unit == _HISTORIC
        if is_historic:
            unit = first
        data = counters[4 * n : 4 * n + 4]
        seen = Seen(int.from_bytes(data, "little", signed=True)) if status & _BINARY else bcd(data)
        header = bytes([n, byte])
        told = _told(unit)
        found.append(
            Record(
                header, data, Function.INSTANTANEOUS, storage or int(is_historic), 0, 0, told, seen
            )
        )
    return medium, tuple(found)


def _told(unit: int) -> ValueInformation:
    name, code, factor = _UNITS.get(unit, (UNKNOWN, "", Fraction(1)))
    return ValueInformation(
        name, code, factor, Fraction(0), (), is_time=False, is_difference=False, is_unsigned=False,
        error=0, label="",
    )  # fmt: skip
