"""Wireless M-Bus receivers: cuts telegrams out of what a radio stick or a program writes.

``lines``: a telegram a line, as a CUL writes it (``b…``, ``bY…``), as rtl-wmbus does
(``T1;1;1;…;0x…``), or as hexadecimal digits alone. ``im871a``: IMST's iM871A and iM170A.
``amb8465``: Amber's (Würth's) AMB8465 in command mode.

>>> cutter = ReceiverCutter("lines")
>>> [bytes(one.frame).hex() for one in cutter.feed(b"0x0A44AE0C785634120107\\r\\nhello\\n")]
['0a44ae0c785634120107']

Source: WIMOD iM871A HCI specification 1.6, 3; AMB8465 manual 2.1, 6 and 7; culfw's reference.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.lines import LineCutter, LineLayout
from citytwin_edge.wire.wmbus_frames import size_a

LINE_CHARS_MAX: Final = 1024
RSSI_BYTES: Final = 2
"""A CUL adds quality and strength of the signal, where it is told to."""
_IMST_START, _IMST_RADIO, _IMST_RECEIVED = 0xA5, 0x02, 0x03
_IMST_HEAD: Final = 4
_IMST_CRC: Final = Checksum("crc16-x25", "little")
_AMBER_START, _AMBER_RECEIVED = 0xFF, 0x03
_AMBER_CHECK: Final = Checksum("xor8")


class Received(NamedTuple):
    """What a receiver has brought: a radio frame from its L field on, or what is wrong with it."""

    frame: bytes
    broken: str = ""


def telegram_in(text: str) -> Received | None:
    """Return the telegram in a line of text; None where it is not about one.

    Raises:
        DeviceMalformed: the receiver says itself that its checksum was wrong, or its digits are
            none.
    """
    text = text.strip()
    if ";" in text:
        fields = text.split(";")
        digits = next((one for one in fields if one.lower().startswith("0x")), "")
        if not digits:
            return None
        if fields[1:3] != ["1", "1"]:
            raise DeviceMalformed("the receiver says that the telegram was disturbed")
        return Received(_bytes(digits[2:]))
    if text[:1] == "b":
        return Received(_of_cul(_bytes(text[1:].removeprefix("Y"))))
    digits = text.removeprefix("0x").replace(" ", "")
    if len(digits) < 2 or any(one not in "0123456789abcdefABCDEF" for one in digits):
        return None
    return Received(_bytes(digits))


def _bytes(digits: str) -> bytes:
    try:
        return binascii.unhexlify(digits)
    except ValueError:
        raise DeviceMalformed(
            "the telegram's hexadecimal digits are none, or one is missing"
        ) from None


def _of_cul(data: bytes) -> bytes:
    """Return a frame without what a CUL may add to it."""
    sizes = (size_a(data[0]), data[0] + 1) if data else ()
    return data[:-RSSI_BYTES] if len(data) - RSSI_BYTES in sizes else data


class ReceiverCutter:
    """Cuts telegrams out of a stream; the same ones however it is split."""

    def __init__(self, kind: str, *, has_rssi: bool = False) -> None:
        """Begin.

        Args:
            kind: lines, im871a or amb8465.
            has_rssi: an AMB8465 is set to add a byte of signal strength.
        """
        self._lines = LineCutter(LineLayout(b"\n", length_max=LINE_CHARS_MAX), midway=False)
        self._kind, self._has_rssi = kind, has_rssi
        self._rest = b""

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes and return the telegrams that end in them."""
        if self._kind == "lines":
            return list(self._of_lines(data))
        self._rest += data
        found: list[Received] = []
        while (one := self._first()) is not None:
            size, received = one
            self._rest = self._rest[size:]
            if received is not None:
                found.append(received)
        return found

    def _of_lines(self, data: bytes) -> Iterator[Received]:
        for message in self._lines.feed(data):
            if message.broken:
                continue
            try:
                received = telegram_in(message.data.decode("ascii", "replace"))
            except DeviceMalformed as error:
                received = Received(b"", str(error))
            if received is not None:
                yield received

    def _first(self) -> tuple[int, Received | None] | None:
        """Return how many bytes to leave behind, and a telegram in them; None: more are needed."""
        if not self._rest:
            return None
        start = _IMST_START if self._kind == "im871a" else _AMBER_START
        place = self._rest.find(start)
        if place:
            return (place if place > 0 else len(self._rest)), None
        return self._imst() if self._kind == "im871a" else self._amber()

    def _imst(self) -> tuple[int, Received | None] | None:
        rest = self._rest
        if len(rest) < _IMST_HEAD:
            return None
        flags, endpoint, length = rest[1] >> 4, rest[1] & 0x0F, rest[3]
        if flags & 1 or not 1 <= endpoint <= 4:
            return 1, None
        covered = _IMST_HEAD + length + (4 if flags & 2 else 0) + (1 if flags & 4 else 0)
        size = covered + (2 if flags & 8 else 0)
        if len(rest) < size:
            return None
        if flags & 8 and not _IMST_CRC.fits(rest[1:size]):
            return 1, Received(b"", "the checksum of the receiver's message is wrong")
        if endpoint != _IMST_RADIO or rest[2] != _IMST_RECEIVED:
            return size, None
        payload = rest[_IMST_HEAD : _IMST_HEAD + length]
        return size, Received(bytes([length]) + payload)

    def _amber(self) -> tuple[int, Received | None] | None:
        rest = self._rest
        if len(rest) < 3:
            return None
        size = rest[2] + 4
        if len(rest) < size:
            return None
        if not _AMBER_CHECK.fits(rest[:size]):
            return 1, Received(b"", "the checksum of the receiver's message is wrong")
        if rest[1] != _AMBER_RECEIVED:
            return size, None
        payload = rest[3 : size - 1 - self._has_rssi]
        return size, Received(bytes([len(payload)]) + payload)
