"""HDLC: cuts frames of format type 3 out of a stream and joins segments (IEC 62056-46); no I/O.

>>> address(bytes.fromhex("0883")), address(bytes.fromhex("41"))
(2, 1)
"""

from __future__ import annotations

from typing import Final

from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.messages import Message

FLAG: Final = 0x7E
FRAME_BYTES_MAX: Final = 2047
"""The length field has 11 bits (IEC 62056-46, 6.4.2.2)."""
APDU_BYTES_MAX: Final = 16 * 1024
_FORMAT: Final = 0xA0
_SEGMENTED: Final = 0x08
_LLC: Final = (b"\xe6\xe7\x00", b"\xe6\xe6\x00")
_CHECK: Final = Checksum("crc16-x25", order="little")
_BYTES_MIN: Final = 7
"""Format (2), two addresses of one byte, control, check sequence."""


def address(octets: bytes) -> int:
    """Return the length of the address field that begins here; 0 where none ends in four bytes."""
    for size, octet in enumerate(octets[:4], 1):
        if octet & 1:
            return size
    return 0


class HdlcCutter:
    """Cuts what HDLC frames carry; see :class:`citytwin_edge.wire.messages.Cutter`.

    A message is the application's data unit: the information of one frame, or of several that are
    segments of one. When one of them is missing or wrong, the others are given up with it.
    """

    def __init__(self) -> None:
        """Begin."""
        self._rest = bytearray()
        self._joined = bytearray()
        self._joins = False
        self.skipped = 0

    @property
    def is_within(self) -> bool:
        """Whether a frame, or a row of segments, has begun and not ended."""
        return self._joins or len(self._rest) > 1

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return what the frames that end in them carry."""
        self._rest += data
        found: list[Message] = []
        while self._aligned():
            size = (self._rest[1] & 0x07) << 8 | self._rest[2]
            if len(self._rest) < size + 2:
                break
            self._take(size, found)
        return found

    def _aligned(self) -> bool:
        """Leave out what cannot begin a frame; return whether one may begin, three bytes at least.

        A frame may share its flag with the next one, so a closing flag is left where it is.
        """
        rest = self._rest
        while rest:
            start = rest.find(FLAG)
            self._leave_out(len(rest) if start < 0 else start)
            if len(rest) < 3:
                return False
            size = (rest[1] & 0x07) << 8 | rest[2]
            if rest[1] & 0xF0 == _FORMAT and size >= _BYTES_MIN:
                return True
            if rest[1] == FLAG:  # the end of one frame, the beginning of the next
                del rest[:1]
            else:
                self._leave_out(1)
        return False

    def _leave_out(self, size: int) -> None:
        if size:
            self.skipped += size
            self._drop()
            del self._rest[:size]

    def _drop(self) -> None:
        """Give up segments: what stands between them was none."""
        self._joined.clear()
        self._joins = False

    def _take(self, size: int, found: list[Message]) -> None:
        """Take a frame of so many bytes between its flags."""
        frame = bytes(self._rest[1 : size + 1])
        if self._rest[size + 1] != FLAG:
            self._leave_out(1)
            return
        broken = "" if _CHECK.fits(frame) else "the frame check sequence is wrong"
        information = b"" if broken else _information(frame)
        del self._rest[: size + 1]
        if information is None:
            broken = "the header check sequence is wrong"
        if broken or information is None:
            self._drop()
            found.append(Message(b"", broken))
            return
        self._join(information, is_last=not frame[0] & _SEGMENTED, found=found)

    def _join(self, information: bytes, *, is_last: bool, found: list[Message]) -> None:
        self._joined += information
        self._joins = True
        if len(self._joined) > APDU_BYTES_MAX:
            self._drop()
            found.append(Message(b"", f"segments do not end within {APDU_BYTES_MAX} bytes"))
        elif is_last:
            data = bytes(self._joined)
            self._drop()
            if data.startswith(_LLC):
                data = data[3:]
            if data:
                found.append(Message(data))


def _information(frame: bytes) -> bytes | None:
    """Return what a frame carries; None where its header is wrong."""
    to = address(frame[2:])
    by = address(frame[2 + to :])
    header = 2 + to + by + 1
    if not to or not by or header > len(frame) - 2:
        return None
    if header == len(frame) - 2:  # no information: the frame's check sequence is the header's
        return b""
    if not _CHECK.fits(frame[: header + 2]):
        return None
    return frame[header + 2 : -2]
