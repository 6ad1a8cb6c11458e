"""Likelihood: how seldom the mean of the last ten deviations is so high, of all that came before.

After A. Lavin and S. Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta anomaly
benchmark", ICMLA 2015: a short mean against a normal distribution of a long past.
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import (
    get,
    larger,
    pick,
    put,
    rarity,
    root,
    smaller,
    take,
    whole,
)

SHORT: Final = 10
LONG_RATE: Final = 0.001
WARM: Final = 100.0
DEVIATION_MAX: Final = 10.0
SEEN, PLACE, SUM, SUM_NEW, MEAN, VARIANCE = range(6)
HEAD: Final = 6
NUMBERS: Final = HEAD + SHORT


def likelihood(state: Any, base: int, deviation: Any) -> Any:
    """Return -log10 of the chance, 0 to 12, and learn a deviation; arguments as of ``profile``."""
    x = smaller(deviation, DEVIATION_MAX)
    seen = get(state, base + SEEN)
    place = get(state, base + PLACE)
    at = base + HEAD + whole(place)
    leaving = take(state, at)
    put(state, at, x)
    full = seen >= SHORT
    turn = place >= SHORT - 1.0
    sum_new = get(state, base + SUM_NEW) + x
    total = pick(turn, sum_new, get(state, base + SUM) + x - leaving)
    state[base + PLACE] = pick(turn, 0.0, place + 1.0)
    state[base + SUM] = total
    state[base + SUM_NEW] = pick(turn, 0.0, sum_new)
    state[base + SEEN] = seen + 1.0
    mean, variance = get(state, base + MEAN), get(state, base + VARIANCE)
    past = seen - SHORT + 1.0
    rate = larger(LONG_RATE, 1.0 / larger(past, 1.0))
    off = leaving - mean
    mean = pick(full, mean + rate * off, mean)
    variance = pick(full, (1.0 - rate) * (variance + rate * off * off), variance)
    state[base + MEAN] = mean
    state[base + VARIANCE] = variance
    deviations = (total / SHORT - mean) / larger(root(variance), 1e-6)
    return pick(past >= WARM, rarity(deviations), 0.0)
