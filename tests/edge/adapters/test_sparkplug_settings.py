"""Sparkplug settings: what is refused, and what of a metric is the point."""

import math

import msgspec
import pytest

from citytwin import Kind, Point
from citytwin.errors import DeviceMalformed
from citytwin_edge.adapters.sparkplug_settings import (
    SparkplugDevice,
    SparkplugField,
    SparkplugPoint,
)
from citytwin_edge.wire import sparkplug_b_pb2 as pb
from citytwin_edge.wire.sparkplug_payload import DataType, parse

BROKER = {"host": "b", "host_id": "gw", "group_id": "plant", "edge_node_id": "ps"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"host_id": ""}, "host_id must not be empty"),
        ({"group_id": "a/b"}, "group_id is one level of a topic"),
        ({"device_id": "#"}, "device_id is one level of a topic"),
        ({"host": ""}, "host must name the broker"),
        ({"session_s": 5}, "unknown field `session_s`"),
        ({"reorder_s": -1}, ">= 0"),
    ],
)
def test_settings_that_cannot_be(given, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(BROKER | given, SparkplugDevice)


def test_a_device_says_who_it_is():
    made = msgspec.convert(BROKER, SparkplugDevice)
    assert str(made) == "node ps in group plant"
    assert str(msgspec.structs.replace(made, device_id="plc")) == (
        "device plc of node ps in group plant"
    )


def read(field, kind="analog", unit="1", **settings):
    """Return what a point with such settings reads in a metric with such a field."""
    device = msgspec.convert(BROKER, SparkplugDevice)
    point = Point(id="g/d/p", kind=Kind(kind), unit=unit)
    address = msgspec.convert({"metric": "m", **settings}, SparkplugPoint)
    made = pb.Metric(name="m", **field)
    (one,) = parse(pb.Payload(metrics=[made]).SerializeToString()).metrics
    return SparkplugField(point, address, device).decode(one.type, one)


TEXT = {"datatype": DataType.STRING}
RAW = {"datatype": DataType.BYTES, "bytes_value": bytes.fromhex("01 f4 41 42")}


@pytest.mark.parametrize(
    ("field", "settings", "value"),
    [
        (TEXT | {"string_value": "21.5 °C"}, {"unit": "Cel"}, 21.5),
        (TEXT | {"string_value": "a,7"}, {"column": 2}, 7.0),
        (TEXT | {"string_value": "RUN"}, {"words": {"run": 3}}, 3.0),
        (TEXT | {"string_value": "auto"}, {"kind": "text"}, "auto"),
        ({"datatype": 10, "double_value": 0.5}, {"kind": "text"}, "0.5"),
        (RAW, {"at": 0, "type": "uint16"}, 500.0),
        (RAW, {"at": 2, "type": "string", "length": 2, "kind": "text"}, "AB"),
    ],
)
def test_values(field, settings, value):
    assert read(field, **settings) == value


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ({"datatype": 3, "int_value": 9999}, {"sentinel": [9999]}),
        (TEXT | {"string_value": "--"}, {"sentinel": ["--"], "kind": "text"}),
        ({"datatype": 10, "is_null": True}, {}),
        ({"datatype": 12, "is_null": True}, {"kind": "text"}),
    ],
)
def test_no_value(field, settings):
    found = read(field, **settings)
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("field", "settings", "says"),
    [
        (RAW, {}, "the metric is bytes: at and type must say"),
        ({"datatype": 3, "int_value": 1}, {"at": 0}, "is an Int32, so there are no bytes"),
        (RAW, {"at": 3, "type": "uint16"}, "4 bytes are too few"),
        (TEXT | {"string_value": "off-line"}, {}, "is not a number"),
    ],
)
def test_malformed(field, settings, says):
    with pytest.raises(DeviceMalformed, match=says):
        read(field, **settings)
