"""Conversion between units, against figures that stand in the standards."""

import math

import pytest

from citytwin.conversion import between, commensurable
from citytwin.errors import UnitError
from citytwin.units import UNITS


@pytest.mark.parametrize(
    ("one", "other", "value", "result"),
    [
        ("kW.h", "MJ", 1, 3.6),
        ("Gcal_th", "GJ", 1, 4.184),
        ("Gcal_th/h", "MW", 1, 4184 / 3600),
        ("m3/h", "L/s", 3.6, 1),
        ("L/min", "m3/d", 1, 1.44),
        ("bar", "kPa", 1, 100),
        ("m[H2O]", "Pa", 1, 9806.65),
        ("[psi]", "bar", 14.503773773, 1),
        ("Cel", "K", 20, 293.15),
        ("[degF]", "Cel", 212, 100),
        ("Cel", "[degF]", -40, -40),
        ("km/h", "m/s", 36, 10),
        ("[kn_i]", "km/h", 1, 1.852),
        ("mg/m3", "ug/m3", 1, 1000),
        ("g/m3", "mg/L", 1, 1),
        ("uS/cm", "mS/cm", 1000, 1),
        ("/min", "Hz", 60, 1),
        ("kV.A.h", "V.A.h", 1, 1000),
        ("Mvar", "kvar", 1, 1000),
        ("%", "1", 50, 0.5),
        ("mm/h", "m/s", 3.6e6, 1),
        ("{vehicles}/h", "{vehicles}/h", 7, 7),
    ],
)
def test_a_value_becomes_the_same_in_another_unit(one, other, value, result):
    factor, offset = between(one, other)
    assert value * factor + offset == pytest.approx(result, rel=1e-9)
    back, zero = between(other, one)
    assert (value * factor + offset) * back + zero == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("one", "other"),
    [("kW", "kvar"), ("kW", "kV.A"), ("kW", "kW.h"), ("bar", "m"), ("{vehicles}", "1"),
     ("dB", "dB[mW]"), ("Cel", "%"), ("m3", "m3/h")],
)  # fmt: skip
def test_units_that_do_not_measure_the_same_are_refused(one, other):
    assert not commensurable(one, other)
    with pytest.raises(UnitError, match="do not measure the same"):
        between(one, other)


def test_every_known_unit_has_a_size():
    for code in UNITS:
        factor, offset = between(code, code)
        assert (factor, offset) == (1.0, 0.0)
        assert math.isfinite(factor)


def test_a_code_that_is_none_is_refused():
    with pytest.raises(UnitError, match="did you mean kW"):
        between("KW", "W")
