"""Codec: the one place where nouns become bytes and bytes become nouns.

``pack``/``unpack`` are stateless (outbox, journal, alarms); ``StreamEncoder``/``StreamDecoder`` keep
the last values of a stream to be compact on the wire (docs/specs/block.md has the byte layout).
"""

from __future__ import annotations

from citytwin.batch import Batch
from citytwin.command import Command, Outcome
from citytwin.point import Point

BODY_BYTES_MAX = 1 << 20
"""Largest body of one entry, compressed."""
SAMPLES_MAX = 100_000
"""Most samples in one block; also bounds what a hostile block may unpack to."""


def pack(batch: Batch) -> bytes:
    """Return the block of a batch, coded by itself."""
    raise NotImplementedError


def unpack(body: bytes) -> Batch:
    """Return the batch of a block coded by itself. Raises MalformedError, TooLargeError."""
    raise NotImplementedError


class StreamEncoder:
    """Codes batches against what was sent before on the same stream; one per connection."""

    def encode(self, batch: Batch) -> bytes:
        """Return the block; the first one is a key block that needs no state."""
        raise NotImplementedError


class StreamDecoder:
    """The other end; one per connection."""

    def decode(self, body: bytes) -> Batch:
        """Return the batch. Raises MalformedError, TooLargeError; the stream is then unusable."""
        raise NotImplementedError


def point_to_bytes(point: Point) -> bytes:
    """Return MessagePack of a point."""
    raise NotImplementedError


def point_from_bytes(data: bytes) -> Point:
    """Raises MalformedError."""
    raise NotImplementedError


def command_to_bytes(command: Command) -> bytes:
    """Return MessagePack of a command."""
    raise NotImplementedError


def command_from_bytes(data: bytes) -> Command:
    """Raises MalformedError."""
    raise NotImplementedError


def outcome_to_bytes(outcome: Outcome) -> bytes:
    """Return MessagePack of an outcome."""
    raise NotImplementedError


def outcome_from_bytes(data: bytes) -> Outcome:
    """Raises MalformedError."""
    raise NotImplementedError
