"""The chain on whole histories: what is no fault raises nothing, each fault is its kernel's.

What is no fault stands beside the same history judged wrongly, which does raise an alarm: so it is
the calendar that makes the difference, not a threshold that nothing reaches.
"""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from citytwin import Batch, Point
from citytwin_edge.kernels.anomaly import chain, paths
from citytwin_edge.kernels.anomaly.kernel import Anomaly
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from tests.edge.kernels.anomaly.days import BEGIN, STEP_S, days

DAY = 86_400 // STEP_S
BUDGET = 4.0


def watched(values, times=None, **settings):
    """Return what the chain tells of each value, and the rows at which it raises alarms."""
    known = {"budget": BUDGET, "time_zone": "UTC", "holidays": "none"} | settings
    kernel = Anomaly([Point(id="g/d/p")], [AnomalySettings(**known)])
    times = BEGIN + np.arange(len(values)) * STEP_S if times is None else times
    batch = Batch.of(np.zeros(len(values)), np.asarray(times, np.int64) * 10**9, values)
    _, told = kernel.watch(batch)
    return told, np.flatnonzero(told[:, paths.EVENT] == 1)


RAGGED = np.random.default_rng(1).uniform(30.0, 70.0, 24)
ROUND = 50 + 20 * np.sin(np.arange(24) / 24 * 2 * np.pi)


def local_days(first, count, zone, by_hour):
    """Return UTC seconds from local midnight on, local moments, and a course by the local hour."""
    begin = datetime.datetime.combine(first, datetime.time(), ZoneInfo(zone)).timestamp()
    times = begin + np.arange(count * DAY) * STEP_S
    moments = [datetime.datetime.fromtimestamp(one, ZoneInfo(zone)) for one in times.tolist()]
    random = np.random.default_rng(1)
    hour = np.array([one.hour + one.minute / 60 for one in moments])
    course = np.interp(hour, np.arange(25), np.append(by_hour, by_hour[0]))
    return times, moments, course + random.normal(size=len(times))


def test_a_gap_of_three_days_raises_nothing():
    values, times = days(20), BEGIN + np.arange(20 * DAY) * STEP_S
    kept = np.r_[0 : 12 * DAY + 100, 15 * DAY + 100 : 20 * DAY]
    told, raised = watched(values[kept], times[kept])
    assert told[:, paths.STEPPED].all()
    assert raised.tolist() == []
    _, later = watched(np.where(kept < 15 * DAY, values[kept], values[kept] + 15), times[kept])
    assert later[0] >= 12 * DAY + 100, "what does differ behind the gap is seen"


@pytest.mark.parametrize(
    "change", [datetime.date(2026, 3, 29), datetime.date(2026, 10, 25)], ids=["spring", "autumn"]
)
def test_a_change_of_clocks_raises_nothing_where_people_live_by_them(change):
    first = change - datetime.timedelta(days=20)
    times, _, values = local_days(first, 30, "Europe/Berlin", RAGGED)
    assert watched(values, times, time_zone="Europe/Berlin")[1].tolist() == []
    _, raised = watched(values, times, time_zone="UTC")
    assert raised[0] >= 20 * DAY, "by a clock that nobody lives by the day comes an hour off"


def test_a_holiday_on_a_weekday_with_the_course_of_a_sunday_raises_nothing():
    first, holiday = datetime.date(2026, 4, 1), datetime.date(2026, 5, 1)
    assert holiday.strftime("%A") == "Friday"
    times, moments, values = local_days(first, 34, "Asia/Almaty", ROUND)
    free = np.array([one.weekday() >= 5 or one.date() == holiday for one in moments])
    values -= np.where(free, 14.0, 0.0)
    that_day = np.array([one.date() == holiday for one in moments])
    for calendar, expected in (("kz", False), ("none", True)):
        known = {"time_zone": "Asia/Almaty", "holidays": calendar}
        _, raised = watched(values, times, **known)
        assert that_day[raised].any() == expected, calendar


def shifted(hours):
    """A day that comes so many hours late."""
    values = days(21)
    begin = 15 * DAY
    late = hours * DAY // 24
    values[begin : begin + DAY] = values[begin + late : begin + late + DAY]
    return values, begin, begin + DAY


def busy_sunday():
    """A Sunday with the course of a weekday."""
    values = days(35)
    weekday = (np.arange(len(values)) // DAY + 3) % 7  # BEGIN is a Thursday
    values -= np.where(weekday >= 5, 12.0, 0.0)
    begin = int(np.flatnonzero(weekday == 6)[-1]) // DAY * DAY
    values[begin : begin + DAY] += 12.0
    return values, begin, begin + DAY


def ramp_of_a_wanderer():
    """A level that wanders without a course of the day, and climbs as it never does."""
    random = np.random.default_rng(2)
    wandering = np.cumsum(random.normal(size=28 * DAY))
    wandering -= np.convolve(wandering, np.ones(2 * DAY) / 2 / DAY, mode="same")
    wandering *= 4 / wandering[3 * DAY :].std()
    wandering = np.convolve(wandering, np.ones(60) / 60, mode="same")
    values = 50 + wandering + random.normal(size=28 * DAY)
    begin = 15 * DAY + int(np.argmin(wandering[15 * DAY : 25 * DAY]))
    climb = np.concatenate([np.linspace(0, 45, 30), np.linspace(45, 0, 100)])
    values[begin : begin + len(climb)] += climb
    return values, begin, begin + len(climb)


def new_level():
    """A flat course that steps up and stays."""
    values = 50 + np.random.default_rng(1).normal(size=28 * DAY)
    values[20 * DAY :] += 3
    return values, 20 * DAY, 21 * DAY


def restless():
    """A day on which the noise is five times what it was."""
    values = days(21)
    values[15 * DAY : 16 * DAY] += 4 * np.random.default_rng(3).normal(size=DAY)
    return values, 15 * DAY, 16 * DAY


def beyond():
    """Two hours higher than ever."""
    values = days(21)
    values[15 * DAY + 60 : 15 * DAY + 90] = 95
    return values, 15 * DAY + 60, 15 * DAY + 90


def creeping():
    """A sensor that drifts by three deviations a day, within the span of its day."""
    values = days(28)
    values[20 * DAY :] += np.linspace(0, 24, 8 * DAY)
    return values, 20 * DAY, 28 * DAY


@pytest.mark.parametrize(
    ("fault", "budget", "kernel"),
    [
        (lambda: shifted(12), 2.0, "half-hour"),
        (lambda: shifted(3), 2.0, "hour"),
        (busy_sunday, 4.0, "week"),
        (ramp_of_a_wanderer, 2.0, "holt-winters"),
        (new_level, 2.0, "step"),
        (restless, 2.0, "activity"),
        (beyond, 2.0, "envelope"),
        (creeping, 4.0, "drift"),
    ],
    ids=[
        "half a day late",
        "three hours late",
        "sunday",
        "ramp",
        "level",
        "noise",
        "high",
        "drift",
    ],
)
def test_of_each_fault_its_own_kernel_tells(fault, budget, kernel):
    values, begin, end = fault()
    told, raised = watched(values, budget=budget)
    inside = raised[(raised >= begin) & (raised < end)]
    assert len(inside)
    assert chain.NAMES[int(told[inside[0], paths.KERNEL])] == kernel
    assert np.count_nonzero(raised < begin) <= 1


def test_a_course_that_runs_backwards_is_what_neighbours_lead_on():
    """A saw-tooth has the same values and the same steps either way, but for their order."""
    random = np.random.default_rng(2)
    values = 50 + 3.0 * (np.arange(10 * DAY) % 8) + 0.2 * random.normal(size=10 * DAY)
    begin = 8 * DAY
    values[begin : begin + 48] = values[begin : begin + 48][::-1]
    told, _ = watched(values, neighbours=True)
    leads = told[:, paths.KERNEL] == chain.NAMES.index("neighbours")
    assert leads[begin + 16 : begin + 48].mean() > 0.5, "it needs two windows of the new order"
    assert leads[5 * DAY : begin].mean() < 0.3
