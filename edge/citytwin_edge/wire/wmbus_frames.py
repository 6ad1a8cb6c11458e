"""Wireless M-Bus frames: the link layer: formats A and B with their checksums, who sent it.

>>> frame = link_frame(bytes.fromhex("1444AE0C7856341201078C2027780B134365877AC5"))
>>> str(frame.meter), hex(frame.ci), frame.data.hex()
('12345678.CEN.1.7', '0x8c', '2027780b13436587')

Source: EN 13757-4:2019, 12.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.mbus_telegram import Meter, meter_of

_CRC: Final = Checksum("crc16-en-13757")
_FIRST: Final = 10
"""Bytes of the first block: L, C, M and A fields."""
_A_BLOCK: Final = 16
_B_BLOCKS: Final = 126
"""Bytes of the first two blocks of format B, without their checksum."""
HEAD_BYTES: Final = 11
"""L, C, M, A and CI fields."""
FRAME_BYTES_MAX: Final = 292
"""255 bytes with their length, and 18 checksums."""


class LinkFrame(NamedTuple):
    """A frame without its checksums.

    Attributes:
        control: C field.
        meter: who sent it.
        address: the same as sent: manufacturer, identification, version, medium; 8 bytes.
        ci: CI field.
        data: what follows it.
    """

    control: int
    meter: Meter
    address: bytes
    ci: int
    data: bytes


def link_frame(raw: bytes) -> LinkFrame:
    """Return a frame, from its L field on, whose checksums a receiver may have taken away.

    Raises:
        DeviceMalformed: a checksum is wrong, or the length is none that fits.
    """
    if len(raw) < HEAD_BYTES:
        raise DeviceMalformed(f"a radio frame has at least {HEAD_BYTES} bytes, not {len(raw)}")
    body = _without_checksums(raw)
    if len(body) < HEAD_BYTES - 1:
        raise DeviceMalformed("a radio frame ends within its header")
    address = body[1:9]
    meter = meter_of(address[2:6], address[:2], address[6], address[7])
    return LinkFrame(body[0], meter, address, body[9], body[10:])


def _without_checksums(raw: bytes) -> bytes:
    """Return what follows the L field."""
    length = raw[0]
    if len(raw) == size_a(length):
        found = format_a(raw)
        if found is None:
            raise DeviceMalformed("a checksum of the radio frame (format A) is wrong")
        return found
    if len(raw) != length + 1:
        raise DeviceMalformed(
            f"the radio frame has {len(raw)} bytes; its length field asks for {length + 1}, or for "
            f"{size_a(length)} with checksums"
        )
    return format_b(raw) or raw[1:]


def size_a(length: int) -> int:
    """Return how many bytes a frame of format A has, by its length field."""
    rest = length + 1 - _FIRST
    return length + 1 + 2 * (1 + -(-rest // _A_BLOCK))


def format_a(raw: bytes) -> bytes | None:
    """Return what follows the L field of a frame of format A; None if a checksum is wrong."""
    found, at, size = b"", 0, _FIRST
    while at < len(raw):
        block = raw[at : at + size + 2]
        if len(block) < 3 or not _CRC.fits(block):
            return None
        found += block[:-2]
        at, size = at + len(block), _A_BLOCK
    return found[1:]


def format_b(raw: bytes) -> bytes | None:
    """Return what follows the L field of a frame of format B; None if a checksum is wrong."""
    first, last = raw[: _B_BLOCKS + 2], raw[_B_BLOCKS + 2 :]
    if len(first) < HEAD_BYTES + 2 or not _CRC.fits(first):
        return None
    if last and (len(last) < 3 or not _CRC.fits(last)):
        return None
    return first[1:-2] + last[:-2]
