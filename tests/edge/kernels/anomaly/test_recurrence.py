"""The recurrence: what comes every day counts less, and the days since the like are told."""

from __future__ import annotations

import pytest

from citytwin_edge.kernels.anomaly.recurrence import NUMBERS, recurrence
from tests.edge.kernels.anomaly.one import Channel


def test_the_same_time_on_former_days_discounts():
    channel = Channel(recurrence, NUMBERS)
    assert channel.take(3.0, 20, 100) == (3.0, 0.0)
    score, ago = channel.take(3.0, 20, 101)
    assert score == pytest.approx(3.0 - 0.5 * (0.95 * 3.0 - 1.0))
    assert ago == 1.0


def test_neighbouring_half_hours_count_over_midnight_and_others_do_not():
    channel = Channel(recurrence, NUMBERS)
    channel.take(3.0, 47, 100)
    assert channel.take(3.0, 0, 101)[0] < 3.0
    assert channel.take(3.0, 24, 101)[0] == 3.0


def test_the_same_day_does_not_discount_and_time_forgets():
    channel = Channel(recurrence, NUMBERS)
    channel.take(3.0, 20, 100)
    assert channel.take(3.0, 20, 100)[0] == 3.0
    assert channel.take(3.0, 20, 160) == (3.0, 60.0)
