"""Payloads of Sparkplug: bytes by other encoders, the arrays of the specification, and garbage."""

import math
import struct

import pysparkplug
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.wire import sparkplug_b_pb2 as pb
from citytwin_edge.wire.sparkplug_payload import (
    METRICS_MAX,
    PAYLOAD_BYTES_MAX,
    DataType,
    command,
    parse,
    value,
)
from tests.edge.sparkplug_nodes import NOON, NOON_MS, metric, payload


def read(kind, seen, element=None, **field):
    """Return what a metric of ours with such a field is read as."""
    made = pb.Metric(name="m", datatype=DataType[kind], **(field or seen))
    (one,) = parse(pb.Payload(metrics=[made], seq=1).SerializeToString()).metrics
    return value(one, one.type, element)


def is_none(seen):
    return isinstance(seen, float) and math.isnan(seen)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("INT8", -5), ("INT8", 127), ("INT16", -30_000), ("INT32", -2_000_000_000),
        ("INT64", -(2**40)), ("UINT8", 255), ("UINT16", 65_535), ("UINT32", 4_000_000_000),
        ("UINT64", 2**53), ("FLOAT", 0.5), ("DOUBLE", 1e300), ("BOOLEAN", True),
    ],
)  # fmt: skip
def test_what_another_library_writes_is_read(kind, number):
    message = parse(payload("NBIRTH", 3, [metric("a/b", kind, number, alias=7)]))
    (one,) = message.metrics
    assert (message.seq, message.time_ns) == (3, NOON)
    assert (one.name, one.alias, one.type, one.time_ns) == ("a/b", 7, DataType[kind], NOON)
    assert value(one, one.type) == float(number)


def test_texts_flags_and_null():
    made = [
        metric("s", "STRING", "насос"), metric("t", "TEXT", "x"), metric("u", "UUID", "0-1"),
        metric("n", "DOUBLE", None, is_null=True),
        metric("h", "INT32", 4, is_historical=True, is_transient=True),
        metric("b", "BYTES", b"\0\1"),
    ]  # fmt: skip
    text, other, uuid, null, old, raw = parse(payload("NDATA", 0, made)).metrics
    assert [value(one, one.type) for one in (text, other, uuid)] == ["насос", "x", "0-1"]
    assert is_none(value(null, null.type))
    assert (old.is_historical, old.is_transient) == (True, True)
    assert value(raw, raw.type) == b"\0\1"


@pytest.mark.parametrize(
    ("kind", "field", "number"),
    [
        # All bits of the carrier (Tahu's Java), or of the type itself (its Python).
        ("INT8", {"int_value": 0xFFFFFFFB}, -5), ("INT8", {"int_value": 0xFB}, -5),
        ("INT32", {"long_value": 2**64 - 5}, -5), ("UINT32", {"long_value": 4_000_000_000}, 4e9),
        ("DOUBLE", {"float_value": 0.5}, 0.5),
        ("DATETIME", {"long_value": NOON_MS}, float(NOON_MS)),
    ],
)  # fmt: skip
def test_the_habits_of_other_encoders(kind, field, number):
    assert read(kind, field) == number


@pytest.mark.parametrize(
    ("kind", "field", "says"),
    [
        ("INT8", {"int_value": 300}, "300 does not fit into an Int8"),
        ("UINT16", {"int_value": 65_536}, "65536 does not fit into a UInt16"),
        ("UINT8", {"boolean_value": True}, "a UInt8 came as boolean"),
        ("BOOLEAN", {"int_value": 1}, "a Boolean came as int"),
        ("STRING", {"bytes_value": b"x"}, "a String came as bytes"),
        ("DATASET", {"dataset_value": b"\1"}, "is a DataSet, a whole table"),
        ("TEMPLATE", {"template_value": b"\1"}, "is a Template; its members are not read here"),
        ("PROPERTYSET", {"int_value": 1}, "is a PropertySet"),
        ("UNKNOWN", {"int_value": 1}, "has no type that Sparkplug 3.0 knows"),
        ("INT32_ARRAY", {"bytes_value": b"\1\0\0\0"}, "is an Int32Array: element must say which"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_said(kind, field, says):
    with pytest.raises(DeviceMalformed, match=says):
        read(kind, field)


@pytest.mark.parametrize(
    ("kind", "data", "numbers"),
    [  # 6.4.17; the specification's own example of Int8Array has a slip: -23 is 0xE9
        ("INT8_ARRAY", "E9 7B", [-23, 123]),
        ("INT16_ARRAY", "D0 8A 30 75", [-30_000, 30_000]),
        ("INT32_ARRAY", "FF FF FF FF FA AF CB 12", [-1, 315_338_746]),
        ("UINT8_ARRAY", "17 FA", [23, 250]),
        ("UINT16_ARRAY", "1E 00 88 CC", [30, 52_360]),
        ("BOOLEAN_ARRAY", "0C 00 00 00 34 DF", [0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1]),
        ("STRING_ARRAY", "41 42 43 00 68 65 6c 6c 6f 00", ["ABC", "hello"]),
        ("DATETIME_ARRAY", "C7 D0 90 75 24 01 00 00", [1_256_102_875_335]),
        ("FLOAT_ARRAY", struct.pack("<2f", 0.5, -2).hex(), [0.5, -2]),
        ("DOUBLE_ARRAY", struct.pack("<d", 1e-9).hex(), [1e-9]),
    ],
)
def test_arrays_by_element(kind, data, numbers):
    field = {"bytes_value": bytes.fromhex(data)}
    assert [read(kind, field, place) for place in range(len(numbers))] == numbers
    with pytest.raises(DeviceMalformed, match=f"the array has {len(numbers)} elements"):
        read(kind, field, len(numbers))


def test_a_number_has_no_elements_and_half_an_array_is_none():
    with pytest.raises(DeviceMalformed, match="is a Double, so it has no element 0"):
        read("DOUBLE", {"double_value": 1.0}, 0)
    with pytest.raises(DeviceMalformed, match="3 bytes are no Int16Array"):
        read("INT16_ARRAY", {"bytes_value": b"\0\0\0"}, 0)
    with pytest.raises(DeviceMalformed, match="the array has 0 elements"):
        read("BOOLEAN_ARRAY", {"bytes_value": b"\xff\xff\xff\xff"}, 0)
    with pytest.raises(DeviceMalformed, match="not UTF-8"):
        read("STRING_ARRAY", {"bytes_value": b"\xff\0"}, 0)


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_none(raw):
    assert is_none(read("FLOAT", {"float_value": raw}))
    assert is_none(read("DOUBLE_ARRAY", {"bytes_value": struct.pack("<d", raw)}, 0))


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (192, Quality.GOOD), (500, Quality.UNCERTAIN_STALE), (0, Quality.BAD_REFUSED),
        (7, Quality.BAD_REFUSED),
    ],
)  # fmt: skip
def test_the_property_quality(code, quality):
    said = pb.PropertySet(keys=["x", "Quality"], values=[
        pb.PropertyValue(string_value="y"), pb.PropertyValue(type=3, int_value=code)
    ])  # fmt: skip
    made = pb.Metric(name="m", datatype=9, properties=said, float_value=1.0)
    (one,) = parse(pb.Payload(metrics=[made]).SerializeToString()).metrics
    assert one.quality == quality


def test_what_is_no_payload_is_refused():
    for data, says in (
        (b"\xff\xff\xff", "no Sparkplug B payload"),
        (b"\0" * (PAYLOAD_BYTES_MAX + 1), "over 1048576 bytes"),
        (pb.Payload(seq=256).SerializeToString(), "seq 256 is not"),
        (pb.Payload(timestamp=2**63).SerializeToString(), "centuries away"),
        (pb.Payload(metrics=[pb.Metric()] * (METRICS_MAX + 1)).SerializeToString(), "over 20000"),
        (b"\x12\x03\x0a\x01\xff", "no Sparkplug B payload"),  # a name that is not UTF-8
    ):
        with pytest.raises(DeviceMalformed, match=says):
            parse(data)


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_read_and_nothing_else(data):
    try:
        message = parse(data)
        for one in message.metrics:
            for element in (None, 0):
                try:
                    seen = value(one, one.type, element)
                except DeviceMalformed:
                    continue
                assert isinstance(seen, str | bytes) or not math.isinf(seen)
    except DeviceMalformed:
        pass


# ---- commands


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("INT8", -5), ("INT16", 300), ("INT32", -70_000), ("INT64", -(2**40)), ("UINT8", 200),
        ("UINT32", 4_000_000_000), ("UINT64", 2**40), ("FLOAT", 0.5), ("DOUBLE", 1e300),
        ("BOOLEAN", 1),
    ],
)  # fmt: skip
def test_commands_are_what_another_library_reads(kind, number):
    told = command("Outputs/A", None, DataType[kind], float(number), NOON)
    seen = pysparkplug.NCmd.decode(told)
    (one,) = seen.metrics
    assert (seen.timestamp, one.name, one.value) == (NOON_MS, "Outputs/A", number)


def test_a_metric_with_an_alias_is_commanded_by_it_alone():
    (one,) = parse(command("Outputs/A", 9, DataType.BOOLEAN, 1.0, NOON)).metrics
    assert (one.name, one.alias, one.type) == ("", 9, DataType.BOOLEAN)


@pytest.mark.parametrize(
    ("kind", "number", "says"),
    [
        ("INT8", 128, "outside -128 to 127 of an Int8"), ("UINT8", -1, "outside 0 to 255"),
        ("BOOLEAN", 2, "a Boolean is 0 or 1"), ("FLOAT", 1e39, "does not fit into a Float"),
        ("STRING", 1, "a String cannot be commanded"), ("DOUBLE", math.nan, "nan cannot be"),
        ("INT32_ARRAY", 1, "an Int32Array cannot be commanded"),
    ],
)  # fmt: skip
def test_what_cannot_be_commanded(kind, number, says):
    with pytest.raises(ValueError, match=says):
        command("a", None, DataType[kind], float(number), NOON)
