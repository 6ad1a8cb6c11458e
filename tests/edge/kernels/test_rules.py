"""Every kernel keeps the contract, and does what its page says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin import Batch, Point, Quality, Span
from citytwin.batch import SECOND_NS
from citytwin.testing import check_kernel
from citytwin_edge.kernels import PointRules, build
from citytwin_edge.kernels.counter import CounterFlow
from citytwin_edge.kernels.deadband import Deadband
from citytwin_edge.kernels.rules import Rules
from citytwin_edge.kernels.settings import CounterSettings
from citytwin_edge.kernels.swinging_door import SwingingDoor

NOW = 1_767_225_600 * SECOND_NS
POINTS = [
    Point(id=f"g/d/p{n}", unit="m3", valid=Span(0, 100), normal=Span(10, 60)) for n in range(3)
]


def series(values, point=0, quality: Any = 0, step_ns=SECOND_NS):
    count = len(values)
    return Batch.of([point] * count, NOW + np.arange(count) * step_ns, values, quality)


def noisy(seed, count=300):
    rng = np.random.default_rng(seed)
    value = np.round(50 + np.cumsum(rng.normal(0, 3, count)), 1)
    quality = np.where(rng.random(count) < 0.05, 0x81, 0).astype(np.uint8)
    value[quality != 0] = np.nan
    times = NOW + np.cumsum(rng.integers(1, 3, count)) * SECOND_NS
    return Batch(rng.integers(0, 3, count).astype(np.int32), times, value, quality)


RULES = [PointRules(rate_per_s_max=4.0, flatline_s_max=30.0, alarm_delay_s=2.0)] * 3
COUNTER = CounterSettings(flow_unit="m3/h", factor=3600.0, flow_max=5000.0, modulus=100.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "kernel",
    [
        lambda: Rules(POINTS, RULES),
        lambda: CounterFlow(POINTS, [COUNTER] * 3),
        lambda: Deadband(POINTS, [PointRules(deadband=2.0, silence_s_max=20)] * 3),
        lambda: SwingingDoor(POINTS, [PointRules(swinging_door=2.0, silence_s_max=40)] * 3),
    ],
)
def test_contract(kernel, seed):
    assert len(check_kernel(kernel, noisy(seed), seed=seed))


def qualities(values, rule, **options):
    out = Rules(POINTS[:1], [rule]).step(series(values, **options))
    return [Quality(code) for code in out.quality[out.point == 0]]


def test_rules_mark_range_rate_flatline_and_nan():
    rule = PointRules(rate_per_s_max=5.0, flatline_s_max=2.5)
    good, nan = Quality.GOOD, Quality.BAD_NOT_A_NUMBER
    assert qualities([20, 22, 101, 23], rule) == [
        good, good, Quality.UNCERTAIN_RANGE, Quality.UNCERTAIN_RATE,
    ]  # fmt: skip
    assert qualities([20, 40], rule) == [good, Quality.UNCERTAIN_RATE]
    assert qualities([20] * 5, rule) == [good, good, good, *[Quality.UNCERTAIN_FLATLINE] * 2]
    assert qualities([20, np.nan, 21], rule) == [good, nan, good]
    assert qualities([20, np.inf], rule)[1] == nan


def alarms(values, **rule):
    out = Rules(POINTS[:1], [PointRules(**rule)]).step(series(values))
    mine = out.point == 1
    return list(
        zip(
            ((out.time_ns[mine] - NOW) // SECOND_NS).tolist(), out.value[mine].tolist(), strict=True
        )
    )


def test_an_alarm_waits_and_returns_with_hysteresis():
    assert alarms([50, 61, 61, 61, 50], alarm_delay_s=2) == [(3, 1.0), (4, 0.0)]
    assert alarms([50, 61, 50, 61, 50], alarm_delay_s=2) == []
    assert alarms([61, 59.5, 58.9]) == [(0, 1.0), (2, 0.0)]
    assert alarms([5, np.nan, 20]) == [(0, 1.0), (2, 0.0)]


@pytest.mark.parametrize(
    ("counts", "modulus", "flows"),
    [
        ([4294967290, 5], 2.0**32, [11.0]),  # RFC 2578, Counter32
        ([10, 20, 20, 35], 0, [10.0, 0.0, 15.0]),
        ([500, 3, 5], 0, [2.0]),  # reset: no flow for the step, the next is in doubt
        ([10, 10_000, 10_002], 0, [2.0]),  # exchange for a meter that reads higher
        ([90, 95, 2], 100, [5.0, 7.0]),
    ],
)
def test_counter_to_flow(counts, modulus, flows):
    setting = CounterSettings(flow_unit="m3/h", factor=1.0, flow_max=100.0, modulus=modulus)
    out = CounterFlow(POINTS[:1], [setting]).step(series(counts))
    assert out.value.tolist() == pytest.approx(flows)


def test_flow_after_a_reset_is_in_doubt_and_gaps_are_means():
    setting = CounterSettings(flow_unit="m3/h", factor=1.0, flow_max=100.0)
    kernel = CounterFlow(POINTS[:1], [setting])
    out = kernel.step(series([500, 3, 5, 7]))
    assert out.quality.tolist() == [Quality.UNCERTAIN_RATE, 0]
    kernel = CounterFlow(POINTS[:1], [setting])
    out = kernel.step(series([10, np.nan, 30], quality=[0, 0x81, 0]))
    assert out.value.tolist() == [10.0]
    assert not len(kernel.step(series([30])))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=80), st.floats(0.01, 50))
def test_deadband_bounds_its_error(values, band):
    rule = PointRules(deadband=band, silence_s_max=1e6)
    out = Deadband(POINTS[:1], [rule]).step(series(values))
    last = values[0]
    kept = dict(zip(out.time_ns.tolist(), out.value.tolist(), strict=True))
    for index, value in enumerate(values):
        last = kept.get(NOW + index * SECOND_NS, last)
        assert abs(value - last) <= band


def test_deadband_passes_quality_and_silence():
    rule = PointRules(deadband=10.0, silence_s_max=3)
    out = Deadband(POINTS[:1], [rule]).step(
        series([1, 1, np.nan, np.nan, 1, 1, 1, 1], quality=[0, 0, 0x81, 0x81, 0, 0, 0, 0])
    )
    assert ((out.time_ns - NOW) // SECOND_NS).tolist() == [0, 2, 4, 7]


@given(
    st.lists(st.floats(-1e3, 1e3).map(lambda v: round(v, 3)), min_size=2, max_size=80),
    st.floats(0.01, 50),
)
@settings(max_examples=200)
def test_swinging_door_bounds_its_error(values, bound):
    rule = PointRules(swinging_door=bound, silence_s_max=1e6)
    kernel = SwingingDoor(POINTS[:1], [rule])
    # The last sample is held back until something ends the line: a bad one does.
    out = kernel.step(series([*values, np.nan], quality=[0] * len(values) + [0x81]))
    assert (np.diff(out.time_ns) > 0).all()
    kept = out.select(np.isfinite(out.value))
    line = np.interp(np.arange(len(values)), (kept.time_ns - NOW) / SECOND_NS, kept.value)
    assert np.abs(line - values).max() <= bound * (1 + 1e-9) + 1e-9


def test_swinging_door_keeps_two_samples_of_a_straight_line():
    rule = PointRules(swinging_door=0.5, silence_s_max=1e6)
    ramp = np.arange(100.0)
    out = SwingingDoor(POINTS[:1], [rule]).step(series([*ramp, *ramp[::-1], np.nan],
                                                       quality=[0] * 200 + [0x81]))  # fmt: skip
    assert len(out) <= 6


def test_build_chooses_and_orders():
    counter = PointRules(counter=COUNTER, deadband=1.0)
    kernels = build([(POINTS[0], counter), (POINTS[1], PointRules(swinging_door=1.0))])
    assert list(kernels) == ["rules", "counter", "deadband", "swinging-door"]
    assert build([]) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"deadband": 0},
        {"swinging_door": -1.0},
        {"deadband": 1.0, "swinging_door": 1.0},
        {"alarm_delay_s": -1},
    ],
)
def test_settings_refuse_nonsense(fields):
    with pytest.raises(ValueError, match=r"above|exclude"):
        PointRules(**fields)
    with pytest.raises(ValueError, match="not a UCUM"):
        CounterSettings(flow_unit="gal", factor=1.0, flow_max=1.0)
