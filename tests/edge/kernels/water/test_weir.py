"""Weir: worked numbers, other sources, limits of each method, and what is refused."""

import math

import msgspec
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.water.weir import WEIR
from tests.edge.kernels.built import built, once, settings
from tests.edge.kernels.water.running import run, shaken

NOTCH = {"shape": "v-notch", "angle_deg": 90, "crest_height_m": 1.0, "channel_width_m": 2.0}
FULL = {"shape": "full-width", "crest_height_m": 0.6, "channel_width_m": 5.0}
NARROW = {"shape": "rectangular", "crest_height_m": 0.5, "channel_width_m": 2.0, "width_m": 1.2}
GOOD, DOUBT = Quality.GOOD, Quality.UNCERTAIN_RANGE


def over(weir, head):
    (flow,), quality = once(built(WEIR, ["m"], **weir), head)
    return flow, quality


def test_a_full_width_by_ackers():
    # Ackers, as Cengel & Cimbala work it out: head 0.9 m, crest 0.6 m, width 5 m.
    assert over(FULL | {"method": "ackers"}, 0.9)[0] == pytest.approx(9.2519, abs=5e-5)


def test_the_two_methods_of_a_full_width_agree():
    for head in (0.1, 0.3, 0.6):
        assert over(FULL, head)[0] == pytest.approx(
            over(FULL | {"method": "ackers"}, head)[0], rel=0.01
        )


def test_a_v_notch_of_45_degrees():
    # Endress+Hauser's manuals of level transmitters give 574.1 m³/h at 600 mm; and C = 0.57875,
    # k = 1.575 mm, from the table of Shen in Blevins' handbook, give with 8/15 √2 in front:
    table = 8 / 15 * math.sqrt(2) * 0.210717
    flow = over(NOTCH | {"angle_deg": 45}, 0.6)[0]
    assert flow == pytest.approx(574.1 / 3600, rel=2e-3)
    assert flow == pytest.approx(table, rel=3e-3)


@pytest.mark.parametrize(
    # Endress+Hauser: C of Q = C h^2.5, in m³/h and mm. It goes with tan(θ/2) alone, so narrow
    # notches, whose C is larger, are left out.
    ("angle", "c"), [(45, 0.0000651), (60, 0.0000907), (90, 0.0001571)]
)  # fmt: skip
def test_v_notches_against_the_tables_of_a_maker(angle, c):
    for head_mm in (200, 350):
        flow = over(NOTCH | {"angle_deg": angle}, head_mm / 1000)[0] * 3600
        assert flow == pytest.approx(c * head_mm**2.5, rel=0.012)


def test_a_right_angle_in_feet():
    # Bureau of Reclamation, Water Measurement Manual: Q = 2.49 h^2.48 in feet.
    assert over(NOTCH, 0.3048)[0] == pytest.approx(2.49 * 0.3048**3, rel=0.01)


def test_a_narrow_notch():
    # b/B = 0.6, h/p = 0.4: C = 0.593 + 0.018·0.4 = 0.6002; b + 3.6 mm; h + 1 mm.
    flow, quality = over(NARROW, 0.2)
    width, head = 1.2036, 0.201
    assert flow == pytest.approx(2 / 3 * 0.6002 * math.sqrt(19.6133) * width * head**1.5)
    assert quality == GOOD
    # Between rows: b/B = 0.5 lies half way from 0.4 to 0.6.
    half = over(NARROW | {"width_m": 1.0}, 0.2)[0]
    c = (0.591 + 0.593) / 2 + (0.0058 + 0.018) / 2 * 0.4
    assert half == pytest.approx(2 / 3 * c * math.sqrt(19.6133) * 1.00315 * head**1.5)


@pytest.mark.parametrize(
    ("weir", "head", "quality"),
    [
        (NOTCH, 0.0, GOOD),
        (NOTCH, -0.2, GOOD),
        (NOTCH, 0.049, DOUBT),
        (NOTCH, 0.051, GOOD),
        (NOTCH, 0.379, GOOD),
        (NOTCH, 0.381, DOUBT),
        (NOTCH | {"crest_height_m": 0.5}, 0.201, DOUBT),
        (NOTCH | {"channel_width_m": 1.0}, 0.201, DOUBT),
        (NOTCH | {"channel_width_m": 0.8}, 0.1, DOUBT),
        (NOTCH | {"crest_height_m": 0.4}, 0.1, DOUBT),
        (FULL, 0.029, DOUBT),
        (FULL, 0.59, GOOD),
        (FULL, 0.61, DOUBT),
        (FULL | {"crest_height_m": 2}, 0.76, DOUBT),
        (FULL | {"channel_width_m": 0.2}, 0.1, DOUBT),
        (FULL | {"method": "ackers"}, 1.3, GOOD),
        (FULL | {"method": "ackers"}, 1.33, DOUBT),
        (FULL | {"method": "ackers"}, 0.019, DOUBT),
        (NARROW, 0.029, DOUBT),
        (NARROW, 1.24, GOOD),
        (NARROW, 1.26, DOUBT),
        (NARROW | {"width_m": 1.9}, 0.2, DOUBT),
        (NARROW | {"width_m": 0.1}, 0.2, DOUBT),
    ],
)
def test_limits(weir, head, quality):
    flow, found = over(weir, head)
    assert found == quality
    assert (flow == 0) == (head <= 0)


@pytest.mark.parametrize("weir", [NOTCH, FULL, NARROW])
def test_it_keeps_every_promise(weir):
    made = check_kernel(
        lambda: built(WEIR, ["m"], **weir | {"zero_m": 1.0}), shaken(4, [1.3], [0.6])
    )
    assert set(made.quality.tolist()) >= {GOOD, DOUBT, Quality.BAD_SILENT}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (NOTCH | {"shape": "round"}, "'round'"),
        (NOTCH | {"angle_deg": 24}, "angle_deg must be from 25 to 100"),
        (NOTCH | {"angle_deg": 101}, "angle_deg must be from 25 to 100"),
        (NOTCH | {"width_m": 1}, "width_m is of a rectangular notch"),
        (NOTCH | {"method": "ackers"}, "method is of a full-width weir"),
        (FULL | {"angle_deg": 90}, "angle_deg is of a v-notch"),
        (FULL | {"crest_height_m": 0}, "crest_height_m must be above 0"),
        (FULL | {"channel_width_m": 0}, "channel_width_m must be above 0"),
        (FULL | {"method": "francis"}, "'francis'"),
        (NARROW | {"width_m": 0}, "width_m must be above 0"),
        (NARROW | {"width_m": 2}, "width_m must be below channel_width_m"),
        (NARROW | {"zero_m": float("inf")}, "zero_m must be a number"),
        (NARROW | {"colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(WEIR, **fields)


def test_another_input_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the level, in m"):
        built(WEIR, ["bar"], **NOTCH)


def test_a_gateway_runs_it(tmp_path):
    table = (
        'kernel = "weir"\nshape = "full-width"\nmethod = "ackers"\ncrest_height_m = 0.6\n'
        "channel_width_m = 5\nzero_m = 0.1\n"
    )
    points, found = run(tmp_path, ["cm"], table, Batch.of([0], 1_767_225_600 * 10**9, [100]))
    assert [point.id for point in points] == ["g/d/a.flow"]
    assert found[0] == (pytest.approx([9.2519], abs=5e-5), [GOOD])
