"""Holt-Winters: it follows level and season, and a jump stands out."""

from __future__ import annotations

import math

from citytwin_edge.kernels.anomaly.holt_winters import holt_winters, numbers
from tests.edge.kernels.anomaly.one import Channel


def test_a_season_is_learnt_and_a_jump_stands_out():
    channel = Channel(holt_winters, numbers(24))
    worst = 0.0
    for hour in range(24 * 40):
        value = 100 + 0.01 * hour + 10 * math.sin(hour * math.tau / 24)
        deviation, expected = channel.take(hour % 24, value)
        if hour > 24 * 30:
            worst = max(worst, abs(expected - value))
    assert worst < 1.0, "a tenth of the season is left over at most"
    deviation, expected = channel.take(0, 160.0)
    assert abs(expected - 109.6) < 1.5
    assert deviation > 10
