"""Stamps: the moment that a device says its values are of.

>>> Stamp("%d.%m.%Y %H:%M:%S", utc_offset_h=5).time_ns("01.01.2026 05:00:00", now_ns=0)
1767225600000000000
"""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from typing import Any, Final

from citytwin.batch import SECOND_NS
from citytwin.errors import DeviceMalformed

_SECONDS_MAX: Final = 1e11
"""A number of seconds since 1970 stays below this for 3,000 years; milliseconds are above it."""
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  # differences only
_SAMPLE: Final = datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
_DAY: Final = datetime.timedelta(days=1)
_DIRECTIVE: Final = re.compile(r"%(.)", re.DOTALL)
_YEAR, _DAY_OF_YEAR, _CLOCK = set("yYG"), (set("mbB"), set("d")), set("HIs")


def moment_ns(seen: Any) -> int:
    """Return UTC nanoseconds of ISO 8601 with a zone, or of seconds or milliseconds since 1970.

    Raises:
        DeviceMalformed: it is neither.
    """
    if isinstance(seen, str):
        try:
            moment = datetime.datetime.fromisoformat(seen)
        except ValueError:
            raise DeviceMalformed(f"{seen[:40]!r} is not a time") from None
        if moment.tzinfo is None:
            raise DeviceMalformed(f"the time {seen[:40]!r} has no zone")
        return round(moment.timestamp() * 1000) * 1_000_000
    if isinstance(seen, int | float) and not isinstance(seen, bool) and math.isfinite(seen):
        return round(seen * SECOND_NS) if abs(seen) < _SECONDS_MAX else round(seen * 1_000_000)
    raise DeviceMalformed("the time is neither ISO 8601 nor a number")


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a device writes a time.

    Attributes:
        format: ``unix`` for seconds or milliseconds since 1970, else as in :meth:`strptime`. A
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
                return moment_ns(float(text))
            except (ValueError, OverflowError):
                raise DeviceMalformed(f"{text[:40]!r} is not a number of seconds") from None
        try:
            moment = self._read(text)
        except ValueError:
            raise DeviceMalformed(f"{text[:40]!r} is not a time like {self.format!r}") from None
        offset = moment.utcoffset()
        if offset is None:
            offset = datetime.timedelta(hours=self.utc_offset_h)
        moment = moment.replace(tzinfo=None) - offset
        if not self._has_date:
            now = _EPOCH + datetime.timedelta(microseconds=now_ns // 1000)
            ahead = (moment - now) % _DAY
            moment = now + (ahead if ahead <= _DAY / 2 else ahead - _DAY)
        return (moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000
