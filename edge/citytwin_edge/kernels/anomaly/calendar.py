"""Calendar: where a moment lies in the local day and week; a holiday counts as a Sunday.

Kazakhstan's holidays: law of 13 December 2001 no. 267-II "On holidays in the Republic of
Kazakhstan", articles 2 and 3, and the Labour Code of 23 November 2015 no. 414-V, articles 84 and
85 (a holiday on a day off gives the next working day off; 7 January and the first of Kurban Ait are
days off). Kurban Ait follows the moon and is announced each year. Laws change, and the government
moves days: ``free_days`` adds what is not here.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Int64
from citytwin_edge.kernels.anomaly.chain import WEEK

SLOT_S: Final = 900
"""Every zone of today differs from UTC by a multiple of this."""
SLOTS_MAX: Final = 4096
SUNDAY: Final = 6
SATURDAY: Final = 5
_EARLIEST: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) // SLOT_S
_LATEST: Final = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) // SLOT_S

KAZAKHSTAN: Final = (
    (1, 1), (1, 2), (3, 8), (3, 21), (3, 22), (3, 23), (5, 1), (5, 7), (5, 9), (7, 6), (8, 30),
    (10, 25), (12, 16),
)  # fmt: skip
"""Month and day of what articles 2 and 3 of the law name."""
KAZAKHSTAN_OFF: Final = ((1, 7),)
KURBAN_AIT: Final = (
    date(2024, 6, 16), date(2025, 6, 6), date(2026, 5, 27), date(2027, 5, 16), date(2028, 5, 5),
)  # fmt: skip
"""The first day; those that are to come, as the calendar of the moon has them."""


@cache
def kazakhstan(year: int) -> frozenset[date]:
    """Return the days off of a year in Kazakhstan that are not just a weekend."""
    holidays = {date(year, month, day) for month, day in KAZAKHSTAN}
    off = {date(year, month, day) for month, day in KAZAKHSTAN_OFF}
    off |= holidays | {day for day in KURBAN_AIT if day.year == year}
    for holiday in sorted(holidays):
        if holiday.weekday() >= SATURDAY:
            instead = holiday
            while instead in off or instead.weekday() >= SATURDAY:
                instead += timedelta(1)
            off.add(instead)
    return frozenset(off)


class Calendar:
    """Places of moments in the local day and week; keeps what it has worked out."""

    def __init__(self, zone: str, holidays: str, free_days: Collection[str]) -> None:
        """Use an IANA zone; ``holidays`` is kz or none; ``free_days`` are more, YYYY-MM-DD."""
        self._zone, self._holidays = ZoneInfo(zone), holidays
        self._free = frozenset(date.fromisoformat(day) for day in free_days)
        self._known: dict[int, tuple[int, int, int]] = {}

    def is_free(self, day: date) -> bool:
        """Tell whether a day counts as a Sunday though it may be none."""
        return day in self._free or (self._holidays == "kz" and day in kazakhstan(day.year))

    def places(self, time_ns: Int64) -> tuple[Int64, Int64, Int64]:
        """Return the half-hour of the day, two hours of the week, and number of the day of each."""
        slots = np.clip(time_ns // (SLOT_S * SECOND_NS), _EARLIEST, _LATEST)
        if len(slots) and slots.min() == slots.max():
            found = np.broadcast_to(np.array(self._place(int(slots[0]))), (len(slots), 3))
        else:
            different, index = np.unique(slots, return_inverse=True)
            table: npt.NDArray[np.int64] = np.array(
                [self._place(slot) for slot in different.tolist()], np.int64
            ).reshape(-1, 3)
            found = table[index]
        return found[:, 0], found[:, 1], found[:, 2]

    def _place(self, slot: int) -> tuple[int, int, int]:
        place = self._known.get(slot)
        if place is None:
            if len(self._known) >= SLOTS_MAX:
                self._known.clear()
            local = datetime.fromtimestamp(slot * SLOT_S, self._zone)
            day = local.date()
            weekday = SUNDAY if self.is_free(day) else day.weekday()
            half = (local.hour * 60 + local.minute) // 30
            place = (half, weekday * (WEEK // 7) + local.hour // 2, day.toordinal())
            self._known[slot] = place
        return place
