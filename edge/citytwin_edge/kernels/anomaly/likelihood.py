"""Likelihood: how seldom deviations are so high for a while, of all that came before.

After A. Lavin and S. Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta anomaly
benchmark", ICMLA 2015: a short mean against a normal distribution of a long past. The short mean
is a decayed one that weighs as the last ten, so nothing has to be kept of each.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import (
    get,
    larger,
    pick,
    rarity,
    rate_of,
    root,
    smaller,
)

SHORT_RATE: Final = 2.0 / 11.0
LONG_RATE: Final = 0.001
WARM: Final = 100.0
DEVIATION_MAX: Final = 10.0
SEEN, SHORT, MEAN, VARIANCE = range(4)
NUMBERS: Final = 4


def likelihood(state: Any, base: int, deviation: Any) -> Any:
    """Return -log10 of the chance, 0 to 12, and learn a deviation; arguments as of ``profile``."""
    x = smaller(deviation, DEVIATION_MAX)
    seen = get(state, base + SEEN) + 1.0
    state[base + SEEN] = seen
    short = get(state, base + SHORT)
    short = short + rate_of(SHORT_RATE, seen) * (x - short)
    state[base + SHORT] = short
    mean, variance = get(state, base + MEAN), get(state, base + VARIANCE)
    deviations = (short - mean) / larger(root(variance), 1e-6)
    rate = rate_of(LONG_RATE, seen)
    off = x - mean
    state[base + MEAN] = mean + rate * off
    state[base + VARIANCE] = (1.0 - rate) * (variance + rate * off * off)
    return pick(seen >= WARM, rarity(deviations), 0.0)
