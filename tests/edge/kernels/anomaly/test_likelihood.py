"""The likelihood: ten large deviations in a row are seldom, one is not."""

from __future__ import annotations

import numpy as np

from citytwin_edge.kernels.anomaly.likelihood import NUMBERS, likelihood
from tests.edge.kernels.anomaly.one import Channel


def learnt():
    channel = Channel(likelihood, NUMBERS)
    told = [channel.take(abs(one)) for one in np.random.default_rng(5).normal(size=2000)]
    return channel, told


def test_it_says_nothing_before_a_hundred_and_little_of_what_is_usual():
    _, told = learnt()
    assert not any(told[:99])
    assert np.mean(np.array(told[200:]) > 3.5) < 0.01


def test_many_in_a_row_are_seldom():
    channel, _ = learnt()
    one = channel.take(4.0)
    many = [channel.take(4.0) for _ in range(9)][-1]
    assert one < many
    assert many > 4
