"""Frames: cuts what an instrument sends as bytes into frames; without I/O.

A frame has a start, an end, a length, or some of these. Where bytes that look like one are none (a
wrong checksum, a length beyond the limit), the search goes on at the byte behind the first of them.

>>> layout = FrameLayout(start=b"\\x68", length_at=1, length_adds=3, checksum=Checksum("sum8"))
>>> FrameCutter(layout).feed(bytes.fromhex("00 68 02 01 07 72 68"))
[Message(data=b'h\\x02\\x01\\x07r', broken='')]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.messages import Message


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """How a frame is told from what is around it; lengths and places are in bytes, from 0.

    Attributes:
        start: what it begins with.
        end: what it ends with. Without ``escape`` and without a length it must not occur inside.
        length: of the whole frame, where all have the same; else 0.
        length_at: where a number says how long it is; None if none does.
        length_bytes, length_order: that number: 1 or 2 bytes, big or little.
        length_adds: what it leaves out: the whole frame is so much longer than it says.
        escape: a byte that makes the next one a part of the frame, whatever it is. A length is then
            that without escapes, and what ends elsewhere is broken.
        escape_xor: with which that next byte was changed (HDLC: 0x20); 0 where it was not.
        checksum: stands at its end, before ``end`` or, with ``after_end``, behind it.
        length_max: bytes that a whole frame may have.

    Raises:
        ValueError: the attributes do not fit together; the text says which and what is allowed.
    """

    start: bytes = b""
    end: bytes = b""
    length: int = 0
    length_at: int | None = None
    length_bytes: int = 1
    length_order: str = "big"
    length_adds: int = 0
    escape: bytes = b""
    escape_xor: int = 0
    checksum: Checksum | None = None
    length_max: int = 256

    def __post_init__(self) -> None:
        """Refuse what cannot be told apart."""
        has_length = self.length > 0 or self.length_at is not None
        if self.length and self.length_at is not None:
            raise ValueError("length and length_at exclude each other: it is fixed, or it is told")
        if not has_length and not (self.start and self.end):
            raise ValueError("a frame needs length or length_at, or else both start and end")
        if self.length_at is not None and not self.start and self.checksum is None:
            raise ValueError("length_at needs start or a checksum: nothing tells where one begins")
        if self.length_adds and self.length_at is None:
            raise ValueError("length_adds goes with length_at")
        if self.escape and (len(self.escape) != 1 or not (self.start and self.end)):
            raise ValueError("escape is one byte and goes with start and end")
        if self.escape_xor and not self.escape:
            raise ValueError("escape_xor goes with escape")
        if self.length > self.length_max or (self.length and self.length < self.least):
            raise ValueError(
                f"length {self.length} is outside {self.least} to {self.length_max} (length_max)"
            )

    @property
    def tail(self) -> int:
        """Bytes of checksum and end."""
        return len(self.end) + (0 if self.checksum is None else self.checksum.size)

    @property
    def least(self) -> int:
        """Bytes that the shortest frame has."""
        told = 0 if self.length_at is None else self.length_at + self.length_bytes
        return max(len(self.start), told) + self.tail

    def told(self, frame: bytes | bytearray) -> int:
        """Return how long a frame is, by itself or as all of them; 0 where nothing tells."""
        if self.length_at is None:
            return self.length
        number = frame[self.length_at : self.length_at + self.length_bytes]
        said = int.from_bytes(number, "little" if self.length_order == "little" else "big")
        return said + self.length_adds

    def body(self, frame: bytes) -> bytes:
        """Return a frame without start, checksum and end."""
        return frame[len(self.start) : len(frame) - self.tail]


class _Found(NamedTuple):
    """What stands at the beginning of the bytes at hand.

    Attributes:
        size: bytes of it on the line; 0: it is no frame.
        frame: without escapes.
    """

    size: int
    frame: bytes


_NONE: Final = _Found(0, b"")


class FrameCutter:
    """Cuts frames; see :class:`citytwin_edge.wire.messages.Cutter`."""

    def __init__(self, layout: FrameLayout) -> None:
        """Begin; a stream may begin inside a frame."""
        self._layout = layout
        self._rest = bytearray()
        self._garbage = 0
        self.skipped = 0

    @property
    def is_within(self) -> bool:
        """Whether a frame may have begun and has not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the frames that end in them."""
        start = self._layout.start
        found: list[Message] = []
        self._rest += data
        while self._rest:
            place = self._rest.find(start)
            if place < 0:
                self._skip(len(self._rest) - len(start) + 1, found)
                break
            self._skip(place, found)
            one = self._first()
            if one is None:
                break
            if not one.size:
                self._skip(1, found)
                continue
            broken = self._judge(one.frame)
            found.append(Message(one.frame, broken))
            self._garbage = 0
            if broken:
                self._skip(1, found)
            else:
                shared = len(start) if start == self._layout.end else 0
                del self._rest[: one.size - shared]
        return found

    def _skip(self, count: int, found: list[Message]) -> None:
        """Leave bytes out, and say so each time there are as many as a frame may have."""
        if count <= 0:
            return
        del self._rest[:count]
        self.skipped += count
        length_max = self._layout.length_max
        before, self._garbage = self._garbage, self._garbage + count
        for _ in range(self._garbage // length_max - before // length_max):
            found.append(Message(b"", f"no frame in {length_max} bytes"))

    def _first(self) -> _Found | None:
        """Return what stands at the beginning; None when more bytes are needed to tell."""
        layout = self._layout
        if layout.escape:
            return self._escaped()
        if layout.length:
            return self._of(layout.length)
        if layout.length_at is not None:
            if len(self._rest) < layout.length_at + layout.length_bytes:
                return None
            size = layout.told(self._rest)
            return self._of(size) if layout.least <= size <= layout.length_max else _NONE
        begin = len(layout.start)
        if layout.start == layout.end and self._rest.startswith(layout.end, begin):
            return _NONE  # two frames may share a flag, or have two between them
        place = self._rest.find(layout.end, begin)
        size = place + len(layout.end) + self._behind()
        if place < 0:
            return None if len(self._rest) - len(layout.end) < layout.length_max else _NONE
        return self._of(size) if layout.least <= size <= layout.length_max else _NONE

    def _of(self, size: int) -> _Found | None:
        return _Found(size, bytes(self._rest[:size])) if len(self._rest) >= size else None

    def _behind(self) -> int:
        """Return how many bytes follow the end."""
        checksum = self._layout.checksum
        return checksum.size if checksum is not None and checksum.after_end else 0

    def _escaped(self) -> _Found | None:
        """Return the frame whose end is not escaped, without its escapes."""
        layout, rest = self._layout, self._rest
        place = len(layout.start)
        frame = bytearray(layout.start)
        if layout.start == layout.end and rest.startswith(layout.end, place):
            return _NONE
        while len(frame) + layout.tail <= layout.length_max:
            if rest.startswith(layout.end, place):
                size = place + len(layout.end) + self._behind()
                if len(rest) < size:
                    return None
                return _Found(size, bytes(frame + rest[place:size]))
            if rest.startswith(layout.start, place) and layout.start[:1] == layout.escape:
                return _NONE  # it broke off, and the next one begins here
            if len(rest) - place < max(2, len(layout.end)):
                return None
            ahead = rest[place : place + 2]
            is_escape = ahead[:1] == layout.escape
            frame.append(ahead[1] ^ layout.escape_xor if is_escape else ahead[0])
            place += 2 if is_escape else 1
        return _NONE

    def _judge(self, frame: bytes) -> str:
        """Return what is wrong with a frame, in words."""
        layout, checksum = self._layout, self._layout.checksum
        behind = self._behind()
        if layout.end and not frame[: len(frame) - behind].endswith(layout.end):
            return f"it does not end with {layout.end.hex(' ')}"
        if layout.escape and layout.told(frame) not in {0, len(frame)}:
            return f"it has {len(frame)} bytes, not {layout.told(frame)}"
        if checksum is None:
            return ""
        covered = frame if checksum.after_end else frame[: len(frame) - len(layout.end)]
        return "" if checksum.fits(covered) else "the checksum is wrong"
