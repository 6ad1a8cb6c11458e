"""Edie's definitions at a detector: flow = density · speed, and vehicles that stand."""

import numpy as np
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.edie import EDIE
from tests.edge.kernels.built import built, of, run, shaken
from tests.edge.kernels.traffic.vehicles import vehicles


def test_half_the_vehicles_at_half_the_speed():
    # 30 vehicles at 60 and 30 at 30 km/h in a minute: 60·60 an hour, 30/min · (1/60 + 1/30) h/km.
    made = built(EDIE, ["km/h"]).step(vehicles(range(60), [60, 30] * 30, until_s=60))
    flow, density, speed = (of(made, number)[0][0] for number in (1, 2, 3))
    assert flow == pytest.approx(3600)
    assert density == pytest.approx(1800 / 60 + 1800 / 30)
    # The space-mean speed is the harmonic mean, not the mean of 45.
    assert speed == pytest.approx(40)
    assert flow == pytest.approx(density * speed)


def test_a_vehicle_that_stands_makes_the_density_doubtful():
    made = built(EDIE, ["km/h"]).step(vehicles([1, 2], [60, 0], until_s=60))
    assert of(made, 1) == ([pytest.approx(120)], [Quality.GOOD])
    assert of(made, 2) == ([pytest.approx(2)], [Quality.UNCERTAIN_RANGE])
    assert of(made, 3) == ([pytest.approx(60)], [Quality.UNCERTAIN_RANGE])


def test_where_all_stand_there_is_no_density():
    made = built(EDIE, ["km/h"]).step(vehicles([1], [0], until_s=60))
    assert of(made, 2)[1] == [Quality.BAD_OUT_OF_RANGE]


def test_an_empty_road_has_a_density_of_0_and_no_speed():
    made = built(EDIE, ["km/h"]).step(vehicles([1], [50], until_s=120))
    assert of(made, 2)[0][1] == 0
    assert np.isnan(of(made, 3)[0][1])


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(EDIE, ["m/s"], interval_s=30), shaken(8, [30.0], [0, *[2] * 20, 10, 900])
    )
    assert {Quality.GOOD, Quality.UNCERTAIN_STALE, Quality.BAD_STALE} <= set(made.quality.tolist())


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the speed of each vehicle"):
        built(EDIE, ["s"])


def test_a_gateway_runs_it_and_the_level_of_service_behind_it(tmp_path):
    table = (
        '[[kernel]]\nname = "e"\nkernel = "edie"\ninputs = ["d/a"]\n'
        '[[kernel]]\nname = "s"\nkernel = "level-of-service"\ninputs = ["d/a.density"]\nlanes = 2\n'
    )
    made = run(tmp_path, ["km/h"], table, vehicles(range(60), [60, 30] * 30, until_s=60))
    assert made["g/d/a.density"][0] == [pytest.approx(90)]
    # 90 veh/km are 72.4 a mile and lane: F.
    assert made["g/d/a.density.service"] == ([6.0], [Quality.GOOD])
