"""M-Bus frames: what is sent, and what is found in what comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.mbus_frames import (
    ACK,
    ANSWER_BYTES_MAX,
    Answer,
    Frame,
    initialise,
    long_frame,
    read_frame,
    request_data,
    reset,
    select,
    short_frame,
)
from tests.edge.wire.cuts import PLACES

ANSWER = bytes.fromhex("68 09 09 68 08 05 78 04 13 15 31 00 00 E2 16")
"""Worked by hand: 08 + 05 + 78 + 04 + 13 + 15 + 31 = E2."""


def test_what_is_sent():
    """The frames of "The M-Bus: a documentation" 4.8, chapters 5.3 and 7.1."""
    assert initialise(1).hex(" ") == "10 40 01 41 16"
    assert request_data(1, count=True).hex(" ") == "10 7b 01 7c 16"
    assert request_data(1, count=False).hex(" ") == "10 5b 01 5c 16"
    wanted = "68 0b 0b 68 53 fd 52 78 56 34 12 ff ff ff ff b2 16"
    assert select("12345678").hex(" ") == wanted
    assert reset(0xFE, 0x10).hex(" ") == "68 04 04 68 53 fe 50 10 b1 16"
    by_number = select("FFFFFFFF", 0x2C2D, 8, 4, "00123456").hex(" ")
    assert by_number == "68 11 11 68 53 fd 52 ff ff ff ff 2d 2c 08 04 0c 78 56 34 12 00 23 16"


def test_a_frame_has_a_limit():
    assert len(long_frame(8, 1, 0x72, bytes(252))) == 261
    with pytest.raises(ValueError, match="at most 252 bytes of data, not 253"):
        long_frame(8, 1, 0x72, bytes(253))


@given(PLACES)
def test_an_answer_is_found_however_it_comes(places):
    answer, stream, begin = Answer(), b"\x00\x68\x68\x01\xff" + ANSWER, 0
    found = None
    for end in sorted({min(place, len(stream)) for place in places} | {len(stream)}):
        assert found is None
        found = answer.feed(stream[begin:end])
        begin = end
        if found is not None:
            break
    assert found == Frame(8, 5, 0x78, ANSWER[7:-2])
    assert found is not None
    assert found.is_answer


@pytest.mark.parametrize("at", range(len(ANSWER)))
def test_a_changed_byte_is_found(at):
    """Whichever bit of it: no single one passes."""
    for bit in range(8):
        raw = bytearray(ANSWER)
        raw[at] ^= 1 << bit
        answer = Answer()
        assert answer.feed(bytes(raw)) is None
        assert answer.is_noise
        assert answer.why()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("AA BB", "no frame begins in it"),
        ("68 09 09 68 08 05", "ends after 6 of 15 bytes"),
        ("68 09 08 68 08 05", "beginning is none of a frame"),
        ("68 03 03 68 08 05 78 00 16", "checksum is wrong"),
    ],
)
def test_it_is_said_what_is_wrong(raw, words):
    answer = Answer()
    assert answer.feed(bytes.fromhex(raw)) is None
    assert words in answer.why()


def test_acknowledgements():
    answer = Answer(acknowledgement=True)
    assert answer.feed(b"\x00\x10") is None
    assert answer.why() == "it is no acknowledgement"
    assert answer.feed(b"\xe5") == Frame(ACK, 0)
    assert not Answer(acknowledgement=True).is_noise
    assert Answer().feed(b"\xe5") is None, "where data were asked for, it is noise"


def test_noise_is_bounded():
    answer = Answer()
    for _ in range(10):
        answer.feed(bytes(1000))
    assert len(answer.raw) == ANSWER_BYTES_MAX


def test_a_frame_alone():
    assert read_frame(ANSWER) == Frame(8, 5, 0x78, ANSWER[7:-2])
    assert read_frame(short_frame(0x40, 1)) == Frame(0x40, 1)
    assert read_frame(b"\xe5") == Frame(ACK, 0)
    for wrong in (b"", b"\x68", ANSWER + b"\0", ANSWER[:-1], b"\x10\x40\x01\x42\x16", b"\xe5\xe5"):
        assert read_frame(wrong) is None
    assert not Frame(0x53, 1).is_answer
    assert all(Frame(control, 1).is_answer for control in (0x08, 0x18, 0x28, 0x38))


@given(st.binary(max_size=300))
def test_bytes_by_chance_are_read_without_an_error(data):
    for one in (Answer(), Answer(acknowledgement=True)):
        one.feed(data)
        assert isinstance(one.why(), str)
    read_frame(data)
