"""The step: a lasting change of the mean stands out, and rounding does not gather."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly.step import LONG, NUMBERS, RING, SHORT, step
from tests.edge.kernels.anomaly.one import Channel


def test_it_compares_the_last_dozen_with_what_came_before():
    values = np.random.default_rng(2).normal(size=500) * 5
    channel = Channel(step, NUMBERS)
    for row, value in enumerate(values):
        _, expected = channel.take(value)
        if row >= RING - 1:
            before = values[row + 1 - RING : row + 1 - SHORT]
            assert len(before) == LONG
            assert expected == pytest.approx(before.mean(), abs=1e-9)


def test_a_step_stands_out():
    values = np.random.default_rng(3).normal(size=400)
    values[300:] += 4
    channel = Channel(step, NUMBERS)
    deviations = [channel.take(value)[0] for value in values]
    assert max(deviations[300:330]) > 3 * max(deviations[150:300])


def test_a_value_beyond_all_others_leaves_nothing_behind():
    channel = Channel(step, NUMBERS)
    _, expected = [channel.take(value) for value in [1.0] * 200 + [1e15] + [1.0] * 300][-1]
    assert expected == 1.0
