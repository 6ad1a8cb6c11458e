"""Interval energy of a power: the area below it, cut at the ends of intervals."""

import numpy as np
import pytest

from citytwin.batch import Batch
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.electricity.interval_energy_power import INTERVAL_ENERGY_POWER
from citytwin_edge.kernels.electricity.intervals import IntervalSettings
from tests.edge.kernels.built import at
from tests.edge.kernels.electricity.rough import of_three, rough

POINTS = [Point(id="g/m/p", unit="kW")]


def build(**settings):
    return INTERVAL_ENERGY_POWER.build(IntervalSettings(**settings), POINTS)


def powers(*rows):
    minutes, values = zip(*rows, strict=True)
    return Batch.of(np.zeros(len(rows)), at(*(minute * 60 for minute in minutes)), values)


def test_a_ramp_is_cut_where_the_interval_ends():
    made = build(gap_s_max=600).step(powers((0, 0), (10, 60), (20, 120), (30, 180)))
    energy = made.select(made.point == 1)
    # The power at a quarter past is 90 kW: 45 kW in the mean of the first, 135 of the second.
    assert energy.value.tolist() == pytest.approx([11.25, 33.75])
    assert energy.time_ns.tolist() == at(900, 1800)
    assert made.select(made.point == 2).value.tolist() == pytest.approx([45, 135])


def test_export_counts_against_import():
    made = build(minutes=30, gap_s_max=900).step(powers((0, 10), (15, -10), (30, -10)))
    assert made.value.tolist() == pytest.approx([-2.5, -5])


def test_a_gap_is_doubtful():
    made = build().step(powers((0, 10), (5, 10), (15, 10)))
    assert made.quality.tolist() == [Quality.UNCERTAIN_STALE] * 2


def test_it_keeps_every_promise():
    samples = rough(1, -5, 50, count=900, steps=(0, *[60] * 30, 400, 3000, 90_000, -100))
    made = check_kernel(build, samples)
    assert {Quality.UNCERTAIN_CLOCK, Quality.UNCERTAIN_STALE} <= set(made.quality.tolist())


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match="the power, in kW"):
        INTERVAL_ENERGY_POWER.build(IntervalSettings(), [Point(id="g/m/e", unit="kW.h")])


def test_a_gateway_runs_it(tmp_path):
    text = 'kernel = "interval-energy-power"\ninputs = ["m/b"]\n'
    batch = powers(*((minute, 2000) for minute in range(0, 16, 5)))
    samples = Batch(batch.point + 1, batch.time_ns, batch.value, batch.quality)
    found = of_three(tmp_path, text, "W", samples)
    assert found["g/m/b.interval-energy"] == ([pytest.approx(0.5)], [Quality.GOOD])
