"""Step: the mean of the last dozen values against that of the ninety-six before them."""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import (
    get,
    larger,
    pick,
    put,
    rate_of,
    smaller,
    take,
    whole,
)
from citytwin_edge.kernels.anomaly.profile import standard

SHORT: Final = 12
LONG: Final = 96
RING: Final = SHORT + LONG
SCALE_RATE: Final = 0.002
SEEN, PLACE, TURN, SUM, SUM_NEW, SHORT_SUM, SHORT_NEW, SCALE, COUNT = range(9)
HEAD: Final = 9
NUMBERS: Final = HEAD + RING


def step(state: Any, base: int, x: Any) -> Any:
    """Return (deviation, expected) of the latest mean, and learn it; arguments as of ``profile``.

    Running sums would gather rounding errors for ever; a second sum that begins anew with every
    turn of the ring takes their place each time it is complete.
    """
    place, turn = get(state, base + PLACE), get(state, base + TURN)
    at = base + HEAD + whole(place)
    passing_at = base + HEAD + whole(pick(place >= SHORT, place - SHORT, place + LONG))
    leaving, passing = take(state, at), take(state, passing_at)
    put(state, at, x)
    seen = smaller(get(state, base + SEEN) + 1.0, float(RING))
    turns, short_turns = place >= RING - 1.0, turn >= SHORT - 1.0
    sum_new = get(state, base + SUM_NEW) + x
    short_new = get(state, base + SHORT_NEW) + x
    total = pick(turns, sum_new, get(state, base + SUM) + x - leaving)
    short = pick(short_turns, short_new, get(state, base + SHORT_SUM) + x - passing)
    state[base + SEEN] = seen
    state[base + PLACE] = pick(turns, 0.0, place + 1.0)
    state[base + TURN] = pick(short_turns, 0.0, turn + 1.0)
    state[base + SUM] = total
    state[base + SUM_NEW] = pick(turns, 0.0, sum_new)
    state[base + SHORT_SUM] = short
    state[base + SHORT_NEW] = pick(short_turns, 0.0, short_new)
    before = seen - SHORT
    knows = before >= 2.0
    expected = (total - short) / larger(before, 1.0)
    distance = abs(short / SHORT - expected)
    scale, count = get(state, base + SCALE), get(state, base + COUNT)
    # What rounding leaves of a constant is no step.
    distance = pick(distance > 1e-12 * abs(expected), distance, 0.0)
    deviation = pick(knows & (count >= 1.0), standard(distance, scale), 0.0)
    rate = rate_of(SCALE_RATE, count + 1.0)
    state[base + SCALE] = pick(knows, scale + rate * (distance - scale), scale)
    state[base + COUNT] = pick(knows, count + 1.0, count)
    return deviation, pick(knows, expected, x)
