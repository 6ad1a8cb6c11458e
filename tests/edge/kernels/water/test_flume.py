"""Flume: the standard's table of sizes, feet against metres, limits, and what is refused."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.water.flume import FLUME, SIZES, law
from tests.edge.kernels.built import built, once, settings
from tests.edge.kernels.water.running import run, shaken

GOOD, DOUBT = Quality.GOOD, Quality.UNCERTAIN_RANGE


@pytest.mark.parametrize(
    # Factors and exponents of ISO 9826, as they are printed for each size.
    ("throat", "factor", "exponent"),
    [
        (0.152, 0.381, 1.58), (0.25, 0.561, 1.513), (0.30, 0.679, 1.521), (0.45, 1.038, 1.537),
        (0.60, 1.403, 1.548), (0.75, 1.772, 1.557), (0.90, 2.147, 1.565), (1.00, 2.397, 1.569),
        (1.20, 2.904, 1.577), (1.50, 3.668, 1.586), (1.80, 4.440, 1.593), (2.10, 5.222, 1.599),
        (2.40, 6.004, 1.605), (3.05, 7.463, 1.6), (3.66, 8.859, 1.6), (4.57, 10.96, 1.6),
        (6.10, 14.45, 1.6), (7.62, 17.94, 1.6), (9.14, 21.44, 1.6), (12.19, 28.43, 1.6),
        (15.24, 35.41, 1.6),
    ],
)  # fmt: skip
def test_the_table_of_sizes(throat, factor, exponent):
    for head in SIZES[throat]:
        found = law(throat)[0] * head ** law(throat)[1]
        assert found == pytest.approx(factor * head**exponent, rel=4e-3)


@pytest.mark.parametrize(
    # Parshall's own equations in feet: Q = 4 W h^(1.522 W^0.026) from 1 to 8 ft of throat,
    # (3.6875 W + 2.5) h^1.6 from 10 ft, 2.06 h^1.58 for 6 inches.
    ("throat", "foot_law"),
    [
        (0.152, lambda w, h: 2.06 * h**1.58),
        (0.60, lambda w, h: 4 * w * h ** (1.522 * w**0.026)),
        (1.20, lambda w, h: 4 * w * h ** (1.522 * w**0.026)),
        (3.05, lambda w, h: (3.6875 * w + 2.5) * h**1.6),
        (15.24, lambda w, h: (3.6875 * w + 2.5) * h**1.6),
    ],
)
def test_feet(throat, foot_law):
    (flow,), quality = once(built(FLUME, ["m"], throat_m=throat), 0.4)
    assert flow == pytest.approx(foot_law(throat / 0.3048, 0.4 / 0.3048) * 0.3048**3, rel=5e-3)
    assert quality == GOOD


@pytest.mark.parametrize(
    ("throat", "heads", "quality"),
    [
        (0.3, (0.0,), GOOD),
        (0.3, (-0.1,), GOOD),
        (0.3, (0.029,), DOUBT),
        (0.3, (0.031,), GOOD),
        (0.3, (0.749,), GOOD),
        (0.3, (0.751,), DOUBT),
        (0.25, (0.4, 0.23), GOOD),
        (0.25, (0.4, 0.25), DOUBT),
        (0.3, (0.4, 0.27), GOOD),
        (0.3, (0.4, 0.29), DOUBT),
        (3.05, (0.4, 0.31), GOOD),
        (3.05, (0.4, 0.33), DOUBT),
    ],
)
def test_limits(throat, heads, quality):
    kernel = built(FLUME, ["m"] * len(heads), throat_m=throat)
    (flow,), found = once(kernel, *heads)
    assert found == quality
    assert (flow == 0) == (heads[0] <= 0)


def test_the_zero_is_of_both_gauges():
    kernel = built(FLUME, ["cm", "cm"], throat_m=1.0, zero_m=0.5)
    assert once(kernel, 90, 50)[0] == pytest.approx([2.397 * 0.4**1.569], rel=1e-3)


@pytest.mark.parametrize("count", [1, 2])
def test_it_keeps_every_promise(count):
    made = check_kernel(
        lambda: built(FLUME, ["m"] * count, throat_m=0.3), shaken(5, [0.5, 0.3][:count], [0.4, 0.3])
    )
    assert set(made.quality.tolist()) >= {GOOD, DOUBT, Quality.BAD_SILENT}
    assert np.nanmin(made.value) >= 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"throat_m": 0.31}, "throat_m must be one of 0.152, 0.25, 0.3"),
        ({"throat_m": 0.3, "zero_m": float("nan")}, "zero_m must be a number"),
        ({"throat_m": 0.3, "colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(FLUME, **fields)


def test_other_inputs_are_refused():
    with pytest.raises(ConfigError, match="input 2 is the level in the throat, in m"):
        built(FLUME, ["m", "bar"], throat_m=0.3)
    with pytest.raises(ConfigError, match="not 3"):
        built(FLUME, ["m", "m", "m"], throat_m=0.3)


def test_a_gateway_runs_it(tmp_path):
    table = 'kernel = "flume"\nthroat_m = 1.0\n'
    points, found = run(tmp_path, ["cm"], table, Batch.of([0], 1_767_225_600 * 10**9, [40]))
    assert [point.id for point in points] == ["g/d/a.flow"]
    assert found[0] == (pytest.approx([2.397 * 0.4**1.569], rel=1e-3), [GOOD])
