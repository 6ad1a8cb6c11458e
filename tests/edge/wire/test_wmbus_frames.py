"""Wireless M-Bus frames: both formats, with and without checksums, and each bit that is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.wmbus_frames import format_a, format_b, link_frame, size_a

CRC = Checksum("crc16-en-13757")
# OMS specification, volume 2, annex N, example N.1.1; a frame of a CENelec sample meter.
FORMAT_A = bytes.fromhex(
    "2E44931578563412330333637A2A0020255923C95AAA26D1B2E7493BC2AD013EC4A6F6D3529B520EDFF0EA6DEFC9"
    "55B29D6D69EBF3EC8A"
)
FORMAT_B = bytes.fromhex("1444AE0C7856341201078C2027780B134365877AC5")


def in_format_a(body):
    raw: bytes = bytes([len(body)]) + body
    blocks = [raw[:10], *(raw[at : at + 16] for at in range(10, len(raw), 16))]
    return b"".join(block + CRC.of(block) for block in blocks)


def in_format_b(body):
    first, second = body[:125], body[125:]
    length = len(body) + 2 + (2 if second else 0)
    first = bytes([length]) + first
    return first + CRC.of(first) + (second + CRC.of(second) if second else b"")


def test_both_formats():
    one, other = link_frame(FORMAT_A), link_frame(FORMAT_B)
    assert (str(one.meter), one.ci, one.control) == ("12345678.ELS.51.3", 0x7A, 0x44)
    assert (str(other.meter), other.ci) == ("12345678.CEN.1.7", 0x8C)
    assert one.address.hex() == "9315785634123303"


def test_without_checksums():
    """As receivers give them that have compared the checksums themselves."""
    body = format_a(FORMAT_A)
    assert body is not None
    assert link_frame(bytes([len(body)]) + body) == link_frame(FORMAT_A)


@given(st.binary(min_size=10, max_size=245))
def test_frames_there_and_back(body):
    a, b = in_format_a(body), in_format_b(body)
    assert len(a) == size_a(len(body))
    assert format_a(a) == format_b(b) == body
    assert link_frame(a) == link_frame(b)


@pytest.mark.parametrize("at", range(1, len(FORMAT_A)))
def test_a_changed_byte_of_format_a_is_found(at):
    for bit in range(8):
        raw = bytearray(FORMAT_A)
        raw[at] ^= 1 << bit
        with pytest.raises(DeviceMalformed, match=r"checksum of the radio frame \(format A\)"):
            link_frame(bytes(raw))


def test_a_changed_byte_of_format_b_is_found():
    body = bytes(range(200))
    for at in range(1, len(in_format_b(body))):
        raw = bytearray(in_format_b(body))
        raw[at] ^= 0x10
        assert format_b(bytes(raw)) is None


@pytest.mark.parametrize("raw", [b"", FORMAT_A[:9], FORMAT_A[:-1], FORMAT_A + b"\0", bytes(11)])
def test_other_lengths_are_no_frames(raw):
    with pytest.raises(DeviceMalformed, match="radio frame"):
        link_frame(raw)
