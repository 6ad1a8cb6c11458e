"""Activity: a point that falls still, or begins to flutter, stands out."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly.activity import NUMBERS, activity
from tests.edge.kernels.anomaly.one import Channel


@pytest.mark.parametrize("factor", [0.0, 20.0])
def test_less_and_more_movement_stand_out(factor):
    values = np.random.default_rng(4).normal(size=600)
    values[500:] *= factor
    channel = Channel(activity, NUMBERS)
    deviations = [channel.take(value, row > 0) for row, value in enumerate(values)]
    assert max(deviations[500:]) > 4 * max(deviations[200:500])


def test_a_gap_is_no_movement():
    channel = Channel(activity, NUMBERS)
    for row in range(200):
        channel.take(float(row % 2), row > 0)
    before = channel.state.copy()
    channel.take(1e9, False)
    assert (channel.state[1:] == before[1:]).all()
