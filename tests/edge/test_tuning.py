"""Tuning: limits that a history speaks for, and what each budget would have raised."""

from __future__ import annotations

import numpy as np
import pytest

from citytwin import Point
from citytwin_edge.kernels import PointRules
from citytwin_edge.scoring import History
from citytwin_edge.tuning import BUDGETS, doubts, limits, tried
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
