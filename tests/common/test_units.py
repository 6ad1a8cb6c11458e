"""Unit codes: known, unique, and helpful when wrong."""

import pytest

from citytwin.errors import UnitError
from citytwin.units import UNITS, unit


def test_unit_gives_code_for_ngsi_ld_and_symbol():
    assert unit("m3/h") == ("m3/h", "MQH", "m³/h")


def test_codes_are_unique():
    assert all(code == entry.ucum for code, entry in UNITS.items())
    assert len({entry.symbol for entry in UNITS.values() if entry.symbol}) == len(
        [entry for entry in UNITS.values() if entry.symbol]
    )


@pytest.mark.parametrize(("typed", "meant"), [("m³/h", "m3/h"), ("°C", "Cel"), ("KPA", "kPa")])
def test_wrong_unit_names_the_right_one(typed, meant):
    with pytest.raises(UnitError, match=f"did you mean .*{meant}"):
        unit(typed)


def test_unknown_unit_points_to_the_list():
    with pytest.raises(UnitError, match="glossary"):
        unit("furlong")
