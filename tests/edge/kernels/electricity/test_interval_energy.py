"""Interval energy of a counter: ends on the local clock, gaps, roll-over, reset, restart."""

import msgspec
import numpy as np
import pytest

from citytwin.batch import SECOND_NS, Batch
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.electricity.interval_energy import (
    INTERVAL_ENERGY,
    IntervalEnergySettings,
)
from tests.edge.kernels.built import START_NS, at
from tests.edge.kernels.electricity.rough import of_three, rough

POINTS = [Point(id="g/m/e", unit="kW.h")]
ENERGY, DEMAND = 1, 2


def build(**settings):
    return INTERVAL_ENERGY.build(IntervalEnergySettings(**settings), POINTS)


def readings(*rows):
    """Return readings (minute, kWh, quality)."""
    minutes, values, *quality = zip(*rows, strict=True)
    times = at(*(minute * 60 for minute in minutes))
    return Batch.of(np.zeros(len(rows)), times, values, *quality)


def ends(batch, number=ENERGY):
    """Return (minute, value, quality) of an output."""
    mine = batch.select(batch.point == number)
    minutes = (mine.time_ns - START_NS) / (60 * SECOND_NS)
    return list(
        zip(minutes.tolist(), mine.value.round(9).tolist(), mine.quality.tolist(), strict=True)
    )


def test_a_quarter_of_an_hour_ends_on_the_clock():
    made = build().step(readings((0, 100), (4, 101), (8, 102), (12, 104), (16, 108), (20, 109)))
    assert ends(made) == [(15, 7, Quality.GOOD)]  # 104 and three quarters of the way to 108
    assert ends(made, DEMAND) == [(15, 28, Quality.GOOD)]


def test_an_interval_that_was_not_seen_whole_gives_nothing():
    made = build().step(readings(*((minute, 2 * minute) for minute in range(1, 47, 4))))
    assert ends(made) == [(30, 30, Quality.GOOD), (45, 30, Quality.GOOD)]


@pytest.mark.parametrize(
    ("minutes", "offset", "first"), [(60, 5, 120), (60, 5.5, 90), (60, 5.75, 75), (30, 5.5, 60)]
)
def test_it_is_the_hour_of_the_local_clock(minutes, offset, first):
    rows = [(minute, minute) for minute in range(5, 130, 5)]
    made = build(minutes=minutes, utc_offset_h=offset).step(readings(*rows))
    assert ends(made)[0] == (first, minutes, Quality.GOOD)


def test_a_gap_makes_what_it_touches_doubtful_and_keeps_the_sum():
    stale = Quality.UNCERTAIN_STALE
    made = build().step(readings((0, 0), (5, 5), (10, 10), (40, 70), (45, 75)))
    assert ends(made) == [(15, 20, stale), (30, 30, stale), (45, 25, stale)]


def test_over_more_than_a_day_nothing_is_shared_out():
    far = 24 * 60 + 8
    made = build().step(readings((5, 5), (far, 9000), (far + 5, 9005), (far + 10, 9010)))
    assert not len(made)
    rows = [(5, 5), (far - 5, 9000), (far, 9001), (far + 5, 9002)]
    assert {quality for _, _, quality in ends(build().step(readings(*rows)))[:-1]} == {0x42}


def test_bad_readings_are_passed_over_and_doubt_stays_in_its_interval():
    bad, clock = Quality.BAD_SILENT, Quality.UNCERTAIN_CLOCK
    rows = [(0, 0, 0), (5, np.nan, bad), (5, 5, clock), (10, 10, 0), (15, 15, 0), (20, 20, 0),
            (25, 25, 0), (30, 30, 0)]  # fmt: skip
    assert ends(build().step(readings(*rows))) == [(15, 15, clock), (30, 15, 0)]


def test_a_roll_over_is_counted_and_a_reset_is_not():
    rolls = [(0, 999_990), (5, 999_995), (10, 2), (15, 7)]
    made = build(modulus=1e6, power_kw_max=100).step(readings(*rolls))
    assert ends(made) == [(15, 17, Quality.GOOD)]
    for settings in ({}, {"modulus": 1e6, "power_kw_max": 80}):
        assert not len(build(**settings).step(readings(*rolls)))
    after = [*rolls, (20, 12), (25, 17), (30, 22)]
    assert ends(build().step(readings(*after))) == [(30, 15, Quality.GOOD)]


def test_a_step_that_cannot_be_begins_anew():
    rows = [(0, 0), (5, 5), (10, 500), (15, 505), (20, 510), (25, 515), (30, 520)]
    assert ends(build(power_kw_max=100).step(readings(*rows))) == [(30, 15, Quality.GOOD)]


def test_late_readings_say_nothing_and_an_interval_is_given_once():
    rows = [(minute, minute) for minute in range(0, 31, 5)]
    rows += [(28, 99), (30, 99), (0, 0), (5, 5), (10, 10), (15, 15), (20, 20), (25, 25), (30, 30),
             (35, 35), (40, 40), (45, 45)]  # fmt: skip
    made = build().step(readings(*rows))
    assert [minute for minute, _, _ in ends(made)] == [15, 30, 45]


def test_it_goes_on_after_a_restart():
    first, second = build(), build()
    assert not len(first.step(readings((0, 0), (5, 5), (10, 10))))
    second.restore(first.snapshot())
    assert ends(second.step(readings((15, 15)))) == [(15, 15, Quality.GOOD)]


def test_it_keeps_every_promise():
    samples = rough(1, 0, 3, count=900, steps=(0, 60, 60, 60, 400, 3000, -100))
    counted = np.nancumsum(samples.value)
    value = np.where(np.isnan(samples.value), np.nan, counted % 500)
    batch = Batch(samples.point, samples.time_ns, value, samples.quality)
    made = check_kernel(lambda: build(modulus=500, power_kw_max=1000), batch)
    energy = made.select(made.point == ENERGY)
    assert len(energy) > 100
    assert set(energy.quality.tolist()) <= {0, Quality.UNCERTAIN_CLOCK, Quality.UNCERTAIN_STALE}
    assert (np.diff(energy.time_ns) > 0).all()


@pytest.mark.parametrize(
    "fields", [{"modulus": 1e6}, {"modulus": -1}, {"power_kw_max": -1}, {"utc_offset_h": 5.1}]
)
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, IntervalEnergySettings)


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match=r"the counter of energy, in kW\.h"):
        INTERVAL_ENERGY.build(IntervalEnergySettings(), [Point(id="g/m/p", unit="kW")])


def test_a_gateway_runs_it(tmp_path):
    text = 'kernel = "interval-energy"\ninputs = ["m/a"]\nminutes = 30\nutc_offset_h = 5\n'
    samples = readings(*((minute, minute * 1000) for minute in range(0, 31, 5)))
    found = of_three(tmp_path, text, "W.h", samples)
    assert found["g/m/a.interval-energy"] == ([pytest.approx(30)], [Quality.GOOD])
    assert found["g/m/a.demand"] == ([pytest.approx(60)], [Quality.GOOD])
