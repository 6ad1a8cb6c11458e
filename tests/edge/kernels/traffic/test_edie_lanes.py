"""Lanes together: sums of flows and densities, empty lanes, lanes that do not answer."""

import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.edie_lanes import EDIE_LANES
from tests.edge.kernels.built import START_NS, built, once, run, shaken

UNITS = ["{vehicles}/h", "km/h"]


def test_two_lanes():
    # 1,200 / 60 + 600 / 30 = 40 veh/km; 1,800 / 40 = 45 km/h.
    values, quality = once(built(EDIE_LANES, UNITS * 2), 1200, 60, 600, 30)
    assert values == pytest.approx([1800, 40, 45])
    assert quality == Quality.GOOD


def test_an_empty_lane_adds_nothing():
    assert once(built(EDIE_LANES, UNITS * 2), 1200, 60, 0, 0)[0] == pytest.approx([1200, 20, 60])


@pytest.mark.parametrize("values", [(1200, 60, 600, 0), (-5, 60, 600, 30)])
def test_what_cannot_be(values):
    made = built(EDIE_LANES, UNITS * 2).step(Batch.of(range(4), START_NS, values))
    assert Quality.BAD_OUT_OF_RANGE in made.quality


def test_an_empty_road_has_no_speed():
    values, _ = once(built(EDIE_LANES, UNITS), 0, 0)
    assert values == pytest.approx([0, 0, np.nan], nan_ok=True)


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(EDIE_LANES, UNITS * 2),
        shaken(9, [2000.0, 100.0] * 2, [0, 1, 20, 90], low=0.3),
    )
    assert {Quality.GOOD, Quality.BAD_STALE} <= set(made.quality.tolist())


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ([], "flow and speed of 1 to 12 lanes in turn, not 0"),
        (UNITS * 2 + UNITS[:1], "not 5 inputs"),
        (UNITS * 13, "not 26 inputs"),
        (UNITS[::-1], "input 1 is the flow of a lane"),
    ],
)
def test_wrong_inputs_are_named(units, words):
    with pytest.raises(ConfigError, match=words):
        built(EDIE_LANES, units)


def test_a_gateway_runs_it(tmp_path):
    table = '[[kernel]]\nname = "k"\nkernel = "edie-lanes"\ninputs = ["d/a", "d/b"]\n'
    made = run(tmp_path, UNITS, table, Batch.of([0, 1], START_NS, [1200.0, 60.0]))
    assert made["g/d/a.density"] == ([20.0], [Quality.GOOD])
