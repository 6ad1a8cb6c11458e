"""Recurrence: a score counts less when the same time of day had one on the days before.

A pump that is flushed every night and a job that runs every evening are out of the ordinary by
their size, not by their time; their minute wanders, so the neighbouring half-hours count, too.
Of each half-hour the last three days with the like are kept in one number.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import larger, pick, power_of_decay, put, take, whole

BINS: Final = 48
DISCOUNT: Final = 0.5
FLOOR: Final = 1.0
"""What a former score must exceed to count."""
SIMILAR: Final = 1.0
"""From this score on a day is one with the like."""
KNOWN: Final = 3
"""So many of these days are known."""
FIRST_DAY: Final = 700_000
"""Days are counted from here (1917, as date.toordinal counts) while they are kept."""
ROOM: Final = 131_072.0
"""Three numbers below this are kept in one of 53 bits: 358 years of days."""
SIMILAR_DAYS_MAX: Final = 1000
"""What lies further back is not told: too long ago to compare, or of a clock that was wrong."""
FORMER, TODAY, DAY, LAST = range(4)
COLUMNS: Final = 4
NUMBERS: Final = BINS * COLUMNS


def recurrence(state: Any, base: int, score: Any, bin_: Any, day: Any) -> Any:
    """Return (discounted score, the days that had the like at this time, for ``days_ago``).

    Args:
        state, base: as of ``profile``.
        score: not negative.
        bin_: the half-hour of the local day.
        day: the local day's number.
    """
    at = base + bin_ * COLUMNS
    former, today, its_day = take(state, at), take(state, at + 1), take(state, at + 2)
    days = pick(its_day > 0.0, day - its_day, 0.0)
    new_day = (days != 0.0) | (its_day == 0.0)
    former = pick(new_day, larger(former, today) * power_of_decay(days), former)
    today = pick(new_day, 0.0, today)
    before, after = (bin_ + (BINS - 1)) % BINS, (bin_ + 1) % BINS
    known = larger(former, larger(_neighbour(state, base, before, day),
                                  _neighbour(state, base, after, day)))  # fmt: skip
    last = take(state, at + LAST)
    put(state, at, former)
    put(state, at + TODAY, larger(today, score))
    put(state, at + DAY, day)
    newest = (day - FIRST_DAY) * (ROOM * ROOM)
    likes = (score >= SIMILAR) & (last < newest)
    put(state, at + LAST, pick(likes, newest + whole(last / ROOM), last))
    return score - DISCOUNT * larger(known - FLOOR, 0.0), last


def days_ago(kept: float, day: int) -> list[int]:
    """Return how many days before ``day`` the like was, the latest first; from ``LAST``."""
    room, rest = int(ROOM), int(kept)
    days = [rest // room**power % room + FIRST_DAY for power in reversed(range(KNOWN))]
    return [day - one for one in days if 0 < day - one <= SIMILAR_DAYS_MAX]


def _neighbour(state: Any, base: int, bin_: Any, day: Any) -> Any:
    at = base + bin_ * COLUMNS
    former, today, its_day = take(state, at), take(state, at + 1), take(state, at + 2)
    days = pick(its_day > 0.0, day - its_day, 0.0)
    return pick(days != 0.0, larger(former, today), former) * power_of_decay(days)
