"""The drift: small deviations to one side add up, to both sides they do not."""

from __future__ import annotations

from citytwin_edge.kernels.anomaly.drift import NUMBERS, drift
from tests.edge.kernels.anomaly.one import Channel


def test_one_side_adds_up_and_two_do_not():
    aside, around = Channel(drift, NUMBERS), Channel(drift, NUMBERS)
    one = [aside.take(1.2, True) for _ in range(100)][-1]
    other = [around.take(1.2, row % 2 == 0) for row in range(100)][-1]
    assert one > 30
    assert other < 1


def test_one_value_counts_no_more_than_its_limit():
    assert Channel(drift, NUMBERS).take(1e4, False) == 4.5
