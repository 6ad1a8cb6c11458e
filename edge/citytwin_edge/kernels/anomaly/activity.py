"""Activity: how much a point moves from sample to sample, against how much it does as a rule."""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import get, larger, log10, pick, rate_of
from citytwin_edge.kernels.anomaly.profile import standard

RATE: Final = 0.05
USUAL_RATE: Final = 0.001
WARM: Final = 50.0
LEAST: Final = 1e-9
LEAST_SCALE: Final = 1e-6
PREVIOUS, MEAN, COUNT, USUAL, SCALE = range(5)
NUMBERS: Final = 5


def activity(state: Any, base: int, x: Any, follows: Any) -> Any:
    """Return the deviation of the latest movement, and learn it.

    Args:
        state, base: as of ``profile``.
        x: the value.
        follows: whether there is a value right before it: none after a gap.
    """
    mean, count = get(state, base + MEAN), get(state, base + COUNT)
    seen = pick(follows, count + 1.0, count)
    moved = abs(x - get(state, base + PREVIOUS))
    state[base + PREVIOUS] = x
    rate = rate_of(RATE, larger(seen, 1.0))
    mean = pick(follows, mean + rate * (moved - mean), mean)
    state[base + MEAN] = mean
    state[base + COUNT] = seen
    level = log10(mean + LEAST)
    usual, scale = get(state, base + USUAL), get(state, base + SCALE)
    distance = abs(level - usual)
    deviation = pick(count > WARM, standard(distance, scale + LEAST_SCALE), 0.0)
    rate = rate_of(USUAL_RATE, larger(seen, 1.0))
    state[base + USUAL] = pick(follows, usual + rate * (level - usual), usual)
    state[base + SCALE] = pick(follows, scale + rate * (distance - scale), scale)
    return deviation
