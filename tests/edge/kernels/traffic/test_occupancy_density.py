"""Occupancy to density and speed: the g-factor, lanes, and what cannot be."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.occupancy_density import OCCUPANCY_DENSITY
from tests.edge.kernels.built import START_NS, built, once, run, settings, shaken

UNITS = ["%", "{vehicles}/h"]


def test_a_lane():
    # 12 % over 6 m are 20 veh/km; 1,600 veh/h then go 80 km/h.
    values, quality = once(built(OCCUPANCY_DENSITY, UNITS, effective_length_m=6), 12, 1600)
    assert values == pytest.approx([20, 80])
    assert quality == Quality.GOOD


def test_lanes():
    kernel = built(OCCUPANCY_DENSITY, UNITS, effective_length_m=6, lanes=2)
    assert once(kernel, 12, 3200)[0] == pytest.approx([40, 80])


def test_without_a_flow_there_is_the_density_alone():
    kernel = built(OCCUPANCY_DENSITY, ["1"], effective_length_m=6)
    assert len(kernel.outputs) == 1
    assert once(kernel, 0.12)[0] == pytest.approx([20])


@pytest.mark.parametrize(
    ("occupancy", "flow", "density"), [(0, 0, 0), (-1, 100, np.nan), (101, 100, np.nan)]
)
def test_what_has_no_speed(occupancy, flow, density):
    kernel = built(OCCUPANCY_DENSITY, UNITS, effective_length_m=6)
    values, _ = once(kernel, occupancy, flow)
    assert values == pytest.approx([density, np.nan], nan_ok=True)


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(OCCUPANCY_DENSITY, UNITS, effective_length_m=7),
        shaken(10, [60.0, 2000.0], [0, 1, 20, 90]),
    )
    assert {Quality.GOOD, Quality.BAD_STALE, Quality.BAD_OUT_OF_RANGE} <= set(made.quality.tolist())


@pytest.mark.parametrize(
    "fields",
    [{}, {"effective_length_m": 1}, {"effective_length_m": 7, "lanes": 0},
     {"effective_length_m": 7, "age_s_max": -1}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(OCCUPANCY_DENSITY, **fields)


def test_wrong_inputs_are_named():
    with pytest.raises(ConfigError, match="it reads 2, not 3"):
        built(OCCUPANCY_DENSITY, [*UNITS, "%"], effective_length_m=7)
    with pytest.raises(ConfigError, match="input 1 is the occupancy"):
        built(OCCUPANCY_DENSITY, UNITS[::-1], effective_length_m=7)


def test_a_gateway_runs_it(tmp_path):
    table = (
        '[[kernel]]\nname = "k"\nkernel = "occupancy-density"\ninputs = ["d/a", "d/b"]\n'
        "effective_length_m = 6\nlanes = 1\n"
    )
    made = run(tmp_path, UNITS, table, Batch.of([0, 1], START_NS, [12.0, 1600.0]))
    assert made["g/d/a.space-mean-speed"] == ([pytest.approx(80)], [Quality.GOOD])
