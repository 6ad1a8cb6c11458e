"""Places: what is written in the same way for instruments and brokers, and what does not fit."""

import math

import msgspec
import pytest

from citytwin import Point
from citytwin.point import Kind
from citytwin_edge.adapters.mqtt_settings import MqttPoint
from citytwin_edge.adapters.places import PlaceSettings, ValueSettings
from citytwin_edge.adapters.serial_settings import SerialPoint
from citytwin_edge.wire.fields import Field, Table


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"at": 1, "column": 1}, "at is a place in bytes; it excludes"),
        ({"at": 65_536}, "< 65536|<= 65535"),
        ({"type": "uint8"}, "type, order and length go with at"),
        ({"length": 3}, "type, order and length go with at"),
        ({"bits": [1]}, "bits and digits go with at"),
        ({"digits": 2}, "bits and digits go with at"),
        ({"at": 1, "words": {"A": 1}}, "words and form are of texts"),
        ({"at": 1, "sentinel": ["A"]}, "a whole number"),
        ({"at": 1, "type": "uint16", "length": 3}, "length is for type string"),
        ({"at": 1, "type": "uint24"}, "Invalid enum value 'uint24'"),
        ({"at": 1, "bits": [0, 8]}, "within 0 to 7"),
        ({"at": 1, "type": "int8", "bits": [1]}, "bits are for bool and the uint types"),
        ({"pattern": "(a+)+"}, "repeats a group"),
    ],
)
def test_what_does_not_fit_together_is_refused_alike(fields, words):
    for kind, own in ((SerialPoint, {}), (MqttPoint, {"topic": "a"}), (ValueSettings, {})):
        with pytest.raises(msgspec.ValidationError, match=words):
            msgspec.convert(fields | own, kind)


def test_a_place_in_bytes():
    assert PlaceSettings(at=3).in_bytes("DCBA") == Field(Table.FRAME, 3, "uint8", order="DCBA")
    one = ValueSettings(at=3, type="uint16", order="BADC", bits=(2,), sentinel=(255,))
    assert one.in_bytes("ABCD") == Field(
        Table.FRAME, 3, "uint16", order="BADC", bits=(2, 2), sentinel=(255,)
    )


def test_a_place_in_a_text():
    assert ValueSettings(chars=(2,)).in_text(",").find("abc") == "b"
    assert ValueSettings(column=2).in_text(";").find("a;b") == "b"


def test_a_number_may_have_the_unit_of_its_point_behind_it():
    numeral = ValueSettings(sentinel=("--", -9)).numeral(Point(id="g/d/p", unit="m3/h"), ",")
    assert [numeral.value(text) for text in ("1,5 m³/h", "1,5m3/h", "1,5 м³/ч", "1,5")] == [1.5] * 4
    assert all(math.isnan(numeral.value(text)) for text in ("--", "-9 m3/h"))


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (Kind.TEXT, {"at": 0}, 'type "string" and kind = "text" go together'),
        (Kind.ANALOG, {"at": 0, "type": "string", "length": 2}, "go together"),
        (Kind.TEXT, {"words": {"A": 1}}, "words make numbers of texts"),
    ],
)
def test_a_kind_that_does_not_fit(kind, fields, words):
    with pytest.raises(ValueError, match=words):
        msgspec.convert(fields, ValueSettings).check(kind)
