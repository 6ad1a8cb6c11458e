"""Natures: every one is whole, and its laws are physics."""

import math

import pytest

from citytwin.errors import ConfigError
from citytwin.units import unit
from citytwin_edge.catalogue.natures import in_own_unit, nature, natures


@pytest.mark.parametrize("name", natures())
def test_a_nature_has_units_and_labels_in_three_languages(name):
    found = nature(name)
    assert found.title.kk
    assert found.title.ru
    assert found.title.en
    for one in found.quantities.values():
        assert all((one.label.kk, one.label.ru, one.label.en)), one.name
        if one.unit:
            unit(one.unit)


def test_an_unknown_nature_says_what_there_is():
    with pytest.raises(ConfigError, match='there is no nature "magic"; there are air, '):
        nature("magic")


def test_what_a_nature_extends_is_in_it():
    assert nature("electricity").quantities.keys() < nature("inverter").quantities.keys()
    assert nature("electricity").laws == nature("inverter").laws


@pytest.mark.parametrize(
    ("values", "broken"),
    [
        ({"voltage": 230, "current": 10, "power_factor": 0.9, "active_power": 2070}, []),
        ({"voltage": 230, "current": 10, "power_factor": 0.9, "active_power": -2070}, []),
        ({"voltage": 230, "current": 10, "power_factor": 0.9, "active_power": 20_700},
         ["P = U·I·cos φ"]),
        ({"apparent_power": 100, "active_power": 120}, ["|P| ≤ S"]),
        ({"apparent_power": 100, "reactive_power": -104}, []),
        ({"voltage": 230, "current": math.nan, "apparent_power": math.nan}, []),
        ({"voltage": 0, "current": 0, "apparent_power": 0}, []),
    ],
)  # fmt: skip
def test_laws_hold_within_what_instruments_can(values, broken):
    found = nature("electricity").broken(values)
    assert [one.law.text for one in found] == broken


def test_values_are_compared_in_the_unit_of_the_quantity():
    power = nature("electricity").quantities["active_power"]
    assert in_own_unit(power, "kW", 1.5) == 1500
    assert in_own_unit(nature("io").quantities["analog_input"], "bar", 3) == 3
