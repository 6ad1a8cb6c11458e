"""Codec: the one place where nouns become bytes and bytes become nouns.

``pack``/``unpack`` are stateless (outbox, journal, alarms); ``StreamEncoder``/``StreamDecoder``
keep the last values of a stream to be compact on the wire (docs/specs/block.md has the layout).
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from citytwin.batch import Batch
from citytwin.command import Command, Outcome
from citytwin.errors import CityTwinError, MalformedError, TooLargeError
from citytwin.point import Point
from citytwin_protos.block import BODY_BYTES_MAX, SAMPLES_MAX, BlockDecoder, BlockEncoder

__all__ = [
    "BODY_BYTES_MAX",
    "NOUN_BYTES_MAX",
    "SAMPLES_MAX",
    "StreamDecoder",
    "StreamEncoder",
    "command_from_bytes",
    "command_to_bytes",
    "outcome_from_bytes",
    "outcome_to_bytes",
    "pack",
    "point_from_bytes",
    "point_to_bytes",
    "unpack",
]

NOUN_BYTES_MAX = 16_384
"""Largest point, command or outcome: their longest texts, four bytes a character, with room."""

StreamEncoder = BlockEncoder
StreamDecoder = BlockDecoder

T = TypeVar("T")
_ENCODER = msgspec.msgpack.Encoder()


def pack(batch: Batch) -> bytes:
    """Return the block of a batch, coded by itself.

    Raises:
        TooLargeError: see :meth:`BlockEncoder.encode`.
    """
    return BlockEncoder().encode(batch)


def unpack(body: bytes) -> Batch:
    """Return the batch of a block coded by itself.

    Raises:
        MalformedError, TooLargeError: see :meth:`BlockDecoder.decode`.
    """
    return BlockDecoder().decode(body)


def point_to_bytes(point: Point) -> bytes:
    """Return MessagePack of a point."""
    return _ENCODER.encode(point)


def point_from_bytes(data: bytes) -> Point:
    """Return the point; raises MalformedError."""
    return _decode(data, Point, "point")


def command_to_bytes(command: Command) -> bytes:
    """Return MessagePack of a command."""
    return _ENCODER.encode(command)


def command_from_bytes(data: bytes) -> Command:
    """Return the command; raises MalformedError."""
    return _decode(data, Command, "command")


def outcome_to_bytes(outcome: Outcome) -> bytes:
    """Return MessagePack of an outcome."""
    return _ENCODER.encode(outcome)


def outcome_from_bytes(data: bytes) -> Outcome:
    """Return the outcome; raises MalformedError."""
    return _decode(data, Outcome, "outcome")


def _decode(data: bytes, kind: type[T], name: str) -> T:
    if len(data) > NOUN_BYTES_MAX:
        raise TooLargeError(
            f"{len(data)} bytes are too many for one {name}; at most {NOUN_BYTES_MAX}"
        )
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, CityTwinError, ValueError, RecursionError) as error:
        raise MalformedError(f"not a {name}: {error}") from None
