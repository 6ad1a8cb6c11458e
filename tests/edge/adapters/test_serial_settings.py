"""Serial settings: what fits together, and what each mistake is called."""

import msgspec
import pytest

from citytwin_edge.adapters.serial_settings import SerialDevice, SerialPoint
from citytwin_edge.wire.frames import FrameCutter
from citytwin_edge.wire.lines import LineCutter

PORT = {"serial": "/dev/serial/by-id/usb-FTDI-port0"}
FRAME = {"start": r"\x02", "end": r"\x03"}


def device(**fields):
    return msgspec.convert(PORT | fields, SerialDevice)


def test_where_it_is():
    end = device(baud=4800, data_bits=7, parity="even", stop_bits=2, rs485=True).endpoint()
    assert end.key == ("serial", PORT["serial"], 0)
    assert end.settings() == ("listening, 4800 Bd, parity even, stop bits 2, data bits 7, RS-485")
    net = msgspec.convert({"host": "10.0.0.7", "port": 4002}, SerialDevice).endpoint()
    assert (net.key, net.byte_s) == (("tcp", "10.0.0.7", 4002), 0.0)


def test_lines_are_the_default_and_frames_are_asked_for():
    cutter = device().cutter(midway=True)
    assert isinstance(cutter, LineCutter)
    assert [one.data for one in cutter.feed(b"half\r\nwhole\r\n")] == [b"whole"]
    assert isinstance(device(frame=FRAME).cutter(), FrameCutter)


def test_checksums_are_digits_in_lines_and_bytes_in_frames():
    checksum = {"kind": "xor8", "first": 1, "mark": "*"}
    lines = device(checksum=checksum)
    assert lines.bytes_of(r"$PASET,1*{checksum}\r\n") == b"$PASET,1*4E\r\n"
    assert device(frame=FRAME, checksum={"kind": "sum8"}).bytes_of(r"\x02A{checksum}") == b"\x02AC"


def test_a_checksum_without_a_name():
    own = {"kind": "crc", "width": 16, "poly": 0x8005, "init": 0xFFFF, "reflected": True}
    checksum = device(checksum=own, frame=FRAME | {"length": 9}).checksum_of_messages()
    assert checksum is not None
    assert checksum.of(b"123456789") == b"\x4b\x37"


def test_addresses():
    assert device(address=7).bytes_of("{address:02d}") == b"07"
    assert device(address="A7").bytes_of("{address}") == b"A7"
    with pytest.raises(ValueError, match="is for commands only"):
        device().bytes_of("{value}")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"serial": ""}, "needs either serial"),
        ({"host": "10.0.0.7"}, "needs either serial"),
        ({"serial": "", "host": "h", "rs485": True}, "belong to a serial port of this machine"),
        ({"line": {}, "frame": FRAME}, "line and frame exclude each other"),
        ({"request": "?"}, 'go with mode = "polled"'),
        ({"echo": True}, 'go with mode = "polled"'),
        ({"line": {"terminator": ""}}, "terminator must be"),
        ({"line": {"terminator": r"\q"}}, r"terminator: \\q is not an escape"),
        ({"line": {"length_max": 4096}}, "1024"),
        ({"frame": {"start": "a"}}, "a frame needs length"),
        ({"frame": FRAME | {"length": 3, "length_at": 1}}, "exclude each other"),
        ({"checksum": {"kind": "sum8", "after_end": True}}, "after_end goes with frame"),
        ({"checksum": {"kind": "crc8"}}, "crc8"),
        ({"checksum": {"kind": "crc"}}, 'go with kind = "crc"'),
        ({"checksum": {"kind": "crc", "width": 8}}, "needs both width and poly"),
        ({"checksum": {"kind": "sum8", "width": 8, "poly": 7}}, 'go with kind = "crc"'),
        ({"checksum": {"kind": "crc", "width": 8, "poly": 0x107}}, "poly does not fit into 8"),
        ({"wake": {"send": "?"}}, 'request, wake and echo go with mode = "polled"'),
        ({"mode": "polled", "request": "?", "wake": {"send": "{value}"}}, "wake: .* for commands"),
        ({"match": "{value}"}, "is for commands only"),
        ({"match": "{checksum}"}, "match: {checksum} needs the device's checksum"),
        ({"mode": "polled", "request": "{address:02d}", "address": "A"}, "cannot be written"),
        ({"time": {"at": 3}}, "there is no frame"),
        ({"time": {"format": "%H:%M %Y"}}, "must have a time of day"),
        ({"time": {"column": 1, "at": 3}}, "at is a place in bytes"),
        ({"time": {"column": 1, "format": "%H:%M"}}, "names no offset: utc_offset_h must say"),
        ({"time": {"column": 1, "utc_offset_h": 15}}, "<= 14"),
        ({"baud": 0}, "baud"),
        ({"bauds": 9600}, "unknown field"),
    ],
)
def test_devices_that_cannot_work(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        device(**fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"at": 1, "column": 1}, "at is a place in bytes"),
        ({"type": "uint8"}, "type, order and length go with at"),
        ({"bits": [1]}, "bits and digits go with at"),
        ({"digits": 2}, "bits and digits go with at"),
        ({"at": 1, "words": {"A": 1}}, "words and form are of texts"),
        ({"at": 1, "sentinel": ["A"]}, "a whole number"),
        ({"at": 1, "type": "uint16", "sentinel": [65536]}, "does not fit into 16 bits"),
        ({"at": 1, "type": "uint16", "bits": [9, 20]}, "within 0 to 15"),
        ({"at": 1, "type": "string"}, "a string needs length"),
        ({"column": 1, "pattern": "a"}, "exclude each other"),
        ({"pattern": "(a+)+"}, "repeats a group"),
        ({"at": 1, "form": "degrees-minutes"}, "words and form are of texts"),
        ({"at": 1, "columns": [1, 2]}, "at is a place in bytes"),
        ({"column": 1, "only_when": [{"column": 2}]}, "has either equals or not_equals"),
        ({"column": 1, "only_when": [{"equals": ["A"], "not_equals": ["B"]}]}, "has either"),
        ({"at": 1, "only_when": [{"at": 2, "equals": ["A"]}]}, "have whole numbers here"),
        ({"at": 1, "only_when": [{"at": 2, "type": "float32", "equals": [1]}]}, "a whole number"),
        ({"at": 1, "only_when": [{"column": 2, "equals": [1]}]}, "have texts here"),
        ({"clock": True, "column": 1}, "clock has no place of its own"),
        ({"clock": True, "command": "{value}"}, "clock has no place of its own"),
        ({"command_answer": "OK"}, "go with command"),
        ({"command": "a", "command_refusal": "NO"}, "goes with command_answer"),
    ],
)
def test_points_that_cannot_work(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(fields, SerialPoint)
