"""Stamps: the moment that a device says its values are of.

>>> Stamp("%d.%m.%Y %H:%M:%S", utc_offset_h=5).time_ns("01.01.2026 05:00:00", now_ns=0)
1767225600000000000
"""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from typing import Final

from citytwin.batch import SECOND_NS
from citytwin.errors import DeviceMalformed

_UNITS: Final = ((1e11, SECOND_NS), (1e14, 1_000_000), (1e17, 1000), (math.inf, 1))
"""A number below the first is so many nanoseconds each: seconds since 1970 stay below 1e11 for
3,000 years, and the smaller units have been above it since 1973."""
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  # differences only
_SAMPLE: Final = datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
_DAY: Final = datetime.timedelta(days=1)
_DIRECTIVE: Final = re.compile(r"%(.)", re.DOTALL)
_YEAR, _DAY_OF_YEAR, _CLOCK = set("yYG"), (set("mbB"), set("d")), set("HIs")


def since_1970(number: float) -> int:
    """Return UTC nanoseconds of seconds, milliseconds, microseconds or nanoseconds since 1970.

    Raises:
        DeviceMalformed: it is none of these.
    """
    if not math.isfinite(number):
        raise DeviceMalformed(f"{number} is not a time")
    scale = next(scale for limit, scale in _UNITS if abs(number) < limit)
    return _storable(round(number * scale))


def _storable(time_ns: int) -> int:
    """Return a time, unless it is one that 64 bits cannot hold (before 1678, after 2262)."""
    if not -(2**63) <= time_ns < 2**63:
        raise DeviceMalformed("the time is centuries away")
    return time_ns


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a device writes a time.

    Attributes:
        format: ``unix`` for seconds (or ms, µs, ns) since 1970, else as in :meth:`strptime`. A
            time of day alone is of the day that brings it nearest to now.
        utc_offset_h: hours by which the device's clock is ahead of UTC.

    Raises:
        ValueError: the format names no time, or a day without its year.
    """

    format: str = "unix"
    utc_offset_h: float = 0.0

    def __post_init__(self) -> None:
        """Refuse formats that tell no moment."""
        if self.format == "unix":
            return
        known = set(_DIRECTIVE.findall(self.format))
        month, day = _DAY_OF_YEAR
        whole = bool(known & _YEAR and ((known & month and known & day) or "j" in known))
        partly = bool(known & (_YEAR | month | day | {"j"}))
        if not known & _CLOCK or (partly and not whole):
            raise ValueError(
                f"format {self.format!r} must have a time of day, and year, month and day or none "
                "of them: %Y-%m-%d %H:%M:%S"
            )
        try:
            self._read(_SAMPLE.strftime(self.format))
        except (ValueError, re.error) as error:
            raise ValueError(f"format {self.format!r} cannot be read: {error}") from None

    @property
    def _has_date(self) -> bool:
        return bool(set(_DIRECTIVE.findall(self.format)) & _YEAR)

    def _read(self, text: str) -> datetime.datetime:
        return datetime.datetime.strptime(text, self.format)  # noqa: DTZ007  # see utc_offset_h

    def time_ns(self, text: str, *, now_ns: int) -> int:
        """Return UTC nanoseconds.

        Args:
            text: what the device wrote.
            now_ns: about when it did.

        Raises:
            DeviceMalformed: it is not a time in this format.
        """
        text = text.strip()
        if self.format == "unix":
            try:
                return since_1970(float(text))
            except (ValueError, OverflowError):
                raise DeviceMalformed(f"{text[:40]!r} is not a number of seconds") from None
        try:
            moment = self._read(text)
        except ValueError:
            raise DeviceMalformed(f"{text[:40]!r} is not a time like {self.format!r}") from None
        offset = moment.utcoffset()
        if offset is None:
            offset = datetime.timedelta(hours=self.utc_offset_h)
        try:
            moment = moment.replace(tzinfo=None) - offset
        except OverflowError:  # the first or last day that there is
            raise DeviceMalformed(f"{text[:40]!r} is centuries away") from None
        if not self._has_date:
            now = _EPOCH + datetime.timedelta(microseconds=now_ns // 1000)
            ahead = (moment - now) % _DAY
            moment = now + (ahead if ahead <= _DAY / 2 else ahead - _DAY)
        return _storable((moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000)
