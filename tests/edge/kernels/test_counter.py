"""Counters to flow: roll-over, reset, exchange, gaps, late and repeated readings."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from citytwin import Batch, Point, Quality, Source
from citytwin.testing import check_kernel
from citytwin_edge.kernels.counter import CounterFlow
from citytwin_edge.kernels.settings import CounterSettings
from tests.edge.kernels.series import SECOND, START, of, points, rough

UNCERTAIN = Quality.UNCERTAIN_RATE


def counter(modulus: float = 0.0, flow_max: float = 100.0, factor: float = 1.0) -> CounterFlow:
    setting = CounterSettings(flow_unit="m3/h", factor=factor, flow_max=flow_max, modulus=modulus)
    return CounterFlow([Point(id="g/d/total", unit="m3")], [setting])


def flows(kernel: CounterFlow, *readings: tuple[float, float]) -> list[tuple[float, float, int]]:
    """Return (second, flow, quality) that follow from (second, count)."""
    times = START + (np.array([second for second, _ in readings]) * SECOND).astype(np.int64)
    made = kernel.step(Batch.of([0] * len(readings), times, [count for _, count in readings]))
    assert set(made.point.tolist()) <= {1}
    return [
        ((int(time_ns) - START) / SECOND, float(value), int(code))
        for time_ns, value, code in zip(made.time_ns, made.value, made.quality, strict=True)
    ]


def test_the_point_it_adds() -> None:
    (flow,) = counter().outputs
    assert (flow.id, flow.unit, flow.source) == ("g/d/total.flow", "m3/h", Source.DERIVED)


def test_a_difference_over_its_time_is_a_flow() -> None:
    kernel = counter(factor=3600.0, flow_max=1e6)
    assert flows(kernel, (0, 10.0), (2, 10.5), (4, 10.5)) == [(2, 900.0, 0), (4, 0.0, 0)]


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_roll_over(bits: int) -> None:
    """RFC 2578: a Counter32 that goes from 4294967290 to 5 has counted 11."""
    modulus = 2.0**bits
    # Beyond 2**53 a float64 counts in steps; what it can hold is what is compared.
    before = 4_294_967_290.0 if bits == 32 else modulus - 6 * max(1.0, modulus / 2**53)
    expected = modulus - before + 5
    made = flows(counter(modulus, flow_max=20_000.0), (0, before), (1, 5.0))
    assert made == [(1, expected, 0)]
    if bits < 64:
        assert expected == 11.0


def test_a_reset_gives_no_flow_and_doubts_the_next() -> None:
    for modulus in (0.0, 2.0**32):
        made = flows(counter(modulus), (0, 5000.0), (1, 5010.0), (2, 3.0), (3, 13.0), (4, 23.0))
        assert made == [(1, 10.0, 0), (3, 10.0, UNCERTAIN), (4, 10.0, 0)]


def test_an_exchanged_meter_gives_no_flow_either() -> None:
    made = flows(counter(), (0, 5.0), (1, 15.0), (2, 90_000.0), (3, 90_010.0), (4, 90_020.0))
    assert made == [(1, 10.0, 0), (3, 10.0, UNCERTAIN), (4, 10.0, 0)]


def test_a_flow_that_cannot_be_is_none() -> None:
    assert flows(counter(flow_max=100.0), (0, 0.0), (1, 100.0), (2, 200.1)) == [(1, 100.0, 0)]


def test_after_a_gap_the_flow_is_the_mean_over_it() -> None:
    kernel = counter()
    void = Batch.of([0, 0], START + np.array([1, 2]) * SECOND, [np.nan, np.nan], 0x81)
    assert flows(kernel, (0, 0.0)) == []
    assert not len(kernel.step(void))
    assert flows(kernel, (600, 1200.0)) == [(600, 2.0, 0)]


def test_a_gap_in_which_it_could_have_gone_round_leaves_a_doubt() -> None:
    # At most 100 a second: 65,536 can have passed within 656 s.
    for gap_s, code in ((655, 0), (656, UNCERTAIN), (10_000, UNCERTAIN)):
        made = flows(counter(2.0**16), (0, 100.0), (gap_s, 65.0 + gap_s))
        assert made == [(gap_s, (gap_s - 35) / gap_s, code)]


def test_repeated_and_late_readings_say_nothing() -> None:
    again = [(10, 100.0), (5, 50.0), (10, 100.0), (9, 100.0)]
    assert flows(counter(), (0, 0.0), (10, 100.0), *again, (11, 110.0)) == [
        (10, 10.0, 0), (11, 10.0, 0),
    ]  # fmt: skip
    # One from before a roll-over is late too, though it is higher.
    assert flows(counter(2.0**16), (10, 65_530.0), (20, 5.0), (15, 65_535.0), (21, 6.0)) == [
        (20, 1.1, 0), (21, 1.0, 0),
    ]  # fmt: skip


def test_a_clock_set_back_costs_one_flow_not_an_hour_of_them() -> None:
    before = [(second, second * 10.0) for second in range(5)]
    after = [(second - 3600, second * 10.0) for second in range(5, 10)]
    made = flows(counter(), *before, *after)
    assert made == [
        *[(second, 10.0, 0) for second in range(1, 5)],
        (6 - 3600, 10.0, UNCERTAIN),
        *[(second - 3600, 10.0, 0) for second in range(7, 10)],
    ]


def test_uncertain_readings_give_uncertain_flows() -> None:
    times = START + np.arange(3) * SECOND
    made = counter().step(Batch.of([0] * 3, times, [0.0, 1.0, 2.0], [0, 0x43, 0]))
    assert made.quality.tolist() == [0x43, 0]


@pytest.mark.parametrize("bits", [0, 16, 32])
@pytest.mark.parametrize("seed", range(10))
def test_the_flows_add_up_to_what_has_passed(seed: int, bits: int) -> None:
    """Over roll-overs, gaps, late and repeated readings no litre is lost or invented."""
    random, modulus = Random(seed), 2.0**bits if bits else 0.0
    total, moment, readings = random.uniform(0, 2.0 ** (bits or 20)), 0, []
    begin = total
    for _ in range(2000):
        step_s = random.choice((1, 1, 1, 5, 60))
        moment += step_s
        total += round(random.uniform(0, 90) * step_s)
        readings.append((float(moment), total % modulus if modulus else total))
        if random.random() < 0.05:
            readings.append(random.choice(readings[-5:]))
    readings.insert(0, (0.0, begin % modulus if modulus else begin))
    made = flows(counter(modulus), *readings)
    assert {code for _, _, code in made} == {0}
    times = [0.0, *(second for second, _, _ in made)]
    passed = sum(flow * step for (_, flow, _), step in zip(made, np.diff(times), strict=True))
    assert passed == pytest.approx(total - begin, rel=1e-9)
    assert all(0 <= flow <= 100 for _, flow, _ in made)


@pytest.mark.parametrize("seed", range(5))
def test_split_invariance_and_snapshots(seed: int) -> None:
    """And whatever comes, no flow is negative, infinite or beyond what can be."""
    setting = CounterSettings(flow_unit="m3/h", factor=2.0, flow_max=50.0, modulus=1000.0)
    samples = rough(seed, 600)
    made = check_kernel(lambda: CounterFlow(points(3), [setting] * 3), samples, seed=seed)
    assert len(made)
    assert ((made.value >= 0) & (made.value <= 50.0)).all()
    assert len(of(made, 3))


def pulses(window_s: float = 0.0, modulus: float = 0.0, flow_max: float = 100.0) -> CounterFlow:
    """Return the flow of a meter with 10 L a pulse, in m³/h."""
    setting = CounterSettings(
        flow_unit="m3/h", factor=3600.0, flow_max=flow_max, modulus=modulus, pulse=0.01,
        window_s=window_s,
    )  # fmt: skip
    return CounterFlow([Point(id="g/d/total", unit="m3")], [setting])


def test_a_slow_pulse_meter_gives_a_steady_flow() -> None:
    """A pulse of 10 L every 100 s, read every 10 s, are 0.36 m³/h all the time."""
    readings = [(second, 5 + second // 100 * 0.01) for second in range(0, 1001, 10)]
    made = flows(pulses(), *readings)
    assert len(made) == 100
    assert all(flow == pytest.approx(0.36) for second, flow, _ in made if second >= 100)
    # Of the readings as they are it would be a spike of 3.6 and zeros.
    plain = flows(counter(factor=3600.0), *readings)
    assert {round(flow, 6) for *_, flow, _ in plain} == {0.0, 3.6}


def test_without_a_pulse_the_flow_sinks() -> None:
    made = flows(pulses(), (0, 1.0), (10, 1.01), (20, 1.02), (30, 1.02), (40, 1.02), (120, 1.02),
                 (3620, 1.02))  # fmt: skip
    assert [flow for _, flow, _ in made] == pytest.approx([3.6, 3.6, 3.6, 1.8, 0.36, 0.01])
    assert [quality for *_, quality in made] == [0] * 6


def test_before_the_first_pulse_there_is_an_upper_bound() -> None:
    made = flows(pulses(), (0, 1.0), (10, 1.0), (100, 1.0), (200, 1.01), (210, 1.01))
    assert [flow for _, flow, _ in made] == pytest.approx([3.6, 0.36, 0.18, 0.18])
    assert [quality for *_, quality in made] == [UNCERTAIN, UNCERTAIN, 0, 0]


def test_a_burst_is_taken_over_the_window() -> None:
    """Ten pulses at once every minute, as some radios send them: 6 m³/h, not 36 and 0."""
    readings = [(second, (second + 2) // 60 * 0.1) for second in range(0, 601, 5)]
    made = flows(pulses(window_s=60.0), *readings)
    # The first change comes 60 s after the first reading.
    steady = [flow for second, flow, _ in made if second >= 60]
    assert steady == pytest.approx([6.0] * len(steady))
    # It stops: what may be held back for a minute is waited for.
    made = flows(
        pulses(window_s=60.0), (0, 0.0), (60, 0.1), (120, 0.1), (126, 0.1), (180, 0.1)
    )  # fmt: skip
    assert [flow for _, flow, _ in made] == pytest.approx([6.0, 6.0, 6.0, 0.6])


def test_a_burst_is_no_exchange() -> None:
    made = flows(pulses(window_s=60.0, flow_max=7.0), (0, 0.0), (60, 0.1), (61, 0.2), (121, 0.2))
    assert [flow for _, flow, _ in made] == pytest.approx([6.0, 6.0, 0.1 / 61 * 3600])
    assert [quality for *_, quality in made] == [0, 0, 0]


def test_a_reset_of_a_pulse_counter_begins_anew() -> None:
    made = flows(pulses(), (0, 5.0), (10, 5.01), (20, 0.0), (30, 0.01), (40, 0.02))
    assert [(second, quality) for second, _, quality in made] == [
        (10, 0), (30, UNCERTAIN), (40, 0)
    ]  # fmt: skip


def test_a_pulse_counter_that_stands_and_is_read_has_not_gone_round() -> None:
    # 1 m³ at 100 m³/h are 36 s; it is read every 10 s, and a silence of 40 s is doubtful.
    made = flows(
        pulses(modulus=1.0), (0, 0.98), (10, 0.99), *((at, 0.99) for at in range(20, 120, 10)),
        (120, 0.0), (160, 0.01),
    )  # fmt: skip
    assert [quality for *_, quality in made] == [0] * 12 + [UNCERTAIN]
    assert made[-2][1] == pytest.approx(0.01 / 110 * 3600)


@pytest.mark.parametrize("window_s", [0.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_pulse_counter_keeps_every_promise(seed: int, window_s: float) -> None:
    samples = rough(seed, 2000)
    counts = np.where(np.isnan(samples.value), np.nan, np.abs(samples.value) // 10 * 10)
    setting = CounterSettings(
        flow_unit="m3/h", factor=2.0, flow_max=50.0, modulus=1000.0, pulse=10.0, window_s=window_s
    )
    made = check_kernel(
        lambda: CounterFlow(points(3), [setting] * 3),
        Batch(samples.point, samples.time_ns, counts, samples.quality),
    )
    assert len(made)
    assert (made.value >= 0).all()
    assert (made.value <= 50).all()


@pytest.mark.parametrize(
    ("pulse", "window_s", "words"),
    [(-1.0, 0.0, "pulse must"), (float("nan"), 0.0, "pulse must"), (0.0, 5.0, "needs pulse"),
     (1.0, -1.0, "window_s must"), (1.0, 1e9, "window_s must")],
)  # fmt: skip
def test_pulses_that_make_no_sense_are_refused(pulse: float, window_s: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CounterSettings(
            flow_unit="m3/h", factor=1, flow_max=1, pulse=pulse, window_s=window_s
        )  # fmt: skip
