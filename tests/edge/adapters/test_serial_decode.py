"""Serial messages decoded without a line: what they say of points, and which are none."""

import math

import msgspec
import pytest

from citytwin import Quality
from citytwin.adapter import Decodes, Exchange
from citytwin.errors import ConfigError, DeviceMalformed
from citytwin_edge.adapters.serial import SERIAL
from citytwin_edge.adapters.serial_settings import SerialDevice
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import FRAME, bindings_of, frame

POLLED = {"mode": "polled", "request": r"#{address}\r", "address": 7, "match": "7"}


def decoded(points, *exchanges, **device):
    settings = msgspec.convert({"serial": "/dev/ttyS9", **device}, SerialDevice)
    found = SERIAL.decode(
        settings, bindings_of(points), [Exchange(*one) for one in exchanges], new_site()
    )
    return {one.point: (None if math.isnan(one.value) else one.value, one.quality, one.raw)
            for one in found}  # fmt: skip


def test_the_adapter_decodes():
    assert isinstance(SERIAL, Decodes)


def test_lines_with_their_end_or_without_and_the_last_value_counts():
    points = [{"column": 1, "match": "1"}, {"column": 2, "match": "1"}, {"match": "2"}]
    told = decoded(points, (b"", b"1.5,ERR"), (b"", b"1.75,4\r\n1.5,5\r\n"))
    good = Quality.GOOD
    assert told == {0: (1.5, good, b"1.5"), 1: (5.0, good, b"5")}, "nothing is said of the third"
    told = decoded(points, (b"", b"1.5,ERR"))
    assert told[1] == (None, Quality.BAD_MALFORMED, b"1.5,ERR")


def test_frames_with_what_is_around_them():
    told = decoded([{"at": 3, "type": "uint16"}], (b"", b"\x06" + frame(b"\x05\x00\x2a")), **FRAME)
    assert told == {0: (42.0, Quality.GOOD, b"\x00\x2a")}


def test_answers_belong_to_their_requests():
    points = [{"chars": [2, 9]}, {"chars": [2, 9], "request": r"#T\r"}]
    told = decoded(points, (b"#7\r", b"7+1"), (b"#T\r", b"7+2"), **POLLED)
    assert [told[0][0], told[1][0]] == [1.0, 2.0]
    wake = {"wake": {"send": r"\n", "answer": r"\n\r"}}
    told = decoded(points, (b"\n", b"\n\r"), (b"#T\r", b"7+2"), **POLLED | wake)
    assert {point: value for point, (value, _, _) in told.items()} == {1: 2.0}


def test_a_clock_is_left_out():
    points = [{"column": 2}, {"clock": True}]
    told = decoded(points, (b"", b"1767268700,5"), time={"column": 1})
    assert list(told) == [0]


@pytest.mark.parametrize(
    ("exchange", "device", "words"),
    [
        ((b"", b"junk"), FRAME, "no message in it"),
        ((b"", frame(b"\x05\x00\x2a")[:-2] + b"\x00\x16"), FRAME, "the checksum is wrong"),
        ((b"", b"x" * 300), {}, "no line ends within 256 bytes"),
        ((b"#7\r", b"7+1"), {}, "speaks by itself, without a request"),
        ((b"#8\r", b"8+1"), POLLED, r"is never asked b'#8\\r', but b'#7\\r'"),
        ((b"", b"7+1"), POLLED, "is never asked b''"),
    ],
)
def test_what_is_no_exchange_is_said(exchange, device, words):
    points = [{"at": 2}] if "frame" in device else [{}]
    with pytest.raises(DeviceMalformed, match=words):
        decoded(points, exchange, **device)


def test_points_that_do_not_fit_are_refused_as_when_an_adapter_is_built():
    with pytest.raises(ConfigError, match="at is a place in a frame"):
        decoded([{"at": 1}], (b"", b"1"))
