"""Recurrence: a score counts less when the same time of day had one on the days before.

A pump that is flushed every night and a job that runs every evening are out of the ordinary by
their size, not by their time; their minute wanders, so the neighbouring half-hours count, too.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import larger, pick, power_of_decay, put, take

BINS: Final = 48
DISCOUNT: Final = 0.5
FLOOR: Final = 1.0
"""What a former score must exceed to count."""
SIMILAR: Final = 1.0
FORMER, TODAY, DAY, LAST = range(4)
COLUMNS: Final = 4
NUMBERS: Final = BINS * COLUMNS


def recurrence(state: Any, base: int, score: Any, bin_: Any, day: Any) -> Any:
    """Return (discounted score, days since a like score at this time of day, 0 if none).

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
    put(state, at + LAST, pick(score >= SIMILAR, day, last))
    ago = pick((last > 0.0) & (last < day), day - last, 0.0)
    return score - DISCOUNT * larger(known - FLOOR, 0.0), ago


def _neighbour(state: Any, base: int, bin_: Any, day: Any) -> Any:
    at = base + bin_ * COLUMNS
    former, today, its_day = take(state, at), take(state, at + 1), take(state, at + 2)
    days = pick(its_day > 0.0, day - its_day, 0.0)
    return pick(days != 0.0, larger(former, today), former) * power_of_decay(days)
