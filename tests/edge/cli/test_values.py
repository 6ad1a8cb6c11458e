"""Values that are given on the command line."""

import pytest

from citytwin.errors import CityTwinError
from citytwin_edge.cli.values import fields_of, only, value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("0.5", 0.5), ("true", True), ("CDAB", "CDAB"), ('"3"', "3"), ("[1, 2]", [1, 2]),
        ("/dev/ttyUSB0", "/dev/ttyUSB0"), ("10.0.0.7", "10.0.0.7"), ("1\nb = 2", "1\nb = 2"),
    ],
)  # fmt: skip
def test_a_value_is_what_toml_reads_else_a_text(text, value):
    assert value_of(text) == value


def test_a_field_may_be_given_more_than_once():
    assert fields_of(["baud=9600", "baud=19200", "host=a=b"]) == {
        "baud": [9600, 19200],
        "host": ["a=b"],
    }


def test_a_device_has_one_value_of_a_field():
    assert only({"unit": [3]}) == {"unit": 3}
    with pytest.raises(CityTwinError, match="--set unit was given 2 times"):
        only({"unit": [3, 4]})


def test_a_text_without_equals_is_none():
    with pytest.raises(CityTwinError, match="--set unit: write field=value"):
        fields_of(["unit"])
