"""DLMS cutters: application data units out of the wrapper of TCP and UDP, and out of M-Bus frames.

>>> WrapperCutter().feed(bytes.fromhex("0001 0001 0066 0003 0f0102"))
[Message(data=b'\\x0f\\x01\\x02', broken='')]
"""

from __future__ import annotations

from typing import Final

from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.frames import FrameCutter, FrameLayout
from citytwin_edge.wire.hdlc import APDU_BYTES_MAX
from citytwin_edge.wire.messages import Message

_VERSION: Final = b"\x00\x01"
_HEADER: Final = 8
_MBUS: Final = FrameLayout(
    start=b"\x68", length_at=1, length_adds=6, end=b"\x16", checksum=Checksum("sum8", first=4),
    length_max=261,
)  # fmt: skip
_FIN: Final = 0x10
_MBUS_HEADER: Final = 9
"""68 L L 68, C, A, CI, and the two DLMS access points (IEC 62056-7-3)."""


class WrapperCutter:
    """Cuts wrapper messages (IEC 62056-47: version, two ports, length); see messages.Cutter.

    A stream that is out of step is given up: nothing in it tells where the next one begins.
    """

    def __init__(self) -> None:
        """Begin."""
        self._rest = bytearray()
        self.skipped = 0

    @property
    def is_within(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the messages that end in them."""
        self._rest += data
        found: list[Message] = []
        while len(self._rest) >= _HEADER:
            size = int.from_bytes(self._rest[6:8])
            if not self._rest.startswith(_VERSION) or not 0 < size <= APDU_BYTES_MAX:
                found.append(Message(b"", "it does not begin with the wrapper of DLMS (version 1)"))
                self.skipped += len(self._rest)
                self._rest.clear()
                break
            if len(self._rest) < _HEADER + size:
                break
            found.append(Message(bytes(self._rest[_HEADER : _HEADER + size])))
            del self._rest[: _HEADER + size]
        return found


class MbusCutter:
    """Cuts messages that come in M-Bus long frames (IEC 62056-7-3); see messages.Cutter.

    The lower half of CI counts the segments of one message from 0; its bit 4 marks the last.
    """

    def __init__(self) -> None:
        """Begin."""
        self._frames = FrameCutter(_MBUS)
        self._joined = bytearray()
        self._next = 0
        self.skipped = 0

    @property
    def is_within(self) -> bool:
        """Whether a frame, or a row of segments, has begun and not ended."""
        return bool(self._joined) or self._frames.is_within

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the messages that end in them."""
        found: list[Message] = []
        for frame in self._frames.feed(data):
            if frame.broken:
                self._drop()
                found.append(Message(b"", frame.broken))
            else:
                self._join(frame.data, found)
        self.skipped = self._frames.skipped
        return found

    def _join(self, frame: bytes, found: list[Message]) -> None:
        number, is_last = frame[6] & 0x0F, bool(frame[6] & _FIN)
        if frame[1] != frame[2] or len(frame) < _MBUS_HEADER + 2 or frame[3] != frame[0]:
            self._drop()
            found.append(Message(b"", "it is no M-Bus long frame"))
            return
        if number == 0:
            self._drop()
        if number != self._next:
            self._drop()
            found.append(Message(b"", "a segment is missing"))
            return
        self._joined += frame[_MBUS_HEADER:-2]
        self._next = (number + 1) & 0x0F
        if is_last:
            found.append(Message(bytes(self._joined)))
            self._drop()

    def _drop(self) -> None:
        self._joined.clear()
        self._next = 0
