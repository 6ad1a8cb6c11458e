"""The chain: it learns a day, finds what breaks it, says who saw it and what was expected."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly import chain, paths
from tests.edge.kernels.anomaly.days import STEP_S, days, run


@pytest.mark.parametrize(
    ("change", "kernel"),
    [
        (
            lambda v: v.__setitem__(slice(2600, 2640), v[2600:2640] + 8),
            "half-hour",
        ),
        (lambda v: v.__setitem__(slice(2600, 2900), v[2600]), "activity"),
    ],
)
def test_what_breaks_the_day_is_found_and_named(change, kernel):
    values = days(14)
    change(values)
    told = run(values, budget=2.0)
    raised = np.flatnonzero(told[:, paths.EVENT] == 1)
    found = [row for row in raised if 2600 <= row < 2900]
    assert found
    assert len(raised) - len(found) <= 2
    assert chain.NAMES[int(told[found[0], paths.KERNEL])] == kernel
    assert abs(told[found[0], paths.EXPECTED] - days(14)[found[0]]) < 6


def test_it_says_how_far_it_has_learnt():
    told = run(days(3))
    news = told[:, paths.NEWS] > 0
    assert told[news, paths.RIPE].tolist() == [0, 1, 2]
    seconds = np.flatnonzero(news) * STEP_S
    assert seconds.tolist() == [0, 19 * STEP_S, 86_400]


def test_a_sound_state_is_one_whose_places_exist():
    numbers = np.zeros((2, chain.NUMBERS))
    assert chain.is_sound(numbers)
    for place, value in ((chain.STEPPING + 1, 1e9), (chain.P, -1.0), (chain.HALF, np.nan)):
        broken = numbers.copy()
        broken[1, place] = value
        assert not chain.is_sound(broken)


def test_the_state_of_a_channel_is_below_ten_kilobytes():
    path = paths.NumpyPath(1, np.array([60.0]), np.array([1.0]))
    assert path.state.nbytes + path.counts.nbytes <= 10_000
