"""M-Bus values: the data types of a record's bytes: integers, BCD, reals, texts, dates and times.

>>> number(0x0C, bytes.fromhex("78 56 34 12")).value
12345678
>>> moment(bytes.fromhex("1A 2F 65 11")).value.isoformat()
'2011-01-05T15:26:00'

Source: EN 13757-3:2018, 6.3.3 (table 4), 6.5 (variable length) and annex A (data types).
"""

from __future__ import annotations

import datetime
import math
import struct
from typing import Final, NamedTuple

CODINGS: Final = (
    "none", "int8", "int16", "int24", "int32", "real32", "int48", "int64", "selection",
    "bcd2", "bcd4", "bcd6", "bcd8", "variable", "bcd12", "special",
)  # fmt: skip
"""By the lower half of a DIF."""
SIZES: Final = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6, 0)
"""Bytes of each; -1: the first byte says."""
VARIABLE: Final = 0x0D
REAL: Final = 0x05
NEITHER: Final = (0x00, 0x08)
"""No data, and a selection for readout, which has none."""
_TEXT_LVAR_MAX: Final = 0xBF
_SINGLE_MAX: Final = 3.4e38

Moment = datetime.datetime | datetime.date | datetime.time


class Seen(NamedTuple):
    """What bytes hold: a number, a text, a moment (local, without an offset), or why nothing."""

    value: int | float | str | Moment | None
    why: str = ""


def is_bcd(dif: int) -> bool:
    """Tell whether a record's bytes are so many digits."""
    return CODINGS[dif & 0x0F].startswith("bcd")


def variable_size(lvar: int) -> int:
    """Return how many bytes follow the length byte of a variable record; -1: it is reserved."""
    if lvar <= _TEXT_LVAR_MAX:
        return lvar
    for first, last, base, step in (
        (0xC0, 0xC9, 0, 1), (0xD0, 0xD9, 0, 1), (0xE0, 0xEF, 0, 1), (0xF0, 0xF4, 16, 4),
        (0xF5, 0xF5, 48, 0), (0xF6, 0xF6, 64, 0),
    ):  # fmt: skip
        if first <= lvar <= last:
            return base + (lvar - first) * step
    return -1


def number(dif: int, data: bytes, *, is_unsigned: bool = False) -> Seen:
    """Return the number that a record's bytes hold, lowest byte first.

    Args:
        dif: the record's DIF, of which the lower half counts.
        data: its bytes; of a variable record with the length byte.
        is_unsigned: an integer has no sign.
    """
    coding = dif & 0x0F
    if coding in NEITHER:
        return Seen(None, "the record has no data")
    if coding == VARIABLE:
        return _variable(data)
    if coding == REAL:
        value = struct.unpack("<f", data)[0]
        if not math.isfinite(value):
            return Seen(None, "it is no number")
        return Seen(_shortest(value, data))
    if coding >= 9:
        return bcd(data)
    return _integer(data, is_unsigned=is_unsigned)


def _shortest(value: float, data: bytes) -> float:
    """Return the shortest decimal that is this single float: 0.1, not 0.10000000149."""
    for digits in (6, 7, 8):
        near = float(f"{value:.{digits}g}")
        if abs(near) < _SINGLE_MAX and struct.pack("<f", near) == data:
            return near
    return float(f"{value:.9g}")


def _integer(data: bytes, *, is_unsigned: bool = False) -> Seen:
    """Return an integer of type B (signed; the lowest one stands for "invalid") or C."""
    value = int.from_bytes(data, "little", signed=not is_unsigned)
    if not is_unsigned and value == -1 << 8 * len(data) - 1:
        return Seen(None, "the meter marks it as invalid")
    return Seen(value)


def bcd(data: bytes, *, is_negative: bool = False) -> Seen:
    """Return a number in BCD (type A); an F in front is a minus, other letters are no digits."""
    digits = data[::-1].hex()
    if digits[:1] == "f":
        digits, is_negative = "0" + digits[1:], True
    if digits and not digits.isdigit():
        return Seen(None, f"{data[::-1].hex().upper()} has digits that are none")
    value = int(digits or "0")
    return Seen(-value if is_negative else value)


def _variable(data: bytes) -> Seen:
    lvar, rest = data[0], data[1:]
    if lvar <= _TEXT_LVAR_MAX:
        return Seen(text(rest))
    if lvar <= 0xC9:
        return bcd(rest)
    if lvar <= 0xD9:
        return bcd(rest, is_negative=True)
    if not rest:
        return Seen(None, "the record has no data")
    return Seen(int.from_bytes(rest, "little"))


def text(data: bytes) -> str:
    """Return a text, which is sent from its end, without blanks and zeros around it."""
    return data[::-1].decode("latin-1").strip("\0 ")


# ---- dates and times
_NO_TIME: Final = Seen(None, "it is no date or time")
_MARKED: Final = Seen(None, "the meter marks its time as invalid")


def moment(data: bytes) -> Seen:
    """Return a date (type G), a time of day (J), or both (F: to the minute, I: to the second)."""
    decode = {2: _type_g, 3: _type_j, 4: _type_f, 6: _type_i}.get(len(data))
    if decode is None or not data.strip(b"\xff") or not data.strip(b"\0"):
        return _NO_TIME
    try:
        return decode(data)
    except ValueError:  # the 0th, a month 15 that means every month
        return _NO_TIME


def _year(low: int, high: int) -> int:
    """Return the year of its two digits; 81 to 99 are of the last century (annex A, type G)."""
    year = (low >> 5 & 7) | (high >> 1 & 0x78)
    return year + (2000 if year <= 80 else 1900)


def _date(low: int, high: int) -> datetime.date:
    return datetime.date(_year(low, high), high & 0x0F, low & 0x1F)


def _type_g(data: bytes) -> Seen:
    return Seen(_date(data[0], data[1]))


def _type_j(data: bytes) -> Seen:
    return Seen(datetime.time(data[2] & 0x1F, data[1] & 0x3F, data[0] & 0x3F))


def _type_f(data: bytes) -> Seen:
    if data[0] & 0x80:
        return _MARKED
    day = _date(data[2], data[3])
    century = data[1] >> 5 & 3
    if century:  # meters from before 2013 send 0 there, whatever the century
        day = day.replace(year=1900 + 100 * century + day.year % 100)
    return Seen(datetime.datetime(day.year, day.month, day.day, data[1] & 0x1F, data[0] & 0x3F))  # noqa: DTZ001


def _type_i(data: bytes) -> Seen:
    if data[1] & 0x80:
        return _MARKED
    day = _date(data[3], data[4])
    clock = datetime.time(data[2] & 0x1F, data[1] & 0x3F, data[0] & 0x3F)
    return Seen(datetime.datetime.combine(day, clock))
