"""Payloads: numbers, truths, texts, times, and everything else refused with the declared error."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.payload import PAYLOAD_BYTES_MAX, PayloadField

NOON = 1_767_268_800 * 10**9


@pytest.mark.parametrize(
    ("payload", "value"),
    [(b"21.5", 21.5), (b" 7\n", 7.0), (b"ON", 1.0), (b"closed", 0.0), (b"\xd0\xb6", "ж")],
)
def test_a_plain_payload_is_the_value(payload, value):
    assert PayloadField().decode(payload) == (value, None)


@pytest.mark.parametrize(
    ("payload", "value", "time_ns"),
    [
        (b'{"a": {"b": [1.5]}, "t": "2026-01-01T12:00:00Z"}', 1.5, NOON),
        (b'{"a": {"b": [true]}, "t": "2026-01-01T17:00:00+05:00"}', 1.0, NOON),
        (b'{"a": {"b": ["3"]}, "t": 1767268800}', 3.0, NOON),
        (b'{"a": {"b": ["idle"]}, "t": 1767268800000}', "idle", NOON),
    ],
)
def test_json_by_path_with_its_time(payload, value, time_ns):
    assert PayloadField("$.a.b[0]", "$.t").decode(payload) == (value, time_ns)


def test_null_and_infinity_are_no_numbers():
    for payload in (b'{"v": null}', b'{"v": Infinity}', b'{"v": "nan"}'):
        value, _ = PayloadField("$.v").decode(payload)
        assert isinstance(value, float)
        assert math.isnan(value)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b'{"w": 1}', b'{"v": {}}', b"[" * 50_000, b"x" * (PAYLOAD_BYTES_MAX + 1)],
)
def test_what_cannot_be_understood(payload):
    with pytest.raises(DeviceMalformed):
        PayloadField("$.v").decode(payload)


@pytest.mark.parametrize("time", ['"noon"', '"2026-01-01T12:00:00"', "true", "[]"])
def test_times_that_are_none(time):
    with pytest.raises(DeviceMalformed, match="time"):
        PayloadField("$.v", "$.t").decode(f'{{"v": 1, "t": {time}}}'.encode())


def test_a_path_that_is_none():
    with pytest.raises(ValueError, match="not a JSON path"):
        PayloadField("$[")


@given(st.binary(max_size=200))
def test_no_bytes_surprise(data):
    for field in (PayloadField(), PayloadField("$.v", "$.t")):
        with contextlib.suppress(DeviceMalformed):
            field.decode(data)
