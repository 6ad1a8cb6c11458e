"""Arithmetic: tables and bits give what mathematics says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly.arithmetic import (
    all_held,
    count,
    held,
    log10,
    power_of_decay,
    rarity,
    rate_of,
)


def test_logarithms_are_right_to_six_digits():
    numbers = np.geomspace(1e-12, 1e12, 5000)
    assert np.abs(log10(numbers) - np.log10(numbers)).max() < 3e-6


@pytest.mark.parametrize("deviations", [0.0, 0.03, 1.0, 2.5, 6.99])
def test_rarity_is_the_tail_of_the_normal_distribution(deviations):
    exact = -math.log10(0.5 * math.erfc(deviations / math.sqrt(2))) if deviations else 0.0
    assert rarity(np.array([deviations]))[0] == pytest.approx(exact, abs=2e-3)


def test_rarity_ends_at_seven_deviations_and_is_nothing_below_the_mean():
    assert rarity(np.array([-3.0, 7.0, 1e9])).tolist() == [
        0.0,
        *[pytest.approx(11.893, abs=1e-3)] * 2,
    ]


def test_counts_are_cumulative_and_halved_when_there_are_too_many():
    counts = np.zeros((4, 2), np.uint16)
    for bin_ in ([0, 3], [2, 3], [1, 3]):
        count(counts, np.array(bin_), 100)
    assert counts.T.tolist() == [[3, 2, 1, 0], [3, 3, 3, 3]]
    assert held(counts, np.array([1, 3])).tolist() == [2.0, 3.0]
    assert all_held(counts).tolist() == [3.0, 3.0]
    count(counts, np.array([0, 0]), 4)
    assert counts.T.tolist() == [[2, 1, 0, 0], [2, 1, 1, 1]]


def test_a_twentieth_is_lost_in_a_day_and_long_ago_is_nothing():
    left = power_of_decay(np.array([0.0, 1.0, -2.0, 1e6]))
    assert left.tolist() == pytest.approx([1.0, 0.95, 0.9025, 0.0], abs=1e-8)


def test_the_first_count_alike_and_later_ones_by_a_rate():
    assert rate_of(0.1, np.array([1.0, 4.0, 10.0, 50.0])).tolist() == [1.0, 0.25, 0.1, 0.1]
    assert rate_of(0.1, np.array([10.0, 50.0])) == 0.1
