"""P-value: how seldom a deviation is so large, by a histogram of all before it with an open end.

The bins grow with the deviation, eight to the octave; what is kept is how many lie in a bin or
above, so reading takes one look. Above the fiftieth part the tail is taken to fall exponentially.
Counts are whole numbers: when there are COUNT_MAX, all are halved, and the old ones fade.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from citytwin_edge.kernels.anomaly.arithmetic import (
    all_held,
    bits,
    count,
    entry,
    get,
    held,
    larger,
    log10,
    pick,
    smaller,
    some,
    whole,
)

BINS: Final = 96
PER_OCTAVE_BITS: Final = 3
FIRST: Final = -4
"""The lowest bin ends at 2 to the power of this."""
SHIFT: Final = 52 - PER_OCTAVE_BITS
OFFSET: Final = ((FIRST + 1023) << PER_OCTAVE_BITS) - 1
COUNT_MAX: Final = 20_000
WARM: Final = 20.0
TOP: Final = 50.0
"""The tail is one part in so many."""
TOP_RARITY: Final = math.log10(TOP)
PRIOR: Final = 0.3
"""Before much is known of the tail it falls by e in this part of where it begins."""
LN_10: Final = math.log(10.0)
RARITY_MAX: Final = 4.0
EDGE, EXCESS, EXCESSES = range(3)
NUMBERS: Final = 3

EDGES: Final = np.array(
    [0.0] + [2.0 ** (FIRST + i // 8) * (1 + i % 8 / 8) for i in range(BINS - 1)]
)
"""Shape (BINS,): where each bin begins."""


def pvalue(state: Any, base: int, counts: Any, deviation: Any) -> Any:
    """Return -log10 of the p-value, 0 to RARITY_MAX, and count a deviation.

    Args:
        state, base: as of ``profile``.
        counts: the channel's cumulative counts, uint16, shape (BINS,) or (BINS, channels).
        deviation: not negative.
    """
    bin_ = smaller(larger((bits(deviation) >> SHIFT) - OFFSET, 0), BINS - 1)
    total = all_held(counts)
    at_least = held(counts, bin_)
    above = pick(bin_ < BINS - 1, held(counts, smaller(bin_ + 1, BINS - 1)), 0.0)
    rank = (0.5 * (at_least + above) + 0.5) / (total + 1.0)
    seldom = -log10(rank)
    # The bin where the tail begins moves by one at most with each sample.
    edge_bin = larger(whole(get(state, base + EDGE)), 1)
    higher = (held(counts, edge_bin) * TOP >= total) & (edge_bin < BINS - 1)
    lower = (held(counts, edge_bin - 1) * TOP < total) & (edge_bin > 1)
    edge_bin = pick(higher, edge_bin + 1, pick(lower, edge_bin - 1, edge_bin))
    state[base + EDGE] = edge_bin
    edge = entry(EDGES, edge_bin)
    excess, excesses = get(state, base + EXCESS), get(state, base + EXCESSES)
    beyond = deviation - edge
    result = seldom
    if some(beyond > 0.0):
        mean = (excess + PRIOR * edge) / (excesses + 1.0)
        tail = TOP_RARITY + larger(beyond, 0.0) / (larger(mean, 1e-12) * LN_10)
        in_tail = (beyond > 0.0) & (rank < 1.0 / TOP)
        result = pick(in_tail, larger(seldom, tail), seldom)
        takes = (beyond > 0.0) & (total >= WARM)
        excess = pick(takes, excess + beyond, excess)
        excesses = pick(takes, excesses + 1.0, excesses)
    fades = pick(total >= COUNT_MAX - 1.0, 0.5, 1.0)
    state[base + EXCESS] = excess * fades
    state[base + EXCESSES] = excesses * fades
    count(counts, bin_, COUNT_MAX)
    return pick(total > WARM, larger(smaller(result, RARITY_MAX), 0.0), 0.0)
