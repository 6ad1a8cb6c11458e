"""Bursts and leaks in a district's inflow: what is told, when, how much, and what is not."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Kind, Point, Quality
from citytwin.batch import SECOND_NS
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.config import load
from citytwin_edge.kernels import build as build_all
from citytwin_edge.kernels.water.burst import BURST, DAY, Burst, Settings
from tests.bench.bench_leaks import earliness, score

START_NS = 1_767_225_600 * SECOND_NS
STEP_NS = 1800 * SECOND_NS
INFLOW = Point(id="g/district/inflow", unit="m3/h")
ALARM, FLOW, SINCE = 1, 2, 3


def demand(days, seed=1, noise=0.012):
    """A week of two kinds of days, a season of 20 %, noise; m³/h, every half-hour."""
    hours = np.arange(days * DAY) / 2
    hour, weekend = hours % 24, (hours // 24) % 7 >= 5
    day = 60 + 70 * np.exp(-(((hour - 8) / 2) ** 2)) + 60 * np.exp(-(((hour - 20) / 3) ** 2))
    rest = 60 + 80 * np.exp(-(((hour - 11) / 3) ** 2)) + 60 * np.exp(-(((hour - 20) / 3) ** 2))
    shape = np.where(weekend, rest, day) - 35 * np.exp(-(((hour - 3) / 3) ** 2))
    season = 1 + 0.2 * np.sin(2 * np.pi * hours / 24 / 365)
    random = np.random.default_rng(seed)
    return shape * season * (1 + noise * random.standard_normal(len(hours)))


def batch(inflow, quality=None):
    times = START_NS + np.arange(len(inflow)) * STEP_NS
    return Batch.of(np.zeros(len(inflow)), times, inflow, quality)


def build(**fields):
    return BURST.build(Settings(**fields), [INFLOW])


def changes(made):
    """(day, 1 raised or 0 returned) of the alarm."""
    made = made.select(made.point == ALARM)
    days = (made.time_ns - START_NS) / (DAY * STEP_NS)
    return list(zip(days.tolist(), made.value.tolist(), strict=True))


def leaking(days, first, last, flow, **how):
    inflow = demand(days, **how)
    inflow[first * DAY : last * DAY] += flow
    return inflow


def test_it_keeps_every_promise():
    random = np.random.default_rng(3)
    count = 3 * 40 * DAY
    inflow = np.repeat(leaking(40, 25, 30, 8.0), 3)
    quality = np.where(
        random.random(count) < 0.05,
        random.choice([Quality.BAD_SILENT, Quality.UNCERTAIN_RANGE], count),
        Quality.GOOD,
    )
    inflow = np.where(quality == Quality.BAD_SILENT, np.nan, inflow)
    inflow[quality == Quality.UNCERTAIN_RANGE] = 1e9
    time_ns = START_NS + np.arange(count) * STEP_NS // 3
    late = random.random(count) < 0.02
    time_ns[late] -= random.choice([0, 60, 3600, 86_400], int(late.sum())) * SECOND_NS
    rough = Batch.of(np.zeros(count), time_ns, inflow, quality)
    silent = (np.arange(count) > 2400) & (np.arange(count) < 2700)
    rough = rough.select(~silent)
    made = check_kernel(build, rough, cuts=6)
    assert [value for _, value in changes(made)] == [1, 0]
    assert set(made.point.tolist()) == {ALARM, FLOW, SINCE}


def test_the_points_it_adds():
    alarm, flow, since = build().outputs
    assert (alarm.id, alarm.kind) == ("g/district/inflow.leak", Kind.ALARM)
    assert (flow.id, flow.unit) == ("g/district/inflow.leak-flow", "m3/h")
    assert (since.id, since.unit) == ("g/district/inflow.leak-since", "s")


def test_a_burst_is_told_at_once_and_its_end_in_hours():
    made = build().step(batch(leaking(60, 30, 40, 40.0)))
    (raised, _), (returned, _) = changes(made)
    assert 30 < raised <= 30 + 2 / DAY
    assert 40 < returned <= 40 + 12 / DAY
    flow = made.select(made.point == FLOW)
    day_35 = START_NS + 35 * DAY * STEP_NS
    assert flow.value[flow.time_ns == day_35][0] == pytest.approx(40, rel=0.05)
    since = made.select(made.point == SINCE)
    assert since.value[since.time_ns == day_35][0] == pytest.approx(5 * 86_400, abs=86_400)
    assert since.value[-1] == 0
    told = made.point[made.time_ns == made.time_ns[made.point == ALARM][0]]
    assert told.tolist() == [FLOW, SINCE, ALARM]


def test_a_small_leak_is_told_within_days():
    (raised, _), (returned, _) = changes(build().step(batch(leaking(80, 40, 65, 2.5))))
    assert 40 < raised < 46
    assert 65 < returned < 68


def test_a_growing_leak_is_told_and_its_flow_followed():
    inflow = demand(90)
    grown = np.clip((np.arange(len(inflow)) / DAY - 30) / 30, 0, 1) * 15
    made = build().step(batch(inflow + grown))
    ((raised, _),) = changes(made)
    assert 30 < raised < 45
    assert made.value[made.point == FLOW][-DAY:].mean() == pytest.approx(15, rel=0.1)


def test_a_year_of_seasons_is_no_alarm():
    made = build().step(batch(demand(365)))
    assert changes(made) == []
    assert np.abs(made.value[made.point == FLOW]).max() < 1.0


def test_a_holiday_is_no_alarm():
    inflow = demand(60)
    for day in (21, 37, 44):  # Thursdays that are like the Saturdays before them
        inflow[day * DAY : (day + 1) * DAY] = inflow[(day - 5) * DAY : (day - 4) * DAY]
    assert changes(build().step(batch(inflow))) == []


def test_a_leak_below_the_setting_is_not_told():
    inflow = batch(leaking(60, 30, 50, 4.0))
    assert changes(build().step(inflow))
    assert changes(build(excess_min_percent=10).step(inflow)) == []


def test_no_alarm_while_it_learns():
    made = build(learn_d=35).step(batch(leaking(60, 20, 30, 30.0)))
    assert all(day > 35 for day, _ in changes(made))
    assert made.time_ns.min() > START_NS + 35 * DAY * STEP_NS


def test_a_gap_and_a_stuck_zero_leave_the_pattern_as_it_was():
    inflow = demand(60)
    whole = batch(inflow)
    hours = np.arange(len(inflow)) // 2
    gap = (hours >= 24 * 30) & (hours < 24 * 34)
    assert changes(build().step(whole.select(~gap))) == []
    quality = np.where(gap, np.uint8(Quality.UNCERTAIN_FLATLINE), np.uint8(0))
    assert changes(build().step(batch(np.where(gap, 0.0, inflow), quality))) == []


def test_a_first_week_with_holes_is_completed_later():
    inflow = demand(60)
    keep = np.ones(len(inflow), bool)
    keep[100:120] = False
    made = build().step(batch(inflow).select(keep))
    assert changes(made) == []
    assert len(made)


def test_a_clock_that_is_set_back_costs_hours():
    inflow = batch(demand(60))
    ahead = inflow.select(slice(0, 30 * DAY))
    rest = inflow.select(slice(30 * DAY, None))
    shifted = Batch(rest.point, rest.time_ns - 7 * DAY * STEP_NS, rest.value, rest.quality)
    made = build().step(Batch.concat([ahead, shifted]))
    assert changes(made) == []
    assert made.time_ns[-1] == shifted.time_ns[-1]


def test_without_any_inflow_it_waits():
    assert len(build().step(batch(np.zeros(30 * DAY)))) == 0


def test_when_it_ends_a_raised_alarm_ends():
    kernel = Burst(Settings(), [INFLOW])
    kernel.step(batch(leaking(40, 30, 40, 40.0)))
    end = kernel.held(np.array([0], np.int32))
    assert (end.point.tolist(), end.value.tolist()) == ([ALARM], [0.0])
    assert not len(Burst(Settings(), [INFLOW]).held(np.array([0], np.int32)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"excess_min_percent": 0.0}, r"Expected `float` >= 0.1 .*excess_min_percent"),
        ({"learn_d": 7}, r"Expected `int` >= 8 .*learn_d"),
        ({"forget_d": 1e6}, r"Expected `float` <= 36600.0 .*forget_d"),
        ({"unknown": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(fields, Settings)


@pytest.mark.parametrize("inputs", [[], [INFLOW, INFLOW], [Point(id="g/d/t", unit="Cel")]])
def test_other_inputs_are_refused(inputs):
    with pytest.raises(ConfigError, match="inflow"):
        BURST.build(Settings(), inputs)


def test_it_stands_in_a_gateways_file(tmp_path):
    path = tmp_path / "edge.toml"
    path.write_text(
        """
[gateway]
name = "g"
[[device]]
name = "district"
adapter = "modbus"
host = "10.0.0.1"
[[device.point]]
name = "inflow"
unit = "m3/h"
table = "holding"
address = 0
[[kernel]]
name = "leaks"
kernel = "burst"
inputs = ["district/inflow"]
"""
    )
    config = load(path)
    kernels = build_all([(one.point, one.rules) for one in config.points], config.kernels)
    made = kernels["kernel:leaks"].step(batch(leaking(35, 30, 35, 40.0)))
    assert [value for _, value in changes(made)] == [1]


def test_the_benchmark_scores_as_leakdb_does():
    leak = np.zeros(100, bool)
    leak[20:61] = True  # with ten more the window has 51 steps, 50 after the first
    alarm = np.zeros(100, bool)
    alarm[30:80] = True
    found = score(np.array([leak]), np.array([alarm]))
    assert found.f1 == pytest.approx(200 * 31 / (2 * 31 + 19 + 10))
    assert found.true_positive == pytest.approx(100 * 31 / 41)
    assert found.true_negative == pytest.approx(100 * 40 / 59)
    assert found.early == pytest.approx(100 * 2 / (1 + np.exp(5 * 10 / 50)))
    assert found.false_alarms == 0
    alarm[40:] = False
    assert earliness((20, 60), alarm) == 0  # raised for less than three quarters of what follows
    alarm[5:8] = True
    assert score(np.array([leak]), np.array([alarm])).false_alarms == 1
