"""The budget: alarms lift the threshold, time lowers it, and so they keep to a number."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly.budget import (
    BURST,
    BURST_PART,
    HIGHEST,
    HOLD_S,
    LIFT,
    LOWEST,
    MONTH_S,
    NUMBERS,
    RAISE,
    RETURN,
    alarm,
    maturity,
    threshold_at,
)


class Watched:
    """A channel that is looked at every ``step_s``."""

    def __init__(self, budget=1.0, step_s=300.0):
        self.state, self.step_s, self.time_s = np.zeros((NUMBERS, 1)), step_s, 1.7e9
        self.budget = budget

    def take(self, score, ripe=2.0):
        self.time_s += self.step_s
        aim = (np.array([self.budget]), np.array([threshold_at(self.budget)]))
        told = alarm(
            self.state, 0, np.array([score]), np.array([self.time_s]), np.array([self.step_s]),
            np.array([ripe]), aim,
        )  # fmt: skip
        return tuple(float(one[0]) for one in told)


def test_an_alarm_is_raised_once_says_since_when_and_returns():
    watched = Watched()
    assert watched.take(0.1)[0] == 0
    assert watched.take(2.5)[0] == 0, "high, but not high enough"
    event, onset_s, _ = watched.take(5.0)
    assert (event, onset_s) == (RAISE, 300.0)
    assert watched.take(5.0)[0] == 0
    events = [watched.take(0.1)[0] for _ in range(6)]
    assert events == [0] * 5 + [RETURN]
    assert watched.take(6.0)[0] == 0, "it rests for a while"
    watched.time_s += HOLD_S
    assert watched.take(6.0)[0] == RAISE


def test_nothing_is_raised_while_it_learns_and_little_before_a_day():
    begins = threshold_at(1.0)
    assert Watched().take(8.0, ripe=0.0)[0] == 0
    assert Watched().take(begins + 0.2, ripe=1.0)[0] == 0
    assert Watched().take(begins + 0.2, ripe=2.0)[0] == RAISE


@pytest.mark.parametrize("budget", [0.5, 1.0, 2.0, 4.0, 8.0])
def test_alarms_keep_to_the_budget_whatever_the_scores_are(budget):
    watched = Watched(budget, step_s=3600.0)
    random = np.random.default_rng(7)
    raised, months = 0, 120
    for _ in range(int(months * MONTH_S / 3600)):
        raised += watched.take(min(random.exponential(0.6), 6.0))[0] == RAISE
    moved = float(watched.state[0, 0]) - threshold_at(budget)
    assert raised == pytest.approx(months * budget + moved / LIFT, abs=1.0)
    assert raised <= months * budget + (HIGHEST - threshold_at(budget)) / LIFT
    assert raised / months == pytest.approx(budget, rel=0.35, abs=0.5)


@pytest.mark.parametrize("budget", [0.5, 4.0])
def test_a_sensor_that_is_never_right_again_has_a_bound(budget):
    """The highest score at all times, from the first day on."""
    watched = Watched(budget, step_s=3600.0)
    raised = []
    for month in range(1, 4):
        for hour in range(int(MONTH_S / 3600)):
            score = 0.0 if hour % 12 < 7 else 12.0
            raised += [month] * (watched.take(score)[0] == RAISE)
        assert len(raised) <= BURST + BURST_PART * budget + month * budget
    assert raised.count(1) >= BURST + BURST_PART * budget - 1, "else the bound was never reached"
    assert raised.count(3) <= budget + 1


def test_another_budget_moves_the_threshold_at_once():
    watched = Watched(1.0)
    first = watched.take(0.0)[2]
    watched.budget = 4.0
    assert watched.take(0.0)[2] == pytest.approx(
        first + threshold_at(4.0) - threshold_at(1.0), abs=1e-3
    )


def test_thresholds_have_bounds():
    assert threshold_at(1.0) < threshold_at(0.05) < HIGHEST
    assert threshold_at(1000.0) == LOWEST


def test_it_is_useful_after_an_hour_and_good_after_a_day():
    age_s, steps = np.array([3599, 3600, 3600, 86_400, 86_400]), np.array([60, 60, 12, 99, 100])
    assert maturity(age_s, steps).tolist() == [0, 1, 0, 1, 2]
