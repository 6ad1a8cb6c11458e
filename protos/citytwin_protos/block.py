"""Block: the bytes of one batch. docs/specs/block.md draws them.

A coder keeps for every point what :mod:`citytwin_protos.memory` describes. Both ends move it in
the same way, so a block holds only what could not be foreseen. A key block needs no memory and
begins one; a block that is coded by itself is a key block that nothing follows.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec
import numpy as np
import zstandard

from citytwin.batch import Batch
from citytwin.errors import MalformedError, TooLargeError
from citytwin_protos.columns import (
    ODD,
    Float64,
    Int32,
    Numbers,
    OddPart,
    QualityPart,
    TimePart,
    Times,
    find_odd,
    get_odd,
    get_points,
    get_quality,
    put_odd,
    put_points,
    put_quality,
    within,
)
from citytwin_protos.memory import Groups, PointMemory
from citytwin_protos.values import BegunPart, get_values, put_values

BODY_BYTES_MAX: Final = 1 << 20
"""Largest body of one entry, compressed."""
SAMPLES_MAX: Final = 100_000
"""Most samples in one block; also bounds what a hostile block may unpack to."""
PAYLOAD_BYTES_MAX: Final = 4 << 20
"""A block of SAMPLES_MAX samples with nothing foreseeable, before compression."""
COMPRESSION_LEVEL: Final = 3
RECONSIDER_BLOCKS: Final = 64
"""How often an encoder asks whether points could be written more simply than they once had to."""

PLAIN: Final = 0x10
COMPRESSED: Final = 0x11
"""Second field of a block: version 1 in the upper four bits, how the rest is stored below."""
_HEAD_BYTES: Final = 5
_WINDOW_BYTES_MAX: Final = 8 << 20


class _Parts(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What a block holds; the types alone keep a hostile one from building anything else."""

    serial: int
    count: int
    points: Numbers | None = None
    times: TimePart | None = None
    quality: QualityPart = 0
    odd: OddPart | None = None
    begun: BegunPart | None = None
    values: bytes = b""


_PARTS: Final = msgspec.msgpack.Decoder(_Parts)


class _Stream:
    """What is kept from block to block at either end."""

    def __init__(self) -> None:
        self.serial = 0
        self.point: Int32 | None = None
        self.groups: Groups | None = None
        self.memory = PointMemory()
        self.times = Times()

    def group(self, point: Int32) -> Groups:
        """Return the groups of a whole column; a repeated column is not sorted again."""
        if self.groups is None or self.point is not point:
            self.groups = Groups(point)
        self.point = point
        return self.groups


class BlockEncoder:
    """Batches to blocks, each against those before it; the first is a key block."""

    def __init__(self) -> None:
        """Begin a stream."""
        self._stream = _Stream()
        self._zstd = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_content_size=True)

    def encode(self, batch: Batch) -> bytes:
        """Return the block of a batch; every bit comes back, but NaN loses its payload.

        Raises:
            TooLargeError: over SAMPLES_MAX samples, or a block of over BODY_BYTES_MAX bytes. The
                next block is then a key block.
        """
        if len(batch) > SAMPLES_MAX:
            raise TooLargeError(
                f"a block holds at most {SAMPLES_MAX} samples, not {len(batch)}; split the batch"
            )
        for _ in range(2):
            fresh = self._stream.serial == 0
            try:
                body = self._body(batch)
            except MalformedError:  # more points than a memory holds: begin with these alone
                body = b""
            if body and len(body) <= BODY_BYTES_MAX:
                self._stream.serial += 1
                return body
            self._stream = _Stream()
            if fresh:
                break
        raise TooLargeError(
            f"{len(batch)} samples do not fit into a block of {BODY_BYTES_MAX} bytes; "
            "split the batch"
        )

    def _body(self, batch: Batch) -> bytes:
        payload = msgspec.msgpack.encode(self._parts(batch))
        flag = PLAIN
        if len(payload) <= PAYLOAD_BYTES_MAX:
            squeezed = self._zstd.compress(payload)
            if len(squeezed) < len(payload):
                flag, payload = COMPRESSED, squeezed
        tail = bytes([flag]) + payload
        return zlib.crc32(tail).to_bytes(4, "little") + tail

    def _parts(self, batch: Batch) -> _Parts:
        stream = self._stream
        parts = _Parts(stream.serial, len(batch))
        if not parts.count:
            return parts
        point = batch.point
        if stream.point is not None and np.array_equal(stream.point, point):
            point = stream.point
        else:
            parts.points = put_points(point)
        groups = stream.group(point)
        parts.times = stream.times.put(batch.time_ns)
        parts.quality = put_quality(batch.quality)
        found = find_odd(batch.value)
        if found is None:
            parts.begun, parts.values = self._values(batch.value, groups)
            return parts
        odd, kinds = found
        parts.odd = put_odd(odd, kinds, batch.quality)
        plain = ~odd
        if plain.any():
            some = Groups(point[plain])
            parts.begun, parts.values = self._values(batch.value[plain], some)
        return parts

    def _values(self, value: Float64, groups: Groups) -> tuple[BegunPart | None, bytes]:
        reconsider = self._stream.serial % RECONSIDER_BLOCKS == RECONSIDER_BLOCKS - 1
        return put_values(self._stream.memory, value, groups, reconsider=reconsider)


class BlockDecoder:
    """Blocks to batches, in the order in which they were coded; one stream."""

    def __init__(self) -> None:
        """Begin a stream; the first block must be a key block."""
        self._stream = _Stream()
        self._zstd = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)

    def decode(self, body: bytes) -> Batch:
        """Return the batch of a block. After an error only a key block can follow.

        Raises:
            MalformedError: the bytes are not the next block of this stream.
            TooLargeError: they are, or unpack to, more than a block may have.
        """
        stream = self._stream
        self._stream = _Stream()
        parts = self._parts(body)
        if parts.serial == 0:
            stream = _Stream()
        elif parts.serial != stream.serial:
            raise MalformedError(
                f"block {parts.serial} of the stream came, {stream.serial} was due"
            )
        batch = _batch(stream, parts)
        stream.serial += 1
        self._stream = stream
        return batch

    def _parts(self, body: bytes) -> _Parts:
        """Return what a block holds; nothing is unpacked before its size is known."""
        if len(body) > BODY_BYTES_MAX:
            raise TooLargeError(f"a block has at most {BODY_BYTES_MAX} bytes, not {len(body)}")
        if len(body) <= _HEAD_BYTES:
            raise MalformedError(f"{len(body)} bytes are not a block")
        if zlib.crc32(body[4:]) != int.from_bytes(body[:4], "little"):
            raise MalformedError("the block's checksum does not fit its bytes")
        payload = body[_HEAD_BYTES:]
        if body[4] == COMPRESSED:
            payload = self._decompressed(payload)
        elif body[4] != PLAIN:
            raise MalformedError(f"a block of kind {body[4]:#04x} is not known here")
        try:
            return _PARTS.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedError(f"the parts of a block cannot be read: {error}") from None

    def _decompressed(self, payload: bytes) -> bytes:
        try:
            frame = zstandard.get_frame_parameters(payload)
            if frame.content_size > PAYLOAD_BYTES_MAX or frame.window_size > _WINDOW_BYTES_MAX:
                raise TooLargeError(
                    f"a block unpacks to at most {PAYLOAD_BYTES_MAX} bytes and says its size"
                )
            return self._zstd.decompress(
                payload, max_output_size=PAYLOAD_BYTES_MAX, allow_extra_data=False
            )
        except zstandard.ZstdError as error:
            raise MalformedError(f"a block cannot be decompressed: {error}") from None


def _batch(stream: _Stream, parts: _Parts) -> Batch:
    count = within(parts.count, 0, SAMPLES_MAX, "the number of samples")
    if not count:
        return Batch.empty()
    if parts.points is not None:
        point = get_points(parts.points, count)
    elif stream.point is not None and len(stream.point) == count:
        point = stream.point
    else:
        raise MalformedError(f"the points before do not make {count} samples")
    if parts.times is None:
        raise MalformedError("samples have no times")
    groups = stream.group(point)
    time_ns = stream.times.get(parts.times, count)
    quality = get_quality(parts.quality, count)
    if parts.odd is None:
        value = get_values(stream.memory, groups, parts.begun, parts.values)
        return Batch(point, time_ns, value, quality)
    odd, kinds = get_odd(parts.odd, count, quality)
    value = np.empty(count)
    value[odd] = ODD[kinds]
    plain = ~odd
    if plain.any():
        value[plain] = get_values(stream.memory, Groups(point[plain]), parts.begun, parts.values)
    return Batch(point, time_ns, value, quality)
