"""Wireless M-Bus telegrams: what lies between the radio frame and the records, and its keys.

Extended link layer (CI 8C to 8F, with AES-128-CTR), authentication layer (CI 90, with AES-CMAC),
then the same transport and application layers as on the wired bus.
Source: EN 13757-4:2019, 13; EN 13757-7:2018, 6; OMS specification volume 2, issue 4.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.mbus_security import NO_KEY, WRONG_KEY, Sender, check_mac, ctr
from citytwin_edge.wire.mbus_telegram import (
    LONG,
    Envelope,
    Formats,
    Meter,
    Telegram,
    long_address,
    meter_of,
    telegram,
)
from citytwin_edge.wire.wmbus_frames import LinkFrame

_EXTENDED: Final = {
    0x8C: (False, False),
    0x8D: (False, True),
    0x8E: (True, False),
    0x8F: (True, True),
}
"""Whether each has another address, and a session with a checksum."""
_AUTHENTICATION: Final = 0x90
_MORE, _HAS_CONTROL, _HAS_LENGTH, _HAS_COUNTER, _HAS_MAC, _HAS_KEY = (
    0x4000, 0x2000, 0x1000, 0x0800, 0x0400, 0x0200,
)  # fmt: skip
"""Bits of the fragmentation control field (EN 13757-7, table 9)."""
_MAC_BYTES: Final = {0: 0, 3: 2, 4: 4, 5: 8, 6: 12, 7: 16}
"""By authentication type: all AES-CMAC-128."""
_CRC: Final = Checksum("crc16-en-13757", "little")
_REPEATED: Final = 0x12
"""Bits of the communication control field that a repeater changes."""


def wireless(frame: LinkFrame, key: bytes = b"", formats: Formats | None = None) -> Telegram:
    """Return what a radio frame says.

    Args:
        frame: the frame.
        key: the meter's; empty: none. With a key nothing is believed that comes in clear.
        formats: layouts of the meter's compact telegrams; remembers what it learns.

    Raises:
        DeviceRefused: the meter reports an error instead.
        DeviceMalformed: it cannot be understood, or not without a key.
    """
    ci, data = frame.ci, frame.data
    sender, is_opened = Sender(frame.address, 0), False
    if ci in _EXTENDED:
        ci, data, is_opened = _extended(frame, key)
    if ci == _AUTHENTICATION:
        ci, data, sender = _authenticated(data, key, sender)
    known = Formats() if formats is None else formats
    return telegram(ci, data, key=key, around=Envelope(frame.meter, sender, known, is_opened))


def sender_of(frame: LinkFrame) -> Meter:
    """Return whose telegram it is: of a meter behind a radio adapter, the meter's own address."""
    ci, data = frame.ci, frame.data
    if ci in (0x8C, 0x8E):
        at = 2 + 8 * _EXTENDED[ci][0]
        ci, data = data[at] if len(data) > at else 0, data[at + 1 :]
    if ci == _AUTHENTICATION and data:
        at = data[0] + 1
        ci, data = data[at] if len(data) > at else 0, data[at + 1 :]
    if ci in LONG and len(data) >= 8:
        return meter_of(data[:4], data[4:6], data[6], data[7])
    return frame.meter


def _extended(frame: LinkFrame, key: bytes) -> tuple[int, bytes, bool]:
    """Return CI field and data behind the extended link layer, and whether it was encrypted."""
    has_address, has_session = _EXTENDED[frame.ci]
    data = frame.data
    at = 2 + 8 * has_address
    is_opened = False
    if has_session:
        session = data[at : at + 4]
        at += 4
        if len(session) < 4:
            raise DeviceMalformed("the telegram ends within its extended link layer")
        rest = data[at:]
        encryption = session[3] >> 5
        if encryption:
            if encryption != 1:
                raise DeviceMalformed(f"encryption {encryption} of the link layer is unknown")
            if not key:
                raise DeviceMalformed(NO_KEY.format("of the link layer"))
            control = bytes([data[0] & ~_REPEATED])
            rest, is_opened = ctr(key, frame.address + control + session + bytes(3), rest), True
        if rest[:2] != _CRC.of(rest[2:]):
            raise DeviceMalformed(
                WRONG_KEY if is_opened else "the checksum of the link layer is wrong"
            )
        data, at = rest, 2
    if len(data) <= at:
        raise DeviceMalformed("the telegram ends within its extended link layer")
    return data[at], data[at + 1 :], is_opened


class _Fields(NamedTuple):
    control: bytes
    counter: bytes
    mac: bytes
    length: bytes


def _authenticated(data: bytes, key: bytes, sender: Sender) -> tuple[int, bytes, Sender]:
    """Return CI field, data and sender behind the authentication layer, checked."""
    size = data[0] if data else 0
    head, rest = data[1 : 1 + size], data[1 + size :]
    if len(head) < size or size < 2 or not rest:
        raise DeviceMalformed("the telegram ends within its authentication layer")
    flags = int.from_bytes(head[:2], "little")
    if flags & _MORE or flags & 0xFF:
        raise DeviceMalformed("the telegram is one of several fragments, which is not supported")
    fields = _fields(head[2:], flags)
    sender = sender._replace(counter=fields.counter)
    if rest[0] in LONG and len(rest) > 8:
        sender = sender._replace(address=long_address(rest[1:]))
    if fields.mac:
        if not key:
            raise DeviceMalformed(NO_KEY.format(7))
        covered = fields.control + fields.counter + fields.length + rest
        check_mac(key, sender, covered, fields.mac)
    return rest[0], rest[1:], sender


def _fields(data: bytes, flags: int) -> _Fields:
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        taken = data[at : at + count]
        if len(taken) < count:
            raise DeviceMalformed("the telegram ends within its authentication layer")
        at += count
        return taken

    control = take(1 if flags & _HAS_CONTROL else 0)
    kind = control[0] & 0x0F if control else 0
    if kind not in _MAC_BYTES:
        raise DeviceMalformed(f"authentication type {kind} is not supported")
    take(2 if flags & _HAS_KEY else 0)
    counter = take(4 if flags & _HAS_COUNTER else 0)
    mac = take(_MAC_BYTES[kind] if flags & _HAS_MAC else 0)
    return _Fields(control, counter, mac, take(2 if flags & _HAS_LENGTH else 0))
