"""Concentrations: mass and parts of volume, and what is refused."""

import pytest

from citytwin import Point
from citytwin.errors import ConfigError
from citytwin_edge.kernels.air.concentration import parts_per_billion, scale


def points(unit):
    return [Point(id="g/d/p", unit=unit)]


def test_ozone_at_25_degrees():
    # 1 ppb of ozone is 1.96 µg/m³ at 25 °C and 1013.25 hPa, 2.00 at 20 °C (well known factors).
    assert 1 / parts_per_billion("o3", 25, 1013.25) == pytest.approx(1.962, abs=1e-3)
    assert 1 / parts_per_billion("o3", 20, 1013.25) == pytest.approx(1.995, abs=1e-3)
    assert 1 / parts_per_billion("co", 25, 1013.25) == pytest.approx(1.145, abs=1e-3)


def test_units_of_one_kind_need_nothing():
    assert scale(points("mg/m3"), "ug/m3").factor == pytest.approx(1000)
    assert scale(points("[ppb]"), "[ppm]", "o3").factor == pytest.approx(1e-3)


def test_a_mass_becomes_parts_with_what_it_refers_to():
    factor = scale(points("mg/m3"), "[ppm]", "no2", 20.0, 1013.25).factor
    assert factor == pytest.approx(parts_per_billion("no2", 20.0, 1013.25), rel=1e-9)


@pytest.mark.parametrize(
    ("inputs", "gas", "words"),
    [
        (points("ug/m3"), "o3", "write temperature_c and pressure_hpa"),
        (points("ug/m3"), "", "in .ppb. or a unit that can become it; g/d/p is in ug/m3"),
        (points("bar"), "o3", "g/d/p is in bar"),
        (points("[ppb]") * 2, "o3", "it reads 1, not 2"),
    ],
)
def test_what_cannot_be_converted_is_refused(inputs, gas, words):
    with pytest.raises(ConfigError, match=words):
        scale(inputs, "[ppb]", gas)
