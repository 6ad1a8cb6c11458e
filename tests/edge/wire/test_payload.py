"""Payloads: numbers, words, texts, bytes, times, and everything else refused as declared."""

import base64
import contextlib
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.fields import Field, Table
from citytwin_edge.wire.payload import PAYLOAD_BYTES_MAX, Inside, Path, Payload, PayloadField
from citytwin_edge.wire.stamps import Stamp
from citytwin_edge.wire.texts import Numeral, TextField

NOON = 1_767_268_800 * 10**9


def decoded(field, data):
    return field.decode(Payload(data))


def in_bytes(kind, at, encoding="", *, path="", **how):
    field = Field(Table.FRAME, at, kind, **how)
    inside = Inside(encoding)
    return PayloadField(path, field=field, inside=inside, is_text=kind == "string")


# ---- plain values


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"21.5", 21.5), (b" 7\n", 7.0), (b"ON", 1.0), (b"closed", 0.0), (b"-3.5", -3.5),
        (b"1e-3", 0.001), (b".5", 0.5), (b"+12.", 12.0), (b"True", 1.0),
    ],
)  # fmt: skip
def test_a_plain_payload_is_the_value(payload, value):
    assert decoded(PayloadField(), payload) == (value, None)


CELSIUS = Numeral(units=("Cel", "°C"))


@pytest.mark.parametrize("payload", ["21.5 °C", "21.5°C", "21.5 Cel"])
def test_a_number_may_name_its_unit(payload):
    assert decoded(PayloadField(numeral=CELSIUS), payload.encode()) == (21.5, None)


def test_a_comma_where_the_device_writes_one():
    numeral = Numeral(units=("Cel",), decimal=",")
    for payload in (b"21,5 Cel", b"21,5"):
        assert decoded(PayloadField(numeral=numeral), payload) == (21.5, None)
    with pytest.raises(DeviceMalformed, match="is not a number"):
        decoded(PayloadField(), b"-3,5")


def test_a_part_of_a_text():
    """A unit that is not the point's, say, can be left out."""
    field = PayloadField("$.v", place=TextField(pattern=r"^([-+.\d]+) °F$"))
    assert decoded(field, '{"v": "70.5 °F"}'.encode()) == (70.5, None)
    assert decoded(field, b'{"v": 70.5}') == (70.5, None)
    with pytest.raises(DeviceMalformed, match="does not match"):
        decoded(field, '{"v": "21.5 °C"}'.encode())
    assert decoded(PayloadField(place=TextField(column=2)), b"pm25,7.5,ok") == (7.5, None)


@pytest.mark.parametrize(
    "payload",
    ["21.5 °F", "3 errors", "1_000", "0x1f", "1,234.5", "12:30", "1 2", "1,2", "--", "１２", "٣"],
)
def test_what_only_looks_like_a_number_is_malformed(payload):
    with pytest.raises(DeviceMalformed, match=r"is not a number, nor .*a number in °C"):
        decoded(PayloadField(numeral=CELSIUS), payload.encode())


def test_words_stand_for_numbers():
    numeral = Numeral(words={"Open": 1, "shut": 0, "2": 7}, sentinel=["None", -99])
    field = PayloadField("$.v", numeral=numeral)
    for seen, value in (("OPEN", 1.0), ("shut", 0.0), (2, 7.0), ("2", 7.0), (3, 3.0), (2.5, 2.5)):
        assert decoded(field, json.dumps({"v": seen}).encode()) == (value, None)
    for seen in (b'"none"', b"-99", b'"-99.0"', b"-99.0", b'""'):
        void, _ = decoded(field, b'{"v": ' + seen + b"}")
        assert isinstance(void, float)
        assert math.isnan(void)
    for foreign in (b'{"v": "closed"}', b'{"v": "ajar"}'):
        with pytest.raises(DeviceMalformed, match="nor open, shut, 2, none"):
            decoded(field, foreign)


@pytest.mark.parametrize(
    ("seen", "text"),
    [("ж", "ж"), ("007", "007"), ("on", "on"), (5, "5"), (2.5, "2.5"), (True, "true")],
)
def test_a_text_stays_one_whatever_it_looks_like(seen, text):
    data = json.dumps({"v": seen}).encode()
    assert decoded(PayloadField("$.v", is_text=True), data) == (text, None)
    if isinstance(seen, str):
        assert decoded(PayloadField(is_text=True), seen.encode()) == (text, None)


def test_a_text_may_mean_no_value():
    field = PayloadField("$.v", numeral=Numeral(sentinel=["n/a"]), is_text=True)
    assert decoded(field, b'{"v": "on"}') == ("on", None)
    void, _ = decoded(field, b'{"v": "N/A"}')
    assert isinstance(void, float)
    assert math.isnan(void)


# ---- JSON


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b'{"a": {"b": [1.5]}}', 1.5), (b'{"a": {"b": [true]}}', 1.0),
        (b'{"a": {"b": ["3"]}}', 3.0), (b'{"a": {"b": ["off", 5]}}', 0.0),
        (b'\xef\xbb\xbf{"a": {"b": [4]}}', 4.0),
    ],
)  # fmt: skip
def test_json_by_path(payload, value):
    assert decoded(PayloadField("$.a.b[0]"), payload) == (value, None)


@pytest.mark.parametrize("seen", [b"null", b"Infinity", b"NaN", b'"nan"', b'"-inf"', b"1e999"])
def test_null_and_infinity_are_no_numbers(seen):
    value, _ = decoded(PayloadField("$.v"), b'{"v": ' + seen + b"}")
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"[]", b'{"w": 1}', b'{"v": {}}', b'{"v": []}', b"\xff\xfe\x00",
        b'"text"', b'""',
        b'{"v": 1' + b"0" * 400 + b"}", b'{"v": 1' + b"0" * 5000 + b"}", b'{"v": "1e999"}',
        b'{"v": "' + b"9" * 400 + b'"}',
        b"[" * 50_000, b'{"v":' * 10_000, b"x" * (PAYLOAD_BYTES_MAX + 1),
    ],
)  # fmt: skip
def test_what_cannot_be_understood(payload):
    with pytest.raises(DeviceMalformed):
        decoded(PayloadField("$.v"), payload)
    with pytest.raises(DeviceMalformed):
        decoded(PayloadField(), payload)


def test_a_path_lost_in_the_depth_of_a_document_is_malformed():
    for depth in (90, 900, 9_000):
        with pytest.raises(DeviceMalformed):
            decoded(PayloadField("$..v"), b"[" * depth + b"]" * depth)


def test_json_is_parsed_once_for_all_points():
    payload = Payload(b'{"a": 1, "b": 2}')
    assert [PayloadField(path).decode(payload)[0] for path in ("$.a", "$.b")] == [1.0, 2.0]
    assert payload.document is payload.document


# ---- raw bytes

RAW = bytes.fromhex("01 fe 4248 0000 1234 00ff") + "ж".encode() + b"\0\0"


@pytest.mark.parametrize(
    ("kind", "byte", "how", "value"),
    [
        ("uint8", 1, {}, 254.0), ("int8", 1, {}, -2.0), ("uint8", 1, {"bits": (1, 3)}, 7.0),
        ("float32", 2, {}, 50.0), ("uint16", 1, {}, 0xFE42),
        ("uint16", 1, {"order": "BADC"}, 0x42FE),
        ("int16", 1, {}, 0xFE42 - 65536), ("bcd16", 6, {}, 1234.0),
        ("bool", 9, {"bits": (0, 0)}, 1.0), ("bcd8", 7, {}, 34.0),
        ("uint32", 6, {"order": "DCBA"}, 0xFF003412), ("string", 10, {"length": 4}, "ж"),
    ],
)  # fmt: skip
def test_numbers_in_raw_bytes(kind, byte, how, value):
    field = in_bytes(kind, byte, **how)
    assert decoded(field, RAW) == (value, None)
    assert decoded(field, RAW) == (value, None)
    assert decoded(field, RAW + b"more") == (value, None)


def test_every_float_survives_raw_bytes():
    for number in (0.0, -1.5, 3.0e38, 1e-40):
        single = struct.unpack(">f", struct.pack(">f", number))[0]
        assert decoded(in_bytes("float32", 0), struct.pack(">f", number)) == (single, None)


@pytest.mark.parametrize(("encoding", "text"), [("hex", "01fe"), ("base64", "Af4=")])
def test_bytes_that_come_as_text(encoding, text):
    assert decoded(in_bytes("uint8", 1, encoding), text.encode()) == (254.0, None)
    in_json = in_bytes("uint8", 1, encoding, path="$.d")
    assert decoded(in_json, f'{{"d": "{text}"}}'.encode()) == (254.0, None)
    for wrong in (b'{"d": "zz"}', b'{"d": 5}', b'{"d": "01"}', b'{"d": "AQ=="}', b'{"d": null}'):
        with pytest.raises(DeviceMalformed):
            decoded(in_json, wrong)
    with pytest.raises(DeviceMalformed, match="encoding must say"):
        decoded(in_bytes("uint8", 0, path="$.d"), b'{"d": "01"}')


def test_bytes_that_hold_no_such_number():
    with pytest.raises(DeviceMalformed, match="3 bytes are too few: the value ends at byte 4"):
        decoded(in_bytes("uint16", 2), b"abc")
    with pytest.raises(DeviceMalformed, match="1a are not one of its type"):
        decoded(in_bytes("bcd16", 0), b"\x00\x1a")
    for raw in (struct.pack(">f", math.nan), bytes.fromhex("7f800000")):
        value, _ = decoded(in_bytes("float32", 0), raw)
        assert isinstance(value, float)
        assert math.isnan(value)
    void, _ = decoded(in_bytes("int8", 0, sentinel=(-128,)), b"\x80")
    assert isinstance(void, float)
    assert math.isnan(void)


# ---- times


@pytest.mark.parametrize(
    "time",
    [
        '"2026-01-01T12:00:00Z"', '"2026-01-01T17:00:00+05:00"', '"2026-01-01T17:00:00.000+0500"',
        '"2026-01-01T17:00:00"', '"2026-01-01 17:00:00"', "1767268800", "1767268800.0",
        "1767268800000", "1767268800000000", "1767268800000000000", '"1767268800"',
        '" 1767268800000 "',
    ],
)  # fmt: skip
def test_times_in_all_their_forms(time):
    field = PayloadField("$.v", "$.t", stamp=Stamp(utc_offset_h=5))
    assert decoded(field, f'{{"v": 1, "t": {time}}}'.encode()) == (1.0, NOON)


def test_parts_of_a_second_are_kept():
    field = PayloadField("$.v", "$.t")
    for time, rest in (
        ('"2026-01-01T12:00:00.123456Z"', 123_456_000),
        ("1767268800123", 123_000_000),
        ("1767268800123456789", 123_456_789),
        ('"2026-01-01T12:00:00.123456789Z"', 123_456_000),
    ):
        assert decoded(field, f'{{"v": 1, "t": {time}}}'.encode()) == (1.0, NOON + rest)


@pytest.mark.parametrize(
    "time",
    [
        '"noon"', '"2026-01-01T12:00:00"', "true", "[]", "null", "1e30", "NaN", '""',
        '"9999-12-31T00:00:00Z"', "1" + "0" * 30, '"' + "9" * 30 + '"', '"2026-13-01T00:00:00Z"',
    ],
)  # fmt: skip
def test_times_that_are_none(time):
    with pytest.raises(DeviceMalformed, match="time"):
        decoded(PayloadField("$.v", "$.t"), f'{{"v": 1, "t": {time}}}'.encode())


def test_a_time_without_offset_names_the_remedy():
    with pytest.raises(DeviceMalformed, match="utc_offset_h can say which is meant"):
        decoded(PayloadField("$.v", "$.t"), b'{"v": 1, "t": "2026-01-01T12:00:00"}')


# ---- settings, and anything at all


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("$[",), r"^'\$\[' is not a JSON path: [^\n]+\Z"),
        (("$.v", "$["), r"^'\$\[' is not a JSON path: [^\n]+\Z"),
        (("", "$.t"), "time goes with path"),
    ],
)
def test_paths_that_are_none(arguments, says):
    with pytest.raises(ValueError, match=says):
        PayloadField(*arguments)


def test_a_time_of_day_does_not_tell_how_old_a_message_is():
    with pytest.raises(ValueError, match="must have a date"):
        PayloadField("$.v", "$.t", stamp=Stamp("%H:%M:%S", 5))


def test_a_format_of_the_devices_own():
    field = PayloadField("$.v", "$.t", stamp=Stamp("%d.%m.%Y %H:%M:%S", 5))
    assert decoded(field, b'{"v": 1, "t": "01.01.2026 17:00:00"}') == (1.0, NOON)
    packed = PayloadField("$.v", "$.t", stamp=Stamp("%Y%m%d%H%M%S", 5))
    assert decoded(packed, b'{"v": 1, "t": 20260101170000}') == (1.0, NOON)


FIELDS = (
    PayloadField(),
    PayloadField(is_text=True),
    PayloadField("$.v", "$.t", stamp=Stamp(utc_offset_h=5)),
    PayloadField("$..*", numeral=Numeral(words={"a": 1})),
    in_bytes("bcd32", 1),
    in_bytes("string", 0, length=3),
    in_bytes("int8", 0, "base64", path="$.v"),
)


@given(st.binary(max_size=200))
def test_no_bytes_surprise(data):
    for field in FIELDS:
        with contextlib.suppress(DeviceMalformed):
            field.decode(Payload(data))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("vt"), inner),
    max_leaves=8,
)


@given(st.fixed_dictionaries({"v": JSON, "t": JSON}))
def test_no_document_surprises(document):
    payload = json.dumps(document).encode()
    for field in FIELDS:
        with contextlib.suppress(DeviceMalformed):
            value, time_ns = field.decode(Payload(payload))
            assert isinstance(value, str) or not math.isinf(value)
            assert time_ns is None or abs(time_ns) < 1 << 63


@given(st.binary(max_size=60))
def test_hex_and_base64_are_two_ways_of_saying_bytes(data):
    for encoding, text in (("hex", data.hex()), ("base64", base64.b64encode(data).decode())):
        field = in_bytes("uint8", 0, encoding, path="$.d")
        if data:
            assert decoded(field, json.dumps({"d": text}).encode()) == (float(data[0]), None)


@pytest.mark.parametrize("text", ["$.a", "$.a.b", "$.a.b.c_1"])
@pytest.mark.parametrize(
    "document",
    [{"a": 1}, {"a": {"b": 2.5}}, {"a": {"b": {"c_1": None}}}, {"a": [1]}, [1], 5, {}, {"a": "x"}],
)
def test_names_alone_are_looked_up_as_any_path_is(text, document):
    """The second path means the same, and is not of names alone."""
    quick, slow = Path(text), Path(text.replace("$.a", "$['a']"))
    assert quick._names is not None
    assert slow._names is None
    try:
        expected = slow.first(document)
    except DeviceMalformed as error:
        with pytest.raises(type(error)):
            quick.first(document)
    else:
        assert quick.first(document) == expected


def test_a_number_that_is_a_word_is_one_however_it_is_written():
    field = PayloadField("$.v", numeral=Numeral(words={"1.5": 7.0}))
    assert field.decode(Payload(b'{"v": 1.5}'))[0] == 7.0
    assert field.decode(Payload(b'{"v": "1.5"}'))[0] == 7.0
    plain = PayloadField("$.v", numeral=Numeral(sentinel=(-999.5,)))
    assert math.isnan(float(plain.decode(Payload(b'{"v": -999.5}'))[0]))
    assert plain.decode(Payload(b'{"v": 0.1}'))[0] == 0.1
