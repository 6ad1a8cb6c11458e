"""Lines: cuts what an instrument writes as text into lines; without I/O.

>>> cutter = LineCutter(LineLayout(checksum=Checksum("xor8", first=1, mark=b"*", in_text=True)))
>>> cutter.feed(b"$WIMWV,214.8,R,0.1,K,A*2"), cutter.feed(b"8\\r\\n$WIMWV,2")
([], [Message(data=b'$WIMWV,214.8,R,0.1,K,A', broken='')])
"""

from __future__ import annotations

from dataclasses import dataclass

from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.messages import Message


@dataclass(frozen=True, slots=True)
class LineLayout:
    """How a line is told from the next.

    Attributes:
        terminator: what ends it; with a line feed alone, a carriage return before it goes too.
        start: what begins it, if anything does; what comes before is left out.
        checksum: stands at its end, before the terminator; taken off.
        length_max: bytes that a line may have, terminator not counted.

    Raises:
        ValueError: there is no terminator.
    """

    terminator: bytes = b"\r\n"
    start: bytes = b""
    checksum: Checksum | None = None
    length_max: int = 256

    def __post_init__(self) -> None:
        """Refuse lines without an end."""
        if not self.terminator:
            raise ValueError("terminator must be at least one character")


class LineCutter:
    """Cuts lines; see :class:`citytwin_edge.wire.messages.Cutter`."""

    def __init__(self, layout: LineLayout, *, midway: bool = False) -> None:
        """Begin.

        Args:
            layout: how a line is told from the next.
            midway: the stream may begin inside a line; what precedes the first terminator is then
                left out, unless lines have a start.
        """
        self._layout = layout
        self._limit = layout.length_max + len(layout.start) + (layout.terminator == b"\n")
        self._rest = bytearray()
        self._dropped = 0
        self._told = 0
        self._leaves_out = midway and not layout.start
        self.skipped = 0

    @property
    def is_within(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._rest or self._dropped)

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the lines that end in them."""
        end = self._layout.terminator
        found: list[Message] = []
        self._rest += data
        while (place := self._rest.find(end)) >= 0:
            line = bytes(self._rest[:place])
            del self._rest[: place + len(end)]
            self._close(line, found)
        # The last bytes may be the beginning of a terminator.
        self._tell(self._dropped + len(self._rest) - len(end) + 1, found)
        spare = len(self._rest) - self._limit - len(end) + 1
        if spare > 0:
            del self._rest[:spare]
            self._dropped += spare
            self.skipped += spare
        return found

    def _tell(self, length: int, found: list[Message]) -> None:
        """Say that a line is too long, and again each time it is as long again."""
        while self._told < (length - 1) // self._limit:
            self._told += 1
            found.append(Message(b"", f"no line ends within {self._layout.length_max} bytes"))

    def _close(self, line: bytes, found: list[Message]) -> None:
        """Add a line to what was found, if it is one."""
        self._tell(self._dropped + len(line), found)
        is_too_long, leaves_out = self._told > 0, self._leaves_out
        self._dropped = self._told = 0
        self._leaves_out = False
        layout = self._layout
        if leaves_out or (is_too_long and not layout.start):
            self.skipped += len(line)
            return
        if layout.start:
            _, mark, after = line[-self._limit :].rpartition(layout.start)
            self.skipped += len(line) - len(mark) - len(after)
            if not mark:
                self.skipped += len(after)
                return
            line = after
        if layout.terminator == b"\n":
            line = line.removesuffix(b"\r")
        if line:
            found.append(self._judged(line))

    def _judged(self, line: bytes) -> Message:
        """Return a line without its checksum, or as a broken one."""
        checksum, length_max = self._layout.checksum, self._layout.length_max
        if len(line) > length_max:
            self.skipped += len(line)
            return Message(b"", f"no line ends within {length_max} bytes")
        if checksum is None:
            return Message(line)
        if not checksum.fits(line):
            return Message(line, "the checksum is wrong")
        return Message(line[: -checksum.size].removesuffix(checksum.mark))
