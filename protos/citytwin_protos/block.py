"""Block: the bytes of one batch. docs/specs/block.md draws them.

A coder keeps, for every point, its last value and how its numbers are written: as whole numbers of
some decimal step, or as bit patterns. Both ends move that state in the same way, so a block holds
only what is new. A key block needs no state and begins one.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from citytwin.batch import Batch
from citytwin.errors import BatchError, MalformedError, TooLargeError
from citytwin_protos.columns import (
    get_integers,
    get_runs,
    get_words,
    is_count,
    put_integers,
    put_runs,
    put_words,
)

VERSION: Final = 1
BODY_BYTES_MAX: Final = 1 << 20
"""Largest body of one entry, compressed."""
SAMPLES_MAX: Final = 100_000
"""Most samples in one block; also bounds what a hostile block may unpack to."""
POINTS_MAX: Final = 1_000_000
"""Point numbers lie below; bounds the state of a stream (17 bytes a point)."""
UNPACKED_BYTES_MAX: Final = 40 * SAMPLES_MAX + 4096
"""Columns of a block of SAMPLES_MAX samples, at their widest, with their names."""
COMPRESSION_LEVEL: Final = 3

# How a point's numbers are written: n / 10**code for codes 0 to 6, n * 10**-(code - 6) for codes 7
# to 12 (what multiplying a register by 0.1 gives), or the bits of the float64.
_DIVISORS: Final = 10.0 ** np.arange(7)
_FACTORS: Final = np.array([1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
_STEPS: Final = np.concatenate((_DIVISORS, _FACTORS))
_BITS: Final = 13
_WHOLE_MAX: Final = float(1 << 53)

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


class _State:
    """Last value (never NaN) and way of writing of every point; grows with the point numbers."""

    def __init__(self) -> None:
        self.last: Float64 = np.zeros(0)
        self.code: UInt8 = np.zeros(0, np.uint8)
        self.points: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self.time_ns = 0
        self.blocks = 0

    def reserve(self, points: int) -> None:
        if points > len(self.last):
            size = max(points, 2 * len(self.last))
            self.last = np.concatenate((self.last, np.zeros(size - len(self.last))))
            grown = np.zeros(size - len(self.code), np.uint8)
            self.code = np.concatenate((self.code, grown))


class BlockEncoder:
    """Batches to blocks, each against those before it; the first is a key block."""

    def __init__(self) -> None:
        """Begin a stream."""
        self._state = _State()
        self._zstd = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)

    def encode(self, batch: Batch) -> bytes:
        """Return the block of a batch of at most SAMPLES_MAX samples.

        NaN keeps no payload and -0.0 becomes 0.0; everything else comes back bit by bit.

        Raises:
            TooLargeError: too many samples, or a point number of POINTS_MAX or more.
            BatchError: an infinite value, which no block can hold.
        """
        count, state = len(batch), self._state
        if count > SAMPLES_MAX:
            raise TooLargeError(f"a block holds {SAMPLES_MAX} samples, not {count}")
        if count and not 0 <= batch.point.min() <= batch.point.max() < POINTS_MAX:
            raise TooLargeError(f"a block holds point numbers 0 to {POINTS_MAX - 1}")
        if np.isinf(batch.value).any():
            raise BatchError("an infinite value is not a measurement")
        same = state.blocks > 0 and np.array_equal(state.points, batch.point)
        points = None if same else put_integers(_steps(batch.point))
        times = put_runs(batch.time_ns, state.time_ns)
        quality = None
        if batch.quality.any():
            quality = put_runs(batch.quality.astype(np.int64), 0)
        with np.errstate(all="ignore"):  # a number that does not fit a step is tried and left
            values = self._values(batch)
        columns = [VERSION, state.blocks, count, points, times, quality, *values]
        state.points = batch.point
        state.time_ns = int(batch.time_ns[-1]) if count else state.time_ns
        state.blocks += 1
        return self._zstd.compress(msgspec.msgpack.encode(columns))

    def _values(self, batch: Batch) -> list[Any]:
        """Return [runs of void values, changed ways of writing, whole numbers, bit patterns]."""
        state, order = self._state, _Order(batch.point)
        state.reserve(int(batch.point.max()) + 1 if len(batch) else 0)
        void = np.isnan(batch.value)
        voids = put_runs(void.astype(np.int64), 0) if void.any() else None
        value = batch.value + 0.0  # -0.0 becomes 0.0
        if voids is not None:
            value, order = value[~void], _Order(batch.point[~void])
        changes = self._choose(order.point, value)
        code = state.code[order.point]
        before = order.before(value, state.last)
        wholes, bits = _split(code)
        written = b""
        if wholes.any():
            part = slice(None) if wholes.all() else wholes
            steps = _whole(value[part], code[part]) - _whole(before[part], code[part])
            written = put_integers(steps)
        words = b""
        if bits.any():
            words = put_words(value[bits].view(np.uint64) ^ before[bits].view(np.uint64))
        order.remember(value, state.last)
        return [voids, changes, written, words]

    def _choose(self, point: npt.NDArray[np.int32], value: Float64) -> list[int | bytes] | None:
        """Bring the ways of writing to what these values need; return the changes, if any."""
        state = self._state
        fits = _fits(value, state.code[point])
        if fits.all():
            return None
        misfit = np.zeros(len(state.code), bool)
        misfit[point[~fits]] = True
        affected = misfit[point]
        points, values = point[affected], value[affected]
        changed = np.flatnonzero(misfit)
        chosen = np.full(len(state.code), _BITS, np.uint8)
        open_points = misfit.copy()
        for code in range(_BITS):
            wrong = np.zeros(len(state.code), bool)
            wrong[points[~_fits(values, np.full(len(values), code, np.uint8))]] = True
            settled = open_points & ~wrong
            chosen[settled] = code
            open_points &= wrong
            if not open_points.any():
                break
        state.code[changed] = chosen[changed]
        return [
            len(changed),
            put_integers(_steps(changed)),
            chosen[changed].tobytes(),
        ]


class BlockDecoder:
    """Blocks to batches, in the order in which they were coded."""

    def __init__(self) -> None:
        """Begin a stream; the first block must be a key block."""
        self._state = _State()
        self._zstd = zstandard.ZstdDecompressor(max_window_size=1 << 23)

    def decode(self, body: bytes) -> Batch:
        """Return the batch of a block.

        Raises:
            MalformedError: the bytes are not the next block of this stream.
            TooLargeError: they are, or unpack to, more than a block may have.
        """
        columns = self._unpack(body)
        try:
            with np.errstate(all="ignore"):
                return self._decode(columns)
        except (ValueError, IndexError, OverflowError, BatchError) as error:
            raise MalformedError(f"a block's columns do not fit together: {error}") from None

    def _unpack(self, body: bytes) -> list[Any]:
        if len(body) > BODY_BYTES_MAX:
            raise TooLargeError(f"a block has at most {BODY_BYTES_MAX} bytes, not {len(body)}")
        try:
            size = zstandard.frame_content_size(body)
            if size < 0:
                raise MalformedError("a block does not say how large it is")
            if size > UNPACKED_BYTES_MAX:
                raise TooLargeError(
                    f"a block unpacks to at most {UNPACKED_BYTES_MAX} bytes, not {size}"
                )
            plain = self._zstd.decompress(body, max_output_size=UNPACKED_BYTES_MAX)
            columns = msgspec.msgpack.decode(plain)
        except zstandard.ZstdError as error:
            raise MalformedError(f"a block cannot be decompressed: {error}") from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedError(f"a block's columns cannot be read: {error}") from None
        if not isinstance(columns, list) or len(columns) != 10 or columns[0] != VERSION:
            raise MalformedError(f"not a block of version {VERSION}")
        return columns

    def _decode(self, columns: list[Any]) -> Batch:
        state = self._state
        _, index, count, points, times, quality, voids, changes, written, words = columns
        if index != state.blocks or type(index) is not int:
            raise MalformedError(f"block {index!r} of the stream came, {state.blocks} was due")
        if not is_count(count, SAMPLES_MAX):
            raise MalformedError(f"a block holds at most {SAMPLES_MAX} samples, not {count!r}")
        point = state.points
        if points is not None:
            point = np.cumsum(get_integers(_bytes(points), count))
            if count and not 0 <= point.min() <= point.max() < POINTS_MAX:
                raise MalformedError(f"point numbers are not in 0 to {POINTS_MAX - 1}")
            point = point.astype(np.int32)
        if len(point) != count:
            raise MalformedError(f"{len(point)} points do not make {count} samples")
        time_ns = get_runs(times, count, state.time_ns)
        code = np.zeros(count, np.uint8)
        if quality is not None:
            wide = get_runs(quality, count, 0)
            code = wide.astype(np.uint8)
            if (wide != code).any():
                raise MalformedError("a quality is one byte")
        value = self._values(point, voids, changes, _bytes(written), _bytes(words))
        batch = Batch(point, time_ns, value, code)
        state.points = batch.point
        state.time_ns = int(time_ns[-1]) if count else state.time_ns
        state.blocks += 1
        return batch

    def _values(
        self,
        point: npt.NDArray[np.int32],
        voids: object,
        changes: object,
        written: bytes,
        words: bytes,
    ) -> Float64:
        state, count = self._state, len(point)
        state.reserve(int(point.max()) + 1 if count else 0)
        void = np.zeros(count, bool) if voids is None else get_runs(voids, count, 0) != 0
        order = _Order(point[~void])
        self._change(changes)
        code = state.code[order.point]
        wholes, bits = _split(code)
        steps = np.zeros(len(code), np.int64)
        steps[wholes] = get_integers(written, int(np.count_nonzero(wholes)))
        patterns = np.zeros(len(code), np.uint64)
        patterns[bits] = get_words(words, int(np.count_nonzero(bits)))
        last = state.last[order.point]
        value = np.zeros(len(code))
        begun = np.zeros(len(code), np.int64)
        begun[wholes] = _whole(last[wholes], code[wholes])
        value[wholes] = _number(order.summed(steps, begun)[wholes], code[wholes])
        value[bits] = order.xored(patterns, last.view(np.uint64))[bits].view(np.float64)
        if not np.isfinite(value).all():
            raise MalformedError("a block holds a value that is not finite")
        order.remember(value, state.last)
        full = np.full(count, np.nan)
        full[~void] = value
        return full

    def _change(self, changes: object) -> None:
        if changes is None:
            return
        match changes:
            case [number, bytes(places), bytes(codes)] if is_count(number, len(codes)):
                points = np.cumsum(get_integers(places, len(codes)))
                chosen = np.frombuffer(codes, np.uint8)
            case _:
                raise MalformedError("a block's changes of writing are not such")
        known = len(self._state.code)
        if len(codes) and not (0 <= points.min() <= points.max() < known and chosen.max() <= _BITS):
            raise MalformedError("a block changes the writing of points that it does not hold")
        self._state.code[points] = chosen


class _Order:
    """Which sample of a block follows which of the same point."""

    def __init__(self, point: npt.NDArray[np.int32]) -> None:
        self.point = point
        self._unique = len(point) < 2 or bool((point[1:] > point[:-1]).all())
        if self._unique:
            return
        self._sorted = np.argsort(point, kind="stable")
        ordered = point[self._sorted]
        self._first = np.concatenate(([True], ordered[1:] != ordered[:-1]))
        self._unique = bool(self._first.all())
        self._heads = np.flatnonzero(self._first)
        self._sizes = np.diff(np.append(self._heads, len(point)))

    def before(self, value: Float64, last: Float64) -> Float64:
        """Return for each sample the value before it of its point; ``last`` is from the state."""
        if self._unique:
            return last[self.point]
        ordered = value[self._sorted]
        shifted = np.concatenate((ordered[:1], ordered[:-1]))
        shifted[self._first] = last[self.point[self._sorted][self._first]]
        before = np.empty_like(value)
        before[self._sorted] = shifted
        return before

    def summed(self, steps: Int64, begun: Int64) -> Int64:
        """Return for each sample the running sum of its point's steps from where it had begun."""
        if self._unique:
            return begun + steps
        ordered = np.cumsum(steps[self._sorted])
        base = ordered[self._heads] - steps[self._sorted][self._heads]
        result = np.empty_like(steps)
        result[self._sorted] = ordered - np.repeat(base, self._sizes)
        return result + begun

    def xored(
        self, patterns: npt.NDArray[np.uint64], begun: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.uint64]:
        """Return for each sample its point's patterns so far, XORed onto where it had begun."""
        if self._unique:
            return begun ^ patterns
        ordered = np.bitwise_xor.accumulate(patterns[self._sorted])
        base = ordered[self._heads] ^ patterns[self._sorted][self._heads]
        result = np.empty_like(patterns)
        result[self._sorted] = ordered ^ np.repeat(base, self._sizes)
        return result ^ begun

    def remember(self, value: Float64, last: Float64) -> None:
        """Write each point's newest value into ``last``."""
        if self._unique:
            last[self.point] = value
        else:
            tails = np.append(self._heads[1:], len(value)) - 1
            last[self.point[self._sorted][tails]] = value[self._sorted][tails]


def _split(code: UInt8) -> tuple[Mask, Mask]:
    bits = code == _BITS
    return ~bits, bits


def _whole(value: Float64, code: UInt8) -> Int64:
    """Return values as whole numbers of their step; a value that does not fit gives some number."""
    step = _STEPS[np.minimum(code, _BITS - 1)]
    scaled = np.rint(np.where(code < len(_DIVISORS), value * step, value / step))
    return np.where(np.abs(scaled) < _WHOLE_MAX, scaled, 0.0).astype(np.int64)


def _number(whole: Int64, code: UInt8) -> Float64:
    """Return the values of whole numbers, exactly as :func:`_fits` tried them."""
    step = _STEPS[np.minimum(code, _BITS - 1)]
    floats = whole.astype(np.float64)
    numbers: Float64 = np.where(code < len(_DIVISORS), floats / step, floats * step)
    return numbers


def _fits(value: Float64, code: UInt8) -> Mask:
    """Return where a value comes back exactly from its way of writing."""
    fits: Mask = (code == _BITS) | (_number(_whole(value, code), code) == value)
    return fits


def _steps(numbers: npt.NDArray[np.integer[Any]]) -> Int64:
    """Return the differences from one to the next, the first from 0."""
    steps = numbers.astype(np.int64)
    steps[1:] -= steps[:-1].copy()
    return steps


def _bytes(column: object) -> bytes:
    if not isinstance(column, bytes):
        raise MalformedError("a block's column is not bytes")
    return column
