"""Unit codes: known, unique, and helpful when wrong."""

from pathlib import Path

import pytest

from citytwin.errors import UnitError
from citytwin.units import _PARTS, ALIKE, UNITS, unit


def test_unit_gives_code_for_ngsi_ld_and_symbol():
    assert unit("m3/h") == ("m3/h", "MQH", "m³/h")


def test_codes_are_unique():
    assert all(code == entry.ucum for code, entry in UNITS.items())
    assert len({entry.symbol for entry in UNITS.values() if entry.symbol}) == len(
        [entry for entry in UNITS.values() if entry.symbol]
    )


@pytest.mark.parametrize(
    ("code", "kk", "ru", "en"),
    [
        ("m3/h", "м³/сағ", "м³/ч", "m³/h"),
        ("kW.h", "кВт·сағ", "кВт·ч", "kWh"),
        ("ug/m3", "мкг/м³", "мкг/м³", "µg/m³"),
        ("Cel", "°C", "°C", "°C"),
        ("/min", "1/мин", "1/мин", "1/min"),
        ("1", "", "", ""),
    ],
)
def test_a_symbol_is_written_as_the_language_writes_it(code, kk, ru, en):
    assert [unit(code).symbol_in(language) for language in ("kk", "ru", "en")] == [kk, ru, en]
    assert unit(code).symbol_in("de") == en


def test_no_part_of_a_symbol_is_forgotten_in_kazakh_and_russian():
    parts = {part for entry in UNITS.values() for part in entry.symbol.split("/")}
    assert parts <= _PARTS.keys() | ALIKE
    assert not _PARTS.keys() & ALIKE


@pytest.mark.parametrize(("typed", "meant"), [("m³/h", "m3/h"), ("°C", "Cel"), ("KPA", "kPa")])
def test_wrong_unit_names_the_right_one(typed, meant):
    with pytest.raises(UnitError, match=f"did you mean .*{meant}"):
        unit(typed)


def test_unknown_unit_points_to_the_list():
    with pytest.raises(UnitError, match="glossary"):
        unit("furlong")


def test_the_glossary_has_the_list_that_errors_point_to():
    """A line is `| code | UN/CEFACT | en | ru | kk |`."""
    glossary = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
    for entry in UNITS.values():
        names = " | ".join(entry.symbol_in(language) for language in ("en", "ru", "kk"))
        assert f"| `{entry.ucum}` | {entry.cefact} | {names} |" in glossary, entry
