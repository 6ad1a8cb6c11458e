"""Neighbours: a course that was there before is near, one that never was is far."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly import chain, paths
from citytwin_edge.kernels.anomaly.neighbours import KEPT, NUMBERS, WINDOW, neighbours
from tests.edge.kernels.anomaly.days import days, samples
from tests.edge.kernels.anomaly.one import Channel


def by_hand(values):
    """Return the distance from the last window to its third nearest, over all that are kept."""
    kept = np.array(values[-KEPT:])
    windows = np.lib.stride_tricks.sliding_window_view(kept, WINDOW)
    return float(np.sort(np.sqrt(((windows[:-1] - windows[-1]) ** 2).sum(axis=1)))[2])


def spread_of(values):
    mean = spread = 0.0
    for seen, value in enumerate(values):
        rate = max(0.001, 1 / (seen + 1))
        mean += rate * (value - mean)
        spread += rate * (abs(value - mean) - spread)
    return spread


@pytest.mark.parametrize("count", [24, 60, KEPT, KEPT + 1, 500])
def test_it_is_the_distance_to_the_third_nearest_of_the_windows_before(count):
    channel = Channel(neighbours, NUMBERS)
    values = np.random.default_rng(3).normal(size=count).tolist()
    told = [channel.take(value) for value in values]
    assert told[-1] == pytest.approx(by_hand(values) / spread_of(values), rel=1e-9)
    assert not any(told[:23]), "too few windows to compare with"


def test_a_course_that_never_was_is_far_though_each_value_is_usual():
    channel = Channel(neighbours, NUMBERS)
    usual = np.tile([0.0, 0.0, 4.0, 4.0], 60) + np.random.default_rng(4).normal(size=240) * 0.1
    told = [channel.take(value) for value in usual]
    odd = [channel.take(value) for value in [0.0, 4.0] * 4]
    assert max(odd) > 3 * max(told[100:])


def test_what_never_moves_is_near():
    channel = Channel(neighbours, NUMBERS)
    assert not any(channel.take(7.25) for _ in range(200))


def test_it_is_one_more_score_for_those_who_ask_and_is_named_when_it_leads():
    values = days(14)
    values[2600:2612] = values[2600] + np.tile([-12.0, 12.0], 6)
    path = paths.NumpyPath(2, np.full(2, 60.0), np.full(2, 2.0), np.array([False, True]))
    given = samples(values, 2)
    told = path.run(given)
    alone, near = (told[given.channel == number] for number in (0, 1))
    assert "neighbours" not in {chain.NAMES[int(one)] for one in alone[:, paths.KERNEL]}
    assert "neighbours" in {chain.NAMES[int(one)] for one in near[:, paths.KERNEL]}
    assert not path.state[0, chain.NEAR :].any(), "nothing is done where nobody asks"
