"""Meter values: numbers with units, words, sentinels, texts, what is refused."""

import math

import pytest

from citytwin import Quality
from citytwin.point import Kind, Point
from citytwin_edge.adapters.meter_values import MeterValue, ObisSettings, by_name
from citytwin_edge.wire.iec62056 import DataSet
from citytwin_edge.wire.obis import name_of
from tests.edge.modbus_devices import new_site

GOOD, MALFORMED, NONE = Quality.GOOD, Quality.BAD_MALFORMED, Quality.BAD_NOT_A_NUMBER


def meant(unit="kW.h", kind=Kind.ANALOG, pattern="", **fields):
    point = Point(id="g/d/p", unit=unit, kind=kind)
    return MeterValue(point, ObisSettings(obis="1.8.0", **fields), new_site(), pattern)


@pytest.mark.parametrize(
    ("text", "value", "quality"),
    [
        ("000123.4*kWh", 123.4, GOOD),
        ("006545766*Wh", 6545.766, GOOD),
        ("024562 kWh", 24562.0, GOOD),
        ("123.4", 123.4, GOOD),
        ("-0.5*MWh", -500.0, GOOD),
        ("", None, NONE),
        ("        ", None, NONE),
        ("123.4*kvarh", None, MALFORMED),
        ("123.4*furlong", None, MALFORMED),
        ("12,5*kWh", None, MALFORMED),
        ("17-11-02 08:30", None, MALFORMED),
        ("1*2*kWh", None, MALFORMED),
        ("ERR12", None, MALFORMED),
        ("999999.9*kWh", None, NONE),
    ],
)
def test_texts_in_brackets(text, value, quality):
    told = meant(sentinel=(999999.9,)).of_text(text)
    assert (None if math.isnan(told.value) else told.value, told.quality) == (value, quality)


def test_a_number_with_a_unit_where_the_point_has_none():
    assert "write unit" in meant(unit="1").of_text("230*V").note


def test_words_and_patterns_and_texts():
    assert meant(unit="1", words={"ON": 1.0, "OFF": 0.0}).of_text("off").value == 0.0
    dated = meant(pattern=r" ([\d.]+)$").of_text("19.05.15 216.59202")
    assert dated.value == 216.59202
    text = meant(unit="1", kind=Kind.TEXT).of_text("00123456")
    assert (text.quality, text.note) == (GOOD, "00123456")
    with pytest.raises(ValueError, match="words"):
        meant(unit="1", kind=Kind.TEXT, words={"a": 1.0})


@pytest.mark.parametrize(
    ("number", "scaler", "unit", "value", "quality"),
    [
        (2364.0, -1, "V", 236.4, GOOD),
        (4.0, 3, "W", None, MALFORMED),
        (2364.0, 0, "", 2364.0, GOOD),
        (math.nan, 0, "", None, NONE),
        (65535.0, -1, "V", None, NONE),
    ],
)
def test_pushed_numbers(number, scaler, unit, value, quality):
    told = meant(unit="V", sentinel=(65535,)).of_number(number, scaler, unit)
    assert (None if math.isnan(told.value) else told.value, told.quality) == (value, quality)


def test_of_two_spellings_the_first_counts():
    sets = [DataSet("32.7.0", ("230*V",)), DataSet("32.7", ("2",))]
    assert by_name(sets)[name_of("32.7.0")].groups == ("230*V",)
