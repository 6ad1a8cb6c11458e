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

AUTO: Final = "auto"
UTC_OFFSET_H_MAX: Final = 14.0
_UNITS: Final = ((1e11, SECOND_NS), (1e14, 1_000_000), (1e17, 1000), (math.inf, 1))
"""A number below the first is so many nanoseconds each: seconds since 1970 stay below 1e11 for
3,000 years, and the smaller units have been above it since 1973."""
_SINCE_1970: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,9})?(?:[eE]\+?[0-9]{1,2})?")
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
    if not abs(number) < math.inf:
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
        format: ``auto`` for ISO 8601, or seconds (or ms, µs, ns) since 1970; else as in
            :meth:`strptime`. A time of day alone is of the day that brings it nearest to now.
            Where ``.%f`` stands, a fraction may be.
        utc_offset_h: hours by which the device's clock is ahead of UTC, for times that name no
            offset; None: they all do.
        may_lack: whether there may be none, or null, in a message; it then has the time that it
            came.

    Raises:
        ValueError: the format names no moment, a day without its year, or no offset where none is
            given; or the offset is none on this globe.
    """

    format: str = AUTO
    utc_offset_h: float | None = None
    may_lack: bool = False

    def __post_init__(self) -> None:
        """Refuse formats that tell no moment."""
        if self.utc_offset_h is not None and not abs(self.utc_offset_h) <= UTC_OFFSET_H_MAX:
            raise ValueError(f"utc_offset_h must be within ±{UTC_OFFSET_H_MAX:g}")
        if self.format == AUTO:
            return
        known = self._directives
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
        if self.utc_offset_h is None and "z" not in known:
            raise ValueError(
                f"format {self.format!r} names no offset: utc_offset_h must say by how many hours "
                "the clock is ahead of UTC"
            )

    @property
    def _directives(self) -> set[str]:
        return set(_DIRECTIVE.findall(self.format))

    @property
    def has_date(self) -> bool:
        """Whether it is more than a time of day."""
        return self.format == AUTO or bool(self._directives & _YEAR)

    def _read(self, text: str) -> datetime.datetime:
        if self.format == AUTO:
            return datetime.datetime.fromisoformat(text)
        try:
            return datetime.datetime.strptime(text, self.format)  # noqa: DTZ007  # see utc_offset_h
        except ValueError:
            if ".%f" not in self.format:
                raise
        whole = self.format.replace(".%f", "")
        return datetime.datetime.strptime(text, whole)  # noqa: DTZ007  # see utc_offset_h

    def time_ns(self, text: str, *, now_ns: int = 0) -> int:
        """Return UTC nanoseconds.

        Args:
            text: what the device wrote.
            now_ns: about when it did; needed without a date only.

        Raises:
            DeviceMalformed: it is not a time in this format.
        """
        text = text.strip()
        if self.format == AUTO and _SINCE_1970.fullmatch(text):
            return since_1970(int(text) if text.isdigit() else float(text))
        try:
            moment = self._read(text)
        except ValueError:
            like = "ISO 8601, nor seconds" if self.format == AUTO else repr(self.format)
            raise DeviceMalformed(f"{text[:40]!r} is not a time like {like}") from None
        offset = moment.utcoffset()
        if offset is None and self.utc_offset_h is None:
            raise DeviceMalformed(
                f"the time {text[:40]!r} has no offset; utc_offset_h can say which is meant"
            )
        if offset is None:
            offset = datetime.timedelta(hours=self.utc_offset_h or 0.0)
        try:
            moment = moment.replace(tzinfo=None) - offset
        except OverflowError:  # the first or last day that there is
            raise DeviceMalformed(f"the time {text[:40]!r} is centuries away") from None
        if not self.has_date:
            now = _EPOCH + datetime.timedelta(microseconds=now_ns // 1000)
            ahead = (moment - now) % _DAY
            moment = now + (ahead if ahead <= _DAY / 2 else ahead - _DAY)
        return _storable((moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000)
