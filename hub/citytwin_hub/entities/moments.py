"""Moments as NGSI-LD writes them: ISO 8601 in UTC to nanoseconds, and back.

ETSI GS CIM 009, clause 4.6.3. What goes out ends with ``Z`` and has as many digits of a second as
it needs. What comes in may have another offset, and up to nine digits; more are cut off.

>>> format_ns(parse_ns("2026-11-26T17:10:00.500+05:00"))
'2026-11-26T12:10:00.5Z'
"""

from __future__ import annotations

import datetime
import functools
import re
from typing import Final

_SECOND: Final = 1_000_000_000
_DAY_S: Final = 86_400
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()

_DATE: Final = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME: Final = (
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,18}))?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?"
)
_MOMENT: Final = re.compile(f"{_DATE}T{_TIME}", re.ASCII)
_DAY: Final = re.compile(_DATE, re.ASCII)
_CLOCK: Final = re.compile(_TIME, re.ASCII)


@functools.lru_cache(maxsize=1024)
def _day(days: int) -> str:
    return datetime.date.fromordinal(_EPOCH + days).isoformat()


@functools.lru_cache(maxsize=16_384)
def format_ns(moment_ns: int) -> str:
    """Return a moment (UTC nanoseconds since 1970) as ISO 8601."""
    seconds, fraction = divmod(moment_ns, _SECOND)
    days, second = divmod(seconds, _DAY_S)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{_day(days)}T{hour:02d}:{minute:02d}:{second:02d}{digits}Z"


def parse_ns(text: str) -> int:
    """Return the moment of a DateTime in UTC nanoseconds.

    Raises:
        ValueError: it is not a DateTime with an offset.
    """
    match = _MOMENT.fullmatch(text)
    if match is None or match["zone"] is None:
        raise ValueError(f"{text!r} is not a time such as 2026-11-26T17:10:00Z")
    return _days(match) * _DAY_S * _SECOND + _of_day(match)


def date_ns(text: str) -> int:
    """Return the beginning of a Date, ``2026-11-26``, in UTC nanoseconds.

    Raises:
        ValueError: it is not a date.
    """
    match = _DAY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a date such as 2026-11-26")
    return _days(match) * _DAY_S * _SECOND


def time_ns(text: str) -> int:
    """Return how long after midnight UTC a Time, ``17:10:00Z``, is, in nanoseconds.

    Raises:
        ValueError: it is not a time of day.
    """
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time of day such as 17:10:00Z")
    return _of_day(match) % (_DAY_S * _SECOND)


def _days(match: re.Match[str]) -> int:
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    return datetime.date(year, month, day).toordinal() - _EPOCH


def _of_day(match: re.Match[str]) -> int:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        raise ValueError(f"{match[0]!r} is not a time: hours, minutes or seconds are too many")
    zone = match["zone"] or "Z"
    offset_min = 0 if zone == "Z" else int(zone[1:3]) * 60 + int(zone[4:6])
    seconds = (hour * 60 + minute + (offset_min if zone[0] == "-" else -offset_min)) * 60 + second
    return seconds * _SECOND + int((match["fraction"] or "0")[:9].ljust(9, "0"))
