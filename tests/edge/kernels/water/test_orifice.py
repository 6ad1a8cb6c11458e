"""Orifice: worked numbers of every element and tapping, limits, and what is refused."""

import math

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.water.orifice import ORIFICE
from tests.edge.kernels.built import built, once, settings
from tests.edge.kernels.water.running import run, shaken

GOOD, DOUBT, OUT = Quality.GOOD, Quality.UNCERTAIN_RANGE, Quality.BAD_OUT_OF_RANGE
PLATE = {
    "pipe_mm": 73.66, "bore_mm": 50.0, "density_kg_m3": 999.1, "viscosity_pa_s": 0.0011,
    "taps": "d-d2", "isentropic_exponent": 1.33, "pressure_bar": 2.0,
}  # fmt: skip
WATER = {
    "pipe_mm": 200.0, "bore_mm": 110.0, "density_kg_m3": 998.0, "viscosity_pa_s": 1e-3,
    "taps": "corner",
}  # fmt: skip
GAS = {
    "pipe_mm": 300.0, "bore_mm": 150.0, "density_kg_m3": 6.1, "viscosity_pa_s": 1.3e-5,
    "taps": "corner", "isentropic_exponent": 1.31, "pressure_bar": 8.0,
}  # fmt: skip
NOZZLE = {key: value for key, value in GAS.items() if key != "taps"} | {
    "pipe_mm": 200.0, "bore_mm": 110.0
}  # fmt: skip


def through(plate, difference):
    (mass, volume), quality = once(built(ORIFICE, ["Pa"], **plate), difference)
    return mass, volume, quality


def test_the_worked_number():
    # ISO 5167 with D and D/2 taps: 200/183 kPa.
    mass, volume, quality = through(PLATE, 17_000)
    assert mass == pytest.approx(7.70234, abs=5e-6)
    assert volume == pytest.approx(7.70234 / 999.1 * 3600, abs=1e-4)
    assert quality == GOOD


@pytest.mark.parametrize(
    # Reference: the library fluids 1.3.1, which solves the same standards by itself.
    ("plate", "difference", "mass"),
    [
        (PLATE | {"taps": "corner"}, 17_000, 7.635775465),
        (PLATE | {"taps": "flange"}, 17_000, 7.681122826),
        (PLATE, 17_000, 7.702338036),
        (GAS, 10_000, 3.834324054),
        (GAS | {"taps": "flange"}, 10_000, 3.830620241),
        (GAS | {"taps": "d-d2"}, 10_000, 3.830219648),
        (
            {"pipe_mm": 60.0, "bore_mm": 30.0, "density_kg_m3": 998.0, "viscosity_pa_s": 1e-3,
             "taps": "flange", "isentropic_exponent": 1.4, "pressure_bar": 5.0},
            10_000, 1.978254151,
        ),
        (NOZZLE | {"element": "isa-1932-nozzle"}, 20_000, 4.701475176),
        (NOZZLE | {"element": "long-radius-nozzle"}, 20_000, 4.812616575),
        (NOZZLE | {"element": "venturi-machined"}, 20_000, 4.820632566),
        (NOZZLE | {"element": "venturi-cast"}, 20_000, 4.767339141),
        (NOZZLE | {"element": "venturi-welded"}, 20_000, 4.772183998),
    ],
)  # fmt: skip
def test_every_element_and_tapping(plate, difference, mass):
    assert through(plate, difference)[0] == pytest.approx(mass, rel=1e-9)


def test_a_liquid_does_not_expand():
    liquid = {key: value for key, value in PLATE.items() if key[0] not in "i"}
    liquid.pop("pressure_bar")
    epsilon = 1 - (0.351 + 0.256 * (50 / 73.66) ** 4 + 0.93 * (50 / 73.66) ** 8) * (
        1 - (183 / 200) ** (1 / 1.33)
    )
    assert through(liquid, 17_000)[0] == pytest.approx(7.702338 / epsilon, rel=5e-4)


def test_pressure_and_density_may_be_read():
    read = {
        key: value for key, value in GAS.items() if key not in ("density_kg_m3", "pressure_bar")
    }
    kernel = built(
        ORIFICE, ["kPa", "bar", "kg/m3"], **read, also=["pressure", "density"], atmosphere_bar=0.92
    )
    assert once(kernel, 10, 7.08, 6.1)[0][0] == pytest.approx(3.834324054, rel=1e-9)
    kernel = built(ORIFICE, ["kPa", "kg/m3", "bar"], **read, also=["density", "pressure"])
    assert once(kernel, 10, 6.1, 8)[0][0] == pytest.approx(3.834324054, rel=1e-9)
    assert once(kernel, 10, 0, 8)[1] == OUT
    assert once(kernel, 10, 6.1, 0)[1] == OUT


@pytest.mark.parametrize(
    ("plate", "difference", "quality"),
    [
        (WATER, 0, GOOD),
        (WATER, -1, OUT),
        (WATER | {"cutoff_pa": 20}, -15, GOOD),
        (WATER | {"cutoff_pa": 20}, -25, OUT),
        (WATER, 10_000, GOOD),
        (WATER, 0.005, DOUBT),  # Re below 5,000
        (WATER | {"bore_mm": 19}, 10_000, DOUBT),
        (WATER | {"bore_mm": 152}, 10_000, DOUBT),
        (WATER | {"pipe_mm": 1100, "bore_mm": 600}, 10_000, DOUBT),
        (WATER | {"pipe_mm": 50, "bore_mm": 12.4}, 10_000, DOUBT),
        (WATER | {"pipe_mm": 49, "bore_mm": 30}, 10_000, DOUBT),
        (GAS, 190_000, GOOD),
        (GAS, 210_000, DOUBT),  # p2/p1 below 0.75
        (GAS, 810_000, OUT),
        (WATER | {"taps": "", "element": "venturi-machined"}, 8_000, GOOD),
        (WATER | {"taps": "", "element": "venturi-machined"}, 200_000, DOUBT),  # Re above 1e6
        (WATER | {"taps": "", "element": "isa-1932-nozzle", "bore_mm": 80}, 1_000, DOUBT),
        (WATER | {"taps": "", "element": "isa-1932-nozzle", "bore_mm": 80}, 5_000, GOOD),
    ],
)
def test_limits(plate, difference, quality):
    mass, volume, found = through(plate, difference)
    assert found == quality
    assert math.isnan(mass) == math.isnan(volume) == (quality == OUT)
    if quality == GOOD and difference <= 0:
        assert mass == 0


@pytest.mark.parametrize(("taps", "least"), [("corner", 16_000 * 0.7**2), ("flange", 170 * 98)])
def test_the_least_reynolds_number_of_a_wide_bore(taps, least):
    plate = WATER | {"bore_mm": 140.0, "taps": taps}
    found = [through(plate, difference) for difference in np.geomspace(0.01, 100, 200)]
    reynolds = [4 * mass / (math.pi * 1e-3 * 0.2) for mass, _, _ in found]
    assert [quality for *_, quality in found] == [
        GOOD if one_re >= least else DOUBT for one_re in reynolds
    ]  # fmt: skip
    assert reynolds[0] < least < reynolds[-1]


@pytest.mark.parametrize("plate", [PLATE, GAS, NOZZLE | {"element": "isa-1932-nozzle"}])
def test_it_keeps_every_promise(plate):
    made = check_kernel(
        lambda: built(ORIFICE, ["kPa"], **plate | {"cutoff_pa": 100}), shaken(6, [60], [130])
    )
    assert set(made.quality.tolist()) >= {GOOD, DOUBT, OUT, Quality.BAD_SILENT}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (WATER | {"pipe_mm": 0}, "pipe_mm must be above 0"),
        (WATER | {"bore_mm": 200}, "bore_mm must be below pipe_mm"),
        (WATER | {"viscosity_pa_s": 0}, "viscosity_pa_s must be above 0"),
        (WATER | {"density_kg_m3": 0}, "write density_kg_m3 above 0"),
        (WATER | {"density_kg_m3": -1}, "density_kg_m3 must be above 0"),
        (WATER | {"also": ["density"]}, "write density_kg_m3 above 0, or"),
        (WATER | {"also": ["density", "density"]}, "names something twice"),
        (WATER | {"also": ["pressure"]}, "the pressure counts for a gas only"),
        (WATER | {"taps": ""}, "taps must be written for an orifice"),
        (WATER | {"element": "venturi-cast"}, "taps must be written for an orifice"),
        (WATER | {"taps": "vena"}, "'vena'"),
        (WATER | {"element": "cone"}, "'cone'"),
        (WATER | {"cutoff_pa": -1}, "cutoff_pa must not be below 0"),
        (WATER | {"atmosphere_bar": -1}, "atmosphere_bar must not be below 0"),
        (WATER | {"pressure_bar": 1}, "the pressure counts for a gas only"),
        (GAS | {"isentropic_exponent": 1}, "isentropic_exponent must be above 1"),
        (GAS | {"pressure_bar": 0}, "a gas needs pressure_bar"),
        (GAS | {"pressure_bar": -1}, "pressure_bar must be above 0"),
        (GAS | {"pressure_bar": 0, "also": ["pressure"]}, 'so must be its "density"'),
        (GAS | {"colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(ORIFICE, **fields)


def test_other_inputs_are_refused():
    with pytest.raises(ConfigError, match="input 1 is the differential pressure, in Pa"):
        built(ORIFICE, ["m3/h"], **WATER)
    with pytest.raises(ConfigError, match="it reads 1, not 2: differential pressure; see also"):
        built(ORIFICE, ["Pa", "bar"], **WATER)


def test_a_gateway_runs_it(tmp_path):
    table = (
        'kernel = "orifice"\npipe_mm = 73.66\nbore_mm = 50\ndensity_kg_m3 = 999.1\n'
        'viscosity_pa_s = 0.0011\ntaps = "d-d2"\nisentropic_exponent = 1.33\npressure_bar = 2\n'
    )
    points, found = run(tmp_path, ["kPa"], table, Batch.of([0], 1_767_225_600 * 10**9, [17]))
    assert [point.id for point in points] == ["g/d/a.mass-flow", "g/d/a.flow"]
    assert found[0] == (pytest.approx([7.70234], abs=5e-6), [GOOD])
