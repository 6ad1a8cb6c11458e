"""The p-value: right where there are counts, bounded and growing where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly.pvalue import (
    BINS,
    COUNT_MAX,
    EDGES,
    NUMBERS,
    RARITY_MAX,
    pvalue,
)


class Counted:
    def __init__(self):
        self.state, self.counts = np.zeros((NUMBERS, 1)), np.zeros((BINS, 1), np.uint16)

    def take(self, deviation):
        return float(pvalue(self.state, 0, self.counts, np.array([deviation]))[0])


@pytest.fixture(scope="module")
def told():
    counted = Counted()
    deviations = np.random.default_rng(6).exponential(size=6000)
    return np.array([counted.take(one) for one in deviations]), counted


def test_it_is_as_seldom_as_it_says(told):
    late = told[0][1000:]
    for rarity in (0.5, 1.0, 2.0, 3.0):
        wanted = 10**-rarity * len(late)
        assert (late > rarity).sum() == pytest.approx(wanted, rel=0.35, abs=6)


def test_it_grows_with_the_deviation_and_is_bounded(told):
    counted = told[1]
    rarities = []
    for deviation in (0.0, 0.01, 0.5, 2.0, 4.0, 6.0, 8.0, 30.0, 1e4):
        copy = Counted()
        copy.state, copy.counts = counted.state.copy(), counted.counts.copy()
        rarities.append(copy.take(deviation))
    assert rarities == sorted(rarities)
    assert rarities[0] == pytest.approx(0, abs=0.05)
    assert rarities[-1] == RARITY_MAX


def test_old_counts_fade():
    counted = Counted()
    for _ in range(COUNT_MAX + 10):
        counted.take(1.0)
    assert counted.counts[0, 0] == COUNT_MAX // 2 + 10


def test_bins_begin_where_the_table_says():
    for bin_ in (1, 7, 8, 40, BINS - 1):
        counted = Counted()
        counted.take(float(EDGES[bin_]))
        assert counted.counts[:, 0].tolist() == [1] * (bin_ + 1) + [0] * (BINS - bin_ - 1)
