"""Holt-Winters: level, damped trend and an additive season of the day, and how far a value is off.

P. R. Winters, "Forecasting sales by exponentially weighted moving averages", Management Science
6(3), 1960; the trend is damped after E. S. Gardner and E. McKenzie, Management Science 31(10),
1985.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import get, larger, pick, put, rate_of, take
from citytwin_edge.kernels.anomaly.profile import standard

LEVEL_RATE: Final = 0.1
TREND_RATE: Final = 0.002
DAMPING: Final = 0.9
SEASON_RATE: Final = 0.1
SCALE_RATE: Final = 0.002
LEVEL, TREND, SCALE, COUNT = range(4)
HEAD: Final = 4


def numbers(bins: int) -> int:
    """Return how many numbers its state has."""
    return HEAD + 2 * bins


def holt_winters(state: Any, base: int, bin_: Any, x: Any) -> Any:
    """Return (deviation, expected) of a value, and learn it; arguments as of ``profile``."""
    level, trend = get(state, base + LEVEL), get(state, base + TREND)
    scale, count = get(state, base + SCALE), get(state, base + COUNT)
    at = base + HEAD + 2 * bin_
    season, visits = take(state, at), take(state, at + 1)
    first = count < 1.0
    level = pick(first, x, level)
    expected = level + DAMPING * trend + season
    error = x - expected
    distance = abs(error)
    deviation = pick(count >= 2.0, standard(distance, scale), 0.0)
    seen = count + 1.0
    state[base + SCALE] = scale + rate_of(SCALE_RATE, seen) * (distance - scale)
    state[base + COUNT] = seen
    state[base + LEVEL] = level + DAMPING * trend + LEVEL_RATE * error
    state[base + TREND] = DAMPING * trend + TREND_RATE * error
    rate = larger(SEASON_RATE, 0.5 / (visits + 1.0))
    put(state, at, season + rate * (1.0 - LEVEL_RATE) * error)
    put(state, at + 1, visits + 1.0)
    return deviation, expected
