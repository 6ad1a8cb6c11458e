"""The recurrence: what comes every day counts less, and the days since the like are told."""

from __future__ import annotations

import pytest

from citytwin_edge.kernels.anomaly.recurrence import (
    FIRST_DAY,
    LAST,
    NUMBERS,
    SIMILAR_DAYS_MAX,
    days_ago,
    recurrence,
)
from tests.edge.kernels.anomaly.one import Channel


def test_the_same_time_on_former_days_discounts():
    channel = Channel(recurrence, NUMBERS)
    assert channel.take(3.0, 20, 100) == (3.0, 0.0)
    score, _ = channel.take(3.0, 20, 101)
    assert score == pytest.approx(3.0 - 0.5 * (0.95 * 3.0 - 1.0))


def test_neighbouring_half_hours_count_over_midnight_and_others_do_not():
    channel = Channel(recurrence, NUMBERS)
    channel.take(3.0, 47, 100)
    assert channel.take(3.0, 0, 101)[0] < 3.0
    assert channel.take(3.0, 24, 101)[0] == 3.0


def test_the_same_day_does_not_discount_and_time_forgets():
    channel = Channel(recurrence, NUMBERS)
    channel.take(3.0, 20, 100)
    assert channel.take(3.0, 20, 100)[0] == 3.0
    assert channel.take(3.0, 20, 160)[0] == 3.0


DAY = 739_000


def test_the_last_three_days_with_the_like_are_known():
    channel, ago = Channel(recurrence, NUMBERS), []
    for day, score in ((0, 2.0), (1, 0.5), (3, 2.0), (4, 3.0), (4, 3.0), (9, 1.0), (10, 0.0)):
        _, kept = channel.take(score, 20, DAY + day)
        ago.append(days_ago(kept, DAY + day))
    assert ago == [[], [1], [3], [1, 4], [1, 4], [5, 6, 9], [1, 6, 7]]
    assert channel.take(3.0, 21, DAY + 11)[1] == 0.0, "of another half-hour none is known"


def test_a_clock_that_was_set_back_and_what_is_too_old_tell_nothing():
    channel = Channel(recurrence, NUMBERS)
    channel.take(3.0, 20, DAY)
    _, kept = channel.take(3.0, 20, DAY - 1)
    assert days_ago(kept, DAY - 1) == []
    assert days_ago(kept, DAY + SIMILAR_DAYS_MAX) == [SIMILAR_DAYS_MAX]
    assert days_ago(kept, DAY + SIMILAR_DAYS_MAX + 1) == []


def test_a_state_that_kept_one_day_only_is_gone_on_with():
    """As it was before there were three: the day itself."""
    channel = Channel(recurrence, NUMBERS)
    channel.state[20 * 4 + LAST] = DAY
    assert days_ago(channel.take(3.0, 20, DAY + 1)[1], DAY + 1) == []
    assert days_ago(channel.take(3.0, 20, DAY + 2)[1], DAY + 2) == [1]
    assert FIRST_DAY < DAY
