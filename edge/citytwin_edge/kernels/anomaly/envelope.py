"""Envelope: lowest and highest value that was seen, both drawn together slowly; who leaves it."""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import get, larger, pick, smaller
from citytwin_edge.kernels.anomaly.profile import standard

DECAY: Final = 0.001
LOW, HIGH, COUNT = range(3)
NUMBERS: Final = 3


def envelope(state: Any, base: int, x: Any) -> Any:
    """Return (deviation in widths, expected) of a value, and learn it; as ``profile``."""
    count = get(state, base + COUNT)
    first = count < 1.0
    low, high = pick(first, x, get(state, base + LOW)), pick(first, x, get(state, base + HIGH))
    inside = smaller(larger(x, low), high)
    deviation = standard(abs(x - inside), high - low)
    middle = 0.5 * (low + high)
    state[base + LOW] = smaller(x, low + DECAY * (middle - low))
    state[base + HIGH] = larger(x, high - DECAY * (high - middle))
    state[base + COUNT] = count + 1.0
    return deviation, inside
