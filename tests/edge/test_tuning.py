"""Tuning: limits that a history speaks for, and what each budget would have raised."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin import Point
from citytwin_edge.kernels import PointRules
from citytwin_edge.scoring import History
from citytwin_edge.tuning import BUDGETS, Tried, budget, doubts, limits, tried
from tests.edge.kernels.anomaly.days import BEGIN, STEP_S, days


def history(count: int = 14) -> History:
    values = days(count)
    if count > 9:
        values[2600:2640] += 15
    times = BEGIN + np.arange(len(values)) * STEP_S
    return History([str(t) for t in times.tolist()], times.astype(np.int64) * 10**9, values)


def test_limits_leave_little_outside_and_say_how_much():
    lines = {line.field: line for line in limits(history(8))}
    low, high = (float(one) for one in lines["normal"].value.strip("[]").split(", "))
    assert 15 < low < 28 < 72 < high < 85
    assert lines["normal"].evidence.startswith("0 of 2304 values lie outside")
    low, high = (float(one) for one in lines["valid"].value.strip("[]").split(", "))
    assert (low, high) == (0.0, pytest.approx(117, abs=8)), "never negative, and as far again above"
    assert lines["valid"].evidence.startswith("0 of 2304 values lie outside")
    assert "never below 0" in lines["valid"].evidence
    assert float(lines["rate_per_s_max"].value) == pytest.approx(2 * 4.5 / STEP_S, rel=0.3)
    assert float(lines["flatline_s_max"].value) == 2 * STEP_S


def test_a_few_rows_speak_for_nothing():
    few = history(1)
    assert limits(few._replace(time_ns=few.time_ns[:50], value=few.value[:50])) == []


def test_budgets_are_tried_with_the_alarms_that_come():
    found = tried(history(), Point(id="g/d/p"), PointRules(), "UTC")
    assert [one.budget for one in found] == list(BUDGETS)
    counts = [one.alarms for one in found]
    assert counts == sorted(counts)
    assert counts[-1] >= 1
    assert "instead of" in found[-1].shown[0]


def test_what_may_be_negative_may_be_valid_below_zero():
    cold = history(8)
    lines = {line.field: line for line in limits(cold._replace(value=cold.value - 60))}
    assert lines["valid"].value.startswith("[-")
    assert "never below" not in lines["valid"].evidence


@pytest.mark.parametrize(
    ("alarms", "months", "value", "evidence"),
    [
        ((0, 1, 2, 4), 1.0, "4", "that was kept: 4 alarms in 1.00 months"),
        ((0, 1, 2, 5), 1.0, "2", "2 alarms in 1.00 months; with 4 it had been 5"),
        ((0, 0, 0, 0), 0.3, "4", "0 alarms in 0.30 months"),
        ((1, 1, 2, 9), 0.5, "1", "1 alarms in 0.50 months; with 2 it had been 2"),
        ((3, 5, 7, 9), 1.0, "0.5", "none was kept, and this is the least: 3 alarms"),
        ((0, 0, 0, 0), 0.1, "1", "3.0 days tell nothing of months"),
    ],
)
def test_the_largest_budget_that_a_history_kept_is_suggested(alarms, months, value, evidence):
    found = [Tried(one, count, []) for one, count in zip(BUDGETS, alarms, strict=True)]
    line = budget(found, months)
    assert (line.field, line.value) == ("anomaly", f"{{ budget = {value} }}")
    assert evidence in line.evidence


def test_what_makes_a_history_doubtful_is_said():
    short = history(2)
    value = short.value.copy()
    value[5] = np.nan
    times = short.time_ns.copy()
    times[9] = times[8]
    said = doubts(short._replace(value=value, time_ns=times))
    assert said == [
        "2.0 days of history; a week shows weekends",
        "1 readings have no value",
        "1 rows are not later than the one before them",
    ]
    assert doubts(history()) == []
