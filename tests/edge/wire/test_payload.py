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
from citytwin_edge.wire.payload import PAYLOAD_BYTES_MAX, Binary, Payload, PayloadField

NOON = 1_767_268_800 * 10**9


def decoded(field, data):
    return field.decode(Payload(data))


# ---- plain values


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"21.5", 21.5), (b" 7\n", 7.0), (b"ON", 1.0), (b"closed", 0.0), (b"-3,5", -3.5),
        (b"1e-3", 0.001), (b".5", 0.5), (b"+12.", 12.0), (b"True", 1.0),
    ],
)  # fmt: skip
def test_a_plain_payload_is_the_value(payload, value):
    assert decoded(PayloadField(), payload) == (value, None)


@pytest.mark.parametrize("payload", ["21.5 °C", "21.5°C", "21,5 Cel"])
def test_a_number_may_name_its_unit(payload):
    assert decoded(PayloadField(units=("Cel", "°C")), payload.encode()) == (21.5, None)


@pytest.mark.parametrize(
    "payload",
    ["21.5 °F", "3 errors", "1_000", "0x1f", "1,234.5", "12:30", "1 2", "", "--", "１２", "٣"],
)
def test_what_only_looks_like_a_number_is_malformed(payload):
    with pytest.raises(DeviceMalformed, match=r"is not a number, nor .*a number in °C"):
        decoded(PayloadField(units=("Cel", "°C")), payload.encode())


def test_words_stand_for_numbers():
    field = PayloadField("$.v", values={"Open": 1, "shut": 0, "2": 7}, no_value=["None"])
    for seen, value in (("OPEN", 1.0), ("shut", 0.0), (2, 7.0), ("2", 7.0), (3, 3.0), (2.5, 2.5)):
        assert decoded(field, json.dumps({"v": seen}).encode()) == (value, None)
    void, _ = decoded(field, b'{"v": "none"}')
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
        ("bool", 8, {"bits": (0, 0)}, 1.0),
        ("uint32", 6, {"order": "DCBA"}, 0xFF003412), ("string", 10, {"length": 2}, "ж"),
    ],
)  # fmt: skip
def test_numbers_in_raw_bytes(kind, byte, how, value):
    field = PayloadField(binary=Binary(kind, byte, **how), is_text=kind == "string")
    assert decoded(field, RAW) == (value, None)
    assert decoded(field, RAW) == (value, None)
    assert decoded(field, RAW + b"more") == (value, None)


def test_every_float_survives_raw_bytes():
    for number in (0.0, -1.5, 3.0e38, 1e-40):
        single = struct.unpack(">f", struct.pack(">f", number))[0]
        assert decoded(PayloadField(binary=Binary("float32", 0)), struct.pack(">f", number)) == (
            single,
            None,
        )


@pytest.mark.parametrize(("encoding", "text"), [("hex", "01fe"), ("base64", "Af4=")])
def test_bytes_that_come_as_text(encoding, text):
    binary = Binary("uint8", 1, encoding)
    assert decoded(PayloadField(binary=binary), text.encode()) == (254.0, None)
    assert decoded(PayloadField("$.d", binary=binary), f'{{"d": "{text}"}}'.encode()) == (
        254.0,
        None,
    )
    for wrong in (b'{"d": "zz"}', b'{"d": 5}', b'{"d": "01"}', b'{"d": "AQ=="}', b'{"d": null}'):
        with pytest.raises(DeviceMalformed):
            decoded(PayloadField("$.d", binary=binary), wrong)
    with pytest.raises(DeviceMalformed, match="encoding must say"):
        decoded(PayloadField("$.d", binary=Binary("uint8", 0)), b'{"d": "01"}')


def test_bytes_that_hold_no_such_number():
    with pytest.raises(DeviceMalformed, match="3 bytes are too few: the value ends at byte 4"):
        decoded(PayloadField(binary=Binary("uint16", 2)), b"abc")
    with pytest.raises(DeviceMalformed, match="1a are not one of its type"):
        decoded(PayloadField(binary=Binary("bcd16", 0)), b"\x00\x1a")
    for raw in (struct.pack(">f", math.nan), bytes.fromhex("7f800000")):
        value, _ = decoded(PayloadField(binary=Binary("float32", 0)), raw)
        assert isinstance(value, float)
        assert math.isnan(value)
    void, _ = decoded(PayloadField(binary=Binary("int8", 0, sentinel=(-128,))), b"\x80")
    assert isinstance(void, float)
    assert math.isnan(void)


def test_binaries_that_cannot_be():
    with pytest.raises(ValueError, match="within 0 to 7"):
        Binary("uint8", 0, bits=(0, 8))
    with pytest.raises(ValueError, match="type 'uint24' is unknown"):
        Binary("uint24", 0)


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
    field = PayloadField("$.v", "$.t", utc_offset_h=5)
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
        (("$[",), "not a JSON path"),
        (("$.v", "$["), "not a JSON path"),
        (("", "$.t"), "time_path goes with path"),
    ],
)
def test_paths_that_are_none(arguments, says):
    with pytest.raises(ValueError, match=says):
        PayloadField(*arguments)


def test_an_offset_beyond_the_globe():
    with pytest.raises(ValueError, match="within ±14"):
        PayloadField(utc_offset_h=15)


FIELDS = (
    PayloadField(),
    PayloadField(is_text=True),
    PayloadField("$.v", "$.t", utc_offset_h=5),
    PayloadField("$..*", values={"a": 1}),
    PayloadField(binary=Binary("bcd32", 1)),
    PayloadField(binary=Binary("string", 0, length=3), is_text=True),
    PayloadField("$.v", binary=Binary("int8", 0, "base64")),
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
        field = PayloadField("$.d", binary=Binary("uint8", 0, encoding))
        if data:
            assert decoded(field, json.dumps({"d": text}).encode()) == (float(data[0]), None)
