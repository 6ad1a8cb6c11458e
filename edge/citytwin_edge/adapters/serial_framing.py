"""Serial framing: what a technician writes about where a message begins, ends, and is disturbed.

docs/guides/serial.md explains each of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from citytwin_edge.adapters.places import Count
from citytwin_edge.wire.checksums import Crc, Kind

LengthMax = Annotated[int, msgspec.Meta(ge=8, le=1024)]


class LineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a line is told from the next; see :class:`citytwin_edge.wire.lines.LineLayout`.

    Attributes:
        terminator: what ends it; with a line feed alone, a carriage return before it goes too.
        start: what begins it, if anything does; what comes before is left out.
        length_max: bytes that a line may have, terminator not counted.
    """

    terminator: str = "\r\n"
    start: str = ""
    length_max: LengthMax = 256


class FrameSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a frame is told from the next; see :class:`citytwin_edge.wire.frames.FrameLayout`.

    Attributes:
        start: what it begins with.
        end: what it ends with; without ``escape`` and without a length it must not occur inside.
        length: bytes of the whole frame, where all have the same; else 0.
        length_at: the byte, from 0, where a number says how long it is.
        length_bytes: bytes of that number.
        length_order: which byte of that number comes first.
        length_adds: what it leaves out: the whole frame is so many bytes longer than it says.
        escape: a byte that makes the next one a part of the frame, whatever it is.
        escape_xor: with which that next byte was changed (HDLC: 0x20); 0 where it was not.
        length_max: bytes that a whole frame may have.
    """

    start: str = ""
    end: str = ""
    length: Count = 0
    length_at: Count | None = None
    length_bytes: Literal[1, 2] = 1
    length_order: Literal["big", "little"] = "big"
    length_adds: Annotated[int, msgspec.Meta(ge=-1024, le=1024)] = 0
    escape: str = ""
    escape_xor: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    length_max: LengthMax = 256


class ChecksumSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By what a disturbed message is known; see :class:`citytwin_edge.wire.checksums.Checksum`.

    Attributes:
        kind: which one; ``crc``: one without a name, given by the fields below.
        order: which byte of it comes first on the line.
        first: the first byte of the message that it covers, from 0.
        mark: what stands before it and is not covered, such as ``*``.
        after_end: it follows the frame's end and covers that too.
        width: bits of a CRC without a name.
        poly: its polynomial, without the highest bit.
        init: the value that it begins with.
        reflected: whether bits are taken from the lowest.
        xor_out: what the result is changed with.
    """

    kind: Kind
    order: Literal["big", "little"] = "big"
    first: Count = 0
    mark: str = ""
    after_end: bool = False
    width: Literal[8, 16, 24, 32] | None = None
    poly: Annotated[int, msgspec.Meta(ge=0)] | None = None
    init: Annotated[int, msgspec.Meta(ge=0)] = 0
    reflected: bool = False
    xor_out: Annotated[int, msgspec.Meta(ge=0)] = 0

    def crc(self) -> Crc | None:
        """Return the CRC that the parameters are of; None where there are none (ValueError)."""
        if self.width is None or self.poly is None:
            if self.width or self.poly or self.init or self.reflected or self.xor_out:
                raise ValueError("a CRC without a name needs both width and poly")
            return None
        return Crc(self.width, self.poly, self.init, self.reflected, self.xor_out)
