"""Durations: ISO 8601 durations, and the periods that they cut time into.

ETSI GS CIM 009, clause 4.5.19: years and months are those of the calendar (UTC), all else is exact.

>>> parse("PT1H30M").ns // 10**9
5400
>>> parse("P1M").starts(0, 3) == [0, 31 * 86_400 * 10**9, 59 * 86_400 * 10**9]
True
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Final

from citytwin_hub.entities.errors import BadRequestData

YEARS_MAX: Final = 1_000
"""Of a duration; the calendar has nine thousand."""

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_NUMBER: Final = r"(\d{1,9}(?:[.,]\d{1,9})?)"
_TEXT: Final = re.compile(
    r"P(?:(\d{1,9})Y)?(?:(\d{1,9})M)?"
    rf"(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?",
    re.ASCII,
)
_UNITS: Final = (7 * _DAY, _DAY, 3_600 * _SECOND, 60 * _SECOND, _SECOND)


@dataclass(frozen=True, slots=True)
class Duration:
    """Months of the calendar and exact nanoseconds; both 0: the whole range that is asked for."""

    months: int = 0
    ns: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it stands for the whole range."""
        return not self.months and not self.ns

    def starts(self, origin_ns: int, count: int) -> list[int]:
        """Return when the first periods begin, the first at ``origin_ns``."""
        return [self.start(origin_ns, index) for index in range(count)]

    def start(self, origin_ns: int, index: int) -> int:
        """Return when a period begins, in UTC nanoseconds."""
        return _months_later(origin_ns, index * self.months) + index * self.ns


WHOLE: Final = Duration()
"""The whole range that is asked for."""


def parse(text: str, what: str = "aggrPeriodDuration") -> Duration:
    """Return the duration that a text means; ``what`` is the member that has it.

    Raises:
        BadRequestData: it is not one, or too long.
    """
    match = _TEXT.fullmatch(text)
    if match is None or text == "P":
        raise BadRequestData(f"{what} is {text[:80]!r}; it is a duration such as PT1H or P1D")
    years, months, *rest = (part or "0" for part in match.groups())
    ns = sum(_exact(part, unit) for part, unit in zip(rest, _UNITS, strict=True))
    whole_months = int(years) * 12 + int(months)
    if whole_months > YEARS_MAX * 12 or ns > YEARS_MAX * 366 * _DAY:
        raise BadRequestData(f"{what} is over {YEARS_MAX} years")
    return Duration(whole_months, ns)


def _exact(text: str, unit: int) -> int:
    whole, _, fraction = text.replace(",", ".").partition(".")
    return int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


def _months_later(moment_ns: int, months: int) -> int:
    """Return the same day and time some months later; the last day where there is none."""
    if not months:
        return moment_ns
    days, rest = divmod(moment_ns, _DAY)
    date = datetime.date.fromordinal(_EPOCH + days)
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    if year > datetime.MAXYEAR - 1:
        raise BadRequestData("the periods would go beyond the calendar")
    first = datetime.date(year, month + 1, 1)
    after = datetime.date(year + (month == 11), (month + 1) % 12 + 1, 1)
    day = min(date.day, (after - first).days)
    return (first.toordinal() + day - 1 - _EPOCH) * _DAY + rest
