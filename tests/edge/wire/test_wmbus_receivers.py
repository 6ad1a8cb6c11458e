"""Receivers: what each writes, in pieces, with noise between; broken messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.wmbus_frames import FRAME_BYTES_MAX, link_frame
from citytwin_edge.wire.wmbus_receivers import LINE_CHARS_MAX, Received, ReceiverCutter, telegram_in
from tests.edge.wire.cuts import PLACES
from tests.edge.wire.test_wmbus_frames import FORMAT_A, FORMAT_B

BODY = bytes.fromhex("44AE0C7856341201078C2027780B13436587")
PLAIN = bytes([len(BODY)]) + BODY


def imst(payload, *, flags=0x4, endpoint=2, message=3, crc=True):
    """A message of IMST's host controller interface."""
    head = bytes([(flags | (8 if crc else 0)) << 4 | endpoint, message, len(payload)]) + payload
    head += (bytes(4) if flags & 2 else b"") + (b"\xa0" if flags & 4 else b"")
    return b"\xa5" + head + (Checksum("crc16-x25", "little").of(head) if crc else b"")


def amber(payload, command=3):
    head = bytes([0xFF, command, len(payload)]) + payload
    return head + Checksum("xor8").of(head)


LINES = {
    "cul A": b"b" + FORMAT_A.hex().upper().encode(),
    "cul A with signal": b"b" + FORMAT_A.hex().upper().encode() + b"8043",
    "cul B": b"bY" + FORMAT_B.hex().upper().encode(),
    "cul B with signal": b"bY" + FORMAT_B.hex().upper().encode() + b"8043",
    "rtl-wmbus": b"C1;1;1;2020-01-23 10:25:13.000;97;148;12345678;0x" + PLAIN.hex().encode(),
    "digits": PLAIN.hex().encode(),
    "0x": b"0x" + FORMAT_A.hex().encode(),
    "spaced": PLAIN.hex(" ").encode(),
}


@pytest.mark.parametrize("kind", LINES)
@given(places=PLACES)
def test_lines(kind, places):
    stream = b"V 1.67 nanoCUL868\r\n" + LINES[kind] + b"\r\n# ok\n" + LINES[kind] + b"\n"
    assert len(fed("lines", stream, places)) == 2
    for received in fed("lines", stream, places):
        assert str(link_frame(received.frame).meter) in ("12345678.CEN.1.7", "12345678.ELS.51.3")


def fed(kind, stream, places=(), **options):
    cutter, begin, found = ReceiverCutter(kind, **options), 0, []
    for end in sorted({min(place, len(stream)) for place in places} | {len(stream)}):
        found += cutter.feed(stream[begin:end])
        begin = end
    return found


@pytest.mark.parametrize("flags", [0, 2, 4, 6])
@pytest.mark.parametrize("crc", [True, False])
@given(places=PLACES)
def test_imst(flags, crc, places):
    other = imst(b"\x01\x02", endpoint=1, message=0x10)
    stream = b"\x00\x17" + other + imst(BODY, flags=flags, crc=crc) * 2
    assert fed("im871a", stream, places) == [Received(PLAIN)] * 2


def test_imst_disturbed():
    raw = bytearray(imst(BODY))
    raw[10] ^= 1
    found = fed("im871a", bytes(raw) + imst(BODY))
    assert [one.frame for one in found if not one.broken] == [PLAIN]
    assert "checksum of the receiver's message" in found[0].broken


@given(places=PLACES)
def test_amber(places):
    stream = b"\x00" + amber(b"\x00", 0x89) + amber(BODY) * 2
    assert fed("amb8465", stream, places) == [Received(PLAIN)] * 2


def test_amber_with_signal_strength():
    assert fed("amb8465", amber(BODY + b"\x40"), has_rssi=True) == [Received(PLAIN)]


def test_amber_disturbed():
    raw = bytearray(amber(BODY))
    raw[10] ^= 1
    found = fed("amb8465", bytes(raw) + amber(BODY))
    assert [one.frame for one in found if not one.broken] == [PLAIN]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("T1;0;1;2020-01-23 10:25:13.000;97;148;1;0x0A44", "was disturbed"),
        ("T1;1;0;2020-01-23 10:25:13.000;97;148;1;0x0A44", "was disturbed"),
        ("bY0A4", "one is missing"),
        ("0A4", "one is missing"),
        ("b0AXX", "hexadecimal digits are none"),
    ],
)
def test_broken_lines(text, words):
    with pytest.raises(DeviceMalformed, match=words):
        telegram_in(text)
    found = fed("lines", text.encode() + b"\n")
    assert [one.frame for one in found] == [b""]
    assert words in found[0].broken


@pytest.mark.parametrize("text", ["", "rtl_wmbus: started", "T1;1;1;no telegram", "hello"])
def test_lines_about_something_else(text):
    assert telegram_in(text) is None


@given(st.binary(max_size=400))
def test_any_bytes_are_cut_without_an_error(data):
    for kind in ("lines", "im871a", "amb8465"):
        fed(kind, data)


def test_a_line_holds_the_longest_telegram():
    assert LINE_CHARS_MAX > 2 * FRAME_BYTES_MAX + 100
