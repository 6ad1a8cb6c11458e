"""Manning: worked numbers, sections against geometry, banks, and what is refused."""

import math

import msgspec
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.water.manning import MANNING
from tests.edge.kernels.built import built, once, settings
from tests.edge.kernels.water.running import run, shaken

CANAL = {
    "section": "trapezoidal", "width_m": 2.0, "side_slope": 1.5, "slope": 0.001,
    "roughness_n": 0.025, "depth_m_max": 2.0,
}  # fmt: skip
SEWER = {"section": "circular", "width_m": 1.0, "slope": 0.004, "roughness_n": 0.013}
FLUME = {"section": "rectangular", "width_m": 3.0, "slope": 0.005236, "roughness_n": 0.03,
         "depth_m_max": 2.0}  # fmt: skip


def test_the_worked_number():
    # Cengel & Cimbala: hydraulic radius 0.2859 m, slope 0.005236, n 0.030: 1.04678 m/s.
    radius = 0.2859
    depth = 3 * radius / (3 - 2 * radius)  # of a rectangle 3 m wide
    (flow, velocity), quality = once(built(MANNING, ["m"], **FLUME), depth)
    assert velocity == pytest.approx(1.04678, abs=5e-6)
    assert flow == pytest.approx(velocity * 3 * depth)
    assert quality == Quality.GOOD


def test_a_trapezoid():
    (flow, velocity), _ = once(built(MANNING, ["cm"], **CANAL), 100)
    radius = 3.5 / (2 + 2 * math.sqrt(3.25))
    assert velocity == pytest.approx(radius ** (2 / 3) * math.sqrt(0.001) / 0.025)
    assert flow == pytest.approx(3.5 * velocity)


def test_a_half_full_pipe_has_the_radius_of_a_full_one():
    (flow, velocity), quality = once(built(MANNING, ["m"], **SEWER), 0.5)
    assert velocity == pytest.approx(0.25 ** (2 / 3) * math.sqrt(0.004) / 0.013)
    assert flow == pytest.approx(velocity * math.pi / 8)
    assert quality == Quality.GOOD
    full, doubtful = once(built(MANNING, ["m"], **SEWER), 1.0)
    assert full == pytest.approx([2 * flow, velocity])
    assert doubtful == Quality.UNCERTAIN_RANGE


def test_a_pipe_carries_most_at_0_938_of_its_diameter():
    flows = [once(built(MANNING, ["m"], **SEWER), depth)[0][0] for depth in (0.93, 0.938, 0.946)]
    assert flows[1] == max(flows)


@pytest.mark.parametrize(
    ("channel", "level", "flows", "quality"),
    [
        (CANAL | {"zero_m": 800}, 799.9, True, Quality.GOOD),
        (CANAL, 0, True, Quality.GOOD),
        (CANAL, 2.0, False, Quality.GOOD),
        (CANAL, 2.01, None, Quality.BAD_OUT_OF_RANGE),
        (SEWER, 0.94, False, Quality.UNCERTAIN_RANGE),
        (SEWER, 1.01, None, Quality.BAD_OUT_OF_RANGE),
    ],
)
def test_empty_full_and_over(channel, level, flows, quality):
    values, found = once(built(MANNING, ["m"], **channel), level)
    assert found == quality
    if flows is None:
        assert all(map(math.isnan, values))
    else:
        assert (values == [0, 0]) == flows


@pytest.mark.parametrize("channel", [CANAL, SEWER, FLUME])
def test_it_keeps_every_promise(channel):
    made = check_kernel(lambda: built(MANNING, ["m"], **channel), shaken(2, [0.7], [1.5]))
    assert set(made.quality.tolist()) >= {Quality.GOOD, Quality.BAD_OUT_OF_RANGE}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"section": "oval"}, "'oval'"),
        ({"width_m": 0}, "width_m must be above 0"),
        ({"slope": 0}, "slope must be above 0"),
        ({"slope": 1.1}, "at most 1"),
        ({"roughness_n": -1}, "roughness_n must be above 0"),
        ({"depth_m_max": 0}, "depth_m_max must be above 0"),
        ({"side_slope": 0}, "side_slope must be above 0"),
        ({"section": "rectangular"}, "a rectangular section has no side_slope"),
        ({"section": "circular"}, "a circular section has no depth_m_max"),
        ({"zero_m": float("nan")}, "zero_m must be a number"),
        ({"age_s_max": 0}, "age_s_max must be above 0|> 0"),
        ({"colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(MANNING, **CANAL | change)


def test_another_input_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the depth, in m"):
        built(MANNING, ["bar"], **CANAL)


def test_a_gateway_runs_it(tmp_path):
    table = (
        'kernel = "manning"\nsection = "rectangular"\nwidth_m = 3\nslope = 0.005236\n'
        "roughness_n = 0.03\ndepth_m_max = 2\n"
    )
    points, found = run(tmp_path, ["mm"], table, Batch.of([0], 1_767_225_600 * 10**9, [353.226]))
    assert [point.id for point in points] == ["g/d/a.flow", "g/d/a.velocity"]
    assert found[1][0] == pytest.approx([1.04678], abs=1e-5)
