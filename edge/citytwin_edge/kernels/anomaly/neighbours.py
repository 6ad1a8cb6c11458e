"""Neighbours: how far the last eight values are from the most like eight of the last half-day.

After E. Burnaev and V. Ishimtsev, "Conformalized density- and distance-based anomaly detection in
time-series data", 2016 (kNN-CAD), made small: the distance to the third nearest of some hundred
windows, in units of how much the point varies. It needs more time than all else of the chain, so
it is done for points that ask for it.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import (
    get,
    move_up,
    pick,
    rate_of,
    root,
    third_nearest,
)
from citytwin_edge.kernels.anomaly.profile import standard

WINDOW: Final = 8
KEPT: Final = 144
"""So many values are kept; windows that lie in them wholly are compared."""
LEAST: Final = 8.0
"""So many windows must be there to compare with."""
SPREAD_RATE: Final = 0.001
SEEN, MEAN, SPREAD = range(3)
HEAD: Final = 3
NUMBERS: Final = HEAD + KEPT


def neighbours(state: Any, base: int, x: Any) -> Any:
    """Return the deviation of the latest window, and learn it; arguments as of ``profile``."""
    seen = get(state, base + SEEN)
    mean, spread = get(state, base + MEAN), get(state, base + SPREAD)
    rate = rate_of(SPREAD_RATE, seen + 1.0)
    mean = mean + rate * (x - mean)
    spread = spread + rate * (abs(x - mean) - spread)
    seen = seen + 1.0
    state[base + SEEN] = seen
    state[base + MEAN] = mean
    state[base + SPREAD] = spread
    move_up(state, base + HEAD, KEPT, x)
    distance = root(third_nearest(state, base + HEAD, (KEPT, WINDOW), seen))
    knows = seen >= 2.0 * WINDOW + LEAST
    return pick(knows, standard(pick(knows, distance, 0.0), spread), 0.0)
