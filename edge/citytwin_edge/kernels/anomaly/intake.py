"""Intake: which samples make a step of a channel, and of which value.

What is bad, or doubted by rules, is no value. What is not later than the one before is late or
repeated, unless it is so by over LATE_S: then a clock was set back. Samples are gathered until
``every_s`` is over, and a step is taken with their mean; a point that is slower than that takes a
step with every sample.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import get, larger, pick
from citytwin_edge.kernels.anomaly.chain import COUNT, FIRST, LATEST, STEP, SUM

LATE_S: Final = 3600.0
SOON: Final = 0.9
"""This part of ``every_s`` is enough: a poll comes a little earlier or later."""
VALUE_MAX: Final = 1e15


def intake(state: Any, x: Any, time_s: Any, every_s: Any) -> Any:
    """Take a sample; returns (whether a step is due, its value, seconds since the step before).

    Args:
        state: as of ``chain.advance``.
        x, time_s: a value that is not bad and within VALUE_MAX, and its UTC seconds.
        every_s: the shortest time between steps.
    """
    latest = get(state, LATEST)
    begins = latest == 0.0
    back = latest - time_s > LATE_S
    fresh = (time_s > latest) | begins | back
    state[LATEST] = pick(fresh, time_s, latest)
    state[FIRST] = pick(begins | (back & (get(state, FIRST) > time_s)), time_s, get(state, FIRST))
    total = pick(back, 0.0, get(state, SUM)) + pick(fresh, x, 0.0)
    count = pick(back, 0.0, get(state, COUNT)) + pick(fresh, 1.0, 0.0)
    before = pick(begins | back, time_s, get(state, STEP))
    due = fresh & (begins | back | (time_s - before >= SOON * every_s))
    state[STEP] = pick(due, time_s, before)
    state[SUM] = pick(due, 0.0, total)
    state[COUNT] = pick(due, 0.0, count)
    return due, total / larger(count, 1.0), time_s - before
