"""The profile: what is usual at one time of the day is not at another."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly.profile import DEVIATION_MAX, numbers, profile, standard
from tests.edge.kernels.anomaly.one import Channel


def learnt(days: int = 10) -> Channel:
    """A channel that is near 10 in bin 0 and near 50 in bin 1."""
    random = np.random.default_rng(1)
    channel = Channel(profile, numbers(2), 2)
    for _ in range(days):
        for bin_, level in ((0, 10.0), (1, 50.0)):
            for _ in range(6):
                channel.take(bin_, level + random.normal(), 1 / 6)
    return channel


def test_a_value_is_judged_by_its_own_time():
    deviation, expected = learnt().take(0, 50.0, 1 / 6)
    assert expected == pytest.approx(10.0, abs=0.7)
    assert deviation > 30
    deviation, expected = learnt().take(1, 50.0, 1 / 6)
    assert expected == pytest.approx(50.0, abs=0.7)
    assert deviation < 3


def test_it_forgets_within_days_whatever_the_period_of_the_point():
    for visits in (1, 6, 60):
        channel = Channel(profile, numbers(1), 1)
        for level in (0.0, 100.0):
            for _ in range(20 * visits):
                channel.take(0, level, 1 / visits)
        _, expected = channel.take(0, 100.0, 1 / visits)
        assert expected == pytest.approx(100.0, abs=3.0)


def test_what_is_not_known_does_not_deviate():
    channel = Channel(profile, numbers(1), 1)
    assert channel.take(0, 1e6, 1.0) == (0.0, 1e6)


def test_standard_scales_and_is_bounded():
    distance, scale = np.array([2.0, 0.0, 1.0, 1e9]), np.array([4.0, 0.0, 0.0, 1e-300])
    assert standard(distance, scale).tolist() == [0.5, 0.0, 50.0, DEVIATION_MAX]
