"""Profile: what a point is at this time of the day, or of the week, with a scale for each bin.

Every bin keeps a decayed mean and a decayed mean absolute deviation. The first visits count alike,
later ones by how much of the bin's time a sample stands for, so that a bin remembers a few days
whatever the period of the point is.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import get, larger, pick, put, rate_of, take

COLUMNS: Final = 3
DAY_RATE: Final = 0.3
"""What a visit of a bin weighs against all before it."""
RATE_MAX: Final = 0.2
RATE_MIN: Final = 0.002
OVERALL_RATE: Final = 0.002
DEVIATION_MAX: Final = 1e4
FROM_NOTHING: Final = 50.0
"""The deviation of a value that differs where nothing has ever differed."""


def numbers(bins: int) -> int:
    """Return how many numbers its state has."""
    return (bins + 1) * COLUMNS


def standard(distance: Any, scale: Any) -> Any:
    """Return a distance in units of a scale, at most DEVIATION_MAX; both not negative."""
    usual = larger(scale, 1e-300)
    near = distance < usual * DEVIATION_MAX
    ratio = pick(near, distance, 0.0) / usual
    return pick(
        scale > 0.0, pick(near, ratio, DEVIATION_MAX), pick(distance > 0.0, FROM_NOTHING, 0.0)
    )


def profile(state: Any, base: int, bins: int, bin_: Any, x: Any, share: Any) -> Any:
    """Return (deviation, expected) of a value by its bin, and learn it.

    Args:
        state, base: the channel's numbers, and where those of this profile begin.
        bins, bin_: how many there are, and which one it is.
        x: the value.
        share: which part of the bin's time it stands for, 0 to 1.
    """
    at = base + bin_ * COLUMNS
    mean, spread, count = take(state, at), take(state, at + 1), take(state, at + 2)
    overall, known = get(state, base + bins * COLUMNS), get(state, base + bins * COLUMNS + 1)
    distance = abs(x - mean)
    knows = count >= 2.0
    scale = 0.5 * overall + 0.5 * spread
    scale = pick(scale > 0.0, scale + (1e-9 * abs(mean) + 1e-12), 0.0)
    deviation = pick(knows, standard(distance, scale), 0.0)
    known_now = known + 1.0
    rate = rate_of(OVERALL_RATE, known_now)
    state[base + bins * COLUMNS] = pick(knows, overall + rate * (distance - overall), overall)
    state[base + bins * COLUMNS + 1] = pick(knows, known_now, known)
    usual = pick(share * DAY_RATE < RATE_MAX, larger(share * DAY_RATE, RATE_MIN), RATE_MAX)
    seen = count + 1.0
    put(state, at, mean + larger(usual, 1.0 / seen) * (x - mean))
    learnt = spread + larger(usual, 1.0 / larger(count, 1.0)) * (distance - spread)
    put(state, at + 1, pick(count >= 1.0, learnt, spread))
    put(state, at + 2, seen)
    return deviation, pick(knows, mean, x)
