"""Texts: fields by column, characters and pattern; numbers as instruments write them."""

import math

import pytest

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.texts import Numeral, TextField

UNITS = ("kPa", "°C", "m3/h", "%", "kg", "бар")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5", 12.5), ("+012.5 kPa", 12.5), ("-0.5", -0.5), ("- 3.2 °C", -3.2), (".5", 0.5),
        ("7.", 7.0), ("1.5E-3", 1.5e-3), ("1e2", 100.0), ("  42 m3/h ", 42.0), ("50%", 50.0),
        ("12.5kg", 12.5), ("000123.4*kWh".partition("*")[0], 123.4), ("on", 1.0), ("CLOSED", 0.0),
    ],
)  # fmt: skip
def test_numbers(text, value):
    assert Numeral(units=UNITS).value(text) == value


def test_a_decimal_comma_has_to_be_asked_for():
    assert Numeral(units=UNITS, decimal=",").value("+012,5 бар") == 12.5
    for text, decimal in (("12,5", "."), ("12.5", ","), ("1.234,5", ","), ("1,234.5", ".")):
        with pytest.raises(DeviceMalformed, match="is not a number"):
            Numeral(decimal=decimal).value(text)


@pytest.mark.parametrize("text", ["", "  ", "nan", "NaN", "-inf", "+Infinity"])
def test_no_value_is_not_a_number(text):
    assert math.isnan(Numeral().value(text))


@pytest.mark.parametrize(
    "text",
    [
        "----", "12.5.3", "12 34", "1 234.5", "0x1f", "+", "٣", "12-", "1;2", "E5", "12.5,OK",
        "1e999", "9" * 400, "12.5 psi", "12.5 ERR", "12.5 KPA", "3 errors",
    ],
)  # fmt: skip
def test_what_is_no_number_is_malformed(text):
    with pytest.raises(DeviceMalformed, match="is not a number"):
        Numeral(units=UNITS).value(text)


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("4807.038 N", 48.1173), ("01131.000 E", 11.516666667), ("3352.1 S", -33.868333333),
        ("07038.5000,W", -70.641666667), ("0000.0000N", 0.0), ("9000.0 n", 90.0), ("500 N", 5.0),
        ("18000.000 E", 180.0),
    ],
)  # fmt: skip
def test_degrees_and_minutes(text, degrees):
    assert Numeral(form="degrees-minutes").value(text) == pytest.approx(degrees, abs=1e-9)


@pytest.mark.parametrize(
    "text", ["4807.038", "4860.000 N", "9000.1 N", "18000.1 E", "48.5 N", "4807,038 N", "-4807 N",
             "4807.038 NE", "1234567.0 E"]
)  # fmt: skip
def test_what_is_no_angle_is_malformed(text):
    with pytest.raises(DeviceMalformed, match=r"is no angle in degrees|is not on the globe"):
        Numeral(form="degrees-minutes").value(text)


def test_an_empty_angle_is_no_value():
    assert math.isnan(Numeral(form="degrees-minutes").value(" "))


def test_words_of_the_devices_own_stand_for_the_usual_ones():
    assert (Numeral().word("On"), Numeral().word("off"), Numeral().word("maybe")) == (1, 0, None)
    own = Numeral(words={" DRY": 0, "Wet": 2}, sentinel=["OFL", -999, 9999.9])
    assert [own.value(text) for text in ("dry", "WET ", "7")] == [0.0, 2.0, 7.0]
    for text in ("ofl", "-999.0", "9999.9"):
        assert math.isnan(own.value(text))
    assert own.is_void("Ofl ")
    assert not own.is_void("dry")
    with pytest.raises(DeviceMalformed, match=r"'closed' is not a number, nor dry, wet, ofl$"):
        own.value("closed")


LINE = "$WIMWV,214.8,R,000.1,K,A"


@pytest.mark.parametrize(
    ("field", "line", "found"),
    [
        (TextField(column=2), LINE, "214.8"),
        (TextField(column=1), LINE, "$WIMWV"),
        (TextField(columns=(4, 5)), LINE, "000.1 K"),
        (TextField(columns=(6, 2)), LINE, "A 214.8"),
        (TextField(columns=(2, 3)), "a,,", ""),
        (TextField(column=3, separator=""), "  1.0   2.0\t3.0 ", "3.0"),
        (TextField(column=2, separator=";"), "a; b ;c", "b"),
        (TextField(chars=(4, 9)), "PT1  12.5bar", "12.5"),
        (TextField(chars=(4, 80)), "PT1  12.5bar", "12.5bar"),
        (TextField(pattern=r"T=([-+.\d]+)"), "H=5 T=-2.5 C", "-2.5"),
        (TextField(pattern=r"(T)=(?P<value>\d+)"), "T=7", "7"),
        (TextField(pattern=r"(T)=(?P<value>\d+)", group=1), "T=7", "T"),
        (TextField(pattern=r"(?P<a>T)=(\d+)", group="a"), "T=7", "T"),
        (TextField(pattern=r"\d+"), "T=7", "7"),
        (TextField(pattern=r"R,(?:([\d.]+),K,A)?"), "R,5.5,K,V", ""),
        (TextField(), " 12.5 ", "12.5"),
    ],
)
def test_fields(field, line, found):
    assert field.find(line) == found


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (TextField(column=9), "the line has 6 columns, not 9"),
        (TextField(columns=(2, 9)), "the line has 6 columns, not 9"),
        (TextField(chars=(50, 51)), "the line has 24 characters, not 50"),
        (TextField(pattern="X=(.)"), "does not match 'X="),
    ],
)
def test_a_line_without_the_field(field, words):
    with pytest.raises(DeviceMalformed, match=words):
        field.find(LINE)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"column": 1, "chars": (1, 2)}, "exclude each other"),
        ({"columns": (1, 2), "pattern": "a"}, "exclude each other"),
        ({"columns": (0, 2)}, "are counted from 1"),
        ({"chars": (3, 2)}, "must be"),
        ({"chars": (0, 2)}, "counted from 1"),
        ({"group": 1}, "goes with pattern"),
        ({"pattern": "(a", "group": 1}, "not a regular expression"),
        ({"pattern": "(a)", "group": 2}, "group 2 is not in the pattern"),
        ({"pattern": "(a)", "group": "x"}, "group 'x' is not"),
        ({"pattern": "x" * 201}, "over 200 characters"),
        ({"pattern": "(a+)+b"}, "repeats a group"),
        ({"pattern": "(?:a|a)*b"}, "repeats a group"),
        ({"pattern": "(a+){9}b"}, "repeats a group"),
        ({"pattern": r"([)]a\)+)+"}, "repeats a group"),
        ({"pattern": ".*a.+b.*c.*"}, "more than 3 times"),
    ],
)
def test_settings_that_cannot_work(settings, words):
    with pytest.raises(ValueError, match=words):
        TextField(**settings)


def test_what_only_looks_like_a_repeated_group_is_allowed():
    assert TextField(pattern=r"[(.*)+]\)+(\d)?").find("*))7") == "7"


def test_the_slowest_pattern_that_is_allowed_ends():
    """What may be written takes a time that is a power of the length, not a power of two."""
    with pytest.raises(DeviceMalformed):
        TextField(pattern=r".*.*.*\d").find("a" * 256)
