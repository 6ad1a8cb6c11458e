"""Messages: what is cut out of the bytes of a serial line, whole or broken."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Message(NamedTuple):
    """One line or frame.

    Attributes:
        data: its bytes; of a broken one what there is of it, perhaps nothing.
        broken: what is wrong with it, in words; empty when nothing is.
    """

    data: bytes
    broken: str = ""


class Cutter(Protocol):
    """Cuts a stream of bytes into messages; the same ones however the stream is split.

    It keeps at most the bytes of one message of the longest kind. What belongs to no message is
    counted and left out; where that lasts for longer than a message may be, a broken one says so.
    """

    skipped: int
    """Bytes that belonged to no message."""

    @property
    def is_within(self) -> bool:
        """Whether a message has begun and not ended."""
        ...

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the messages that end in them."""
        ...
