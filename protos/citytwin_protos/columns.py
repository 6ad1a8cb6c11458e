"""Columns: the small coders that blocks are made of, bytes <-> integer columns, numpy only.

An integer column is coded as planes: zig-zag, then one byte a value while nearly all fit, with the
rest listed behind, or as many bytes a value as the largest needs, least significant plane first.
Planes of equal meaning lie together, which is what zstd needs to be good.
"""

from __future__ import annotations

from typing import Final, TypeGuard

import numpy as np
import numpy.typing as npt

from citytwin.errors import MalformedError

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
UInt8 = npt.NDArray[np.uint8]

_ESCAPE: Final = 255
_ESCAPED: Final = 0x10
"""Width byte of a column whose large values are listed behind its plane."""
_EXCEPTIONS_PART: Final = 8
"""Escapes pay while fewer than one value in eight needs them."""


def zigzag(values: Int64) -> UInt64:
    """Return non-negative numbers, small where the signed ones are near zero."""
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def unzigzag(values: UInt64) -> Int64:
    """Undo :func:`zigzag`."""
    return (values >> np.uint64(1)).view(np.int64) ^ -(values & np.uint64(1)).view(np.int64)


def put_integers(values: Int64) -> bytes:
    """Return the bytes of a column of signed integers, shape (n,)."""
    codes = zigzag(values)
    if not len(codes):
        return b""
    largest = int(codes.max())
    if largest < _ESCAPE:
        return b"\x01" + codes.astype(np.uint8).tobytes()
    large = codes >= _ESCAPE
    exceptions = int(np.count_nonzero(large))
    if exceptions * _EXCEPTIONS_PART < len(codes):
        plane = np.minimum(codes, _ESCAPE).astype(np.uint8).tobytes()
        return bytes([_ESCAPED]) + plane + _put_planes(codes[large])
    return _put_planes(codes)


def get_integers(data: bytes, count: int) -> Int64:
    """Return the column of ``count`` integers.

    Raises:
        MalformedError: the bytes do not hold exactly so many.
    """
    if count == 0:
        if data:
            raise MalformedError("a column without values holds bytes")
        return np.empty(0, np.int64)
    if not data or data[0] != _ESCAPED:
        return unzigzag(_get_planes(data, count))
    if len(data) < 1 + count:
        raise MalformedError(f"a column of {count} values ends after {len(data)} bytes")
    codes = np.frombuffer(data, np.uint8, count, 1).astype(np.uint64)
    large = codes == _ESCAPE
    codes[large] = _get_planes(data[1 + count :], int(np.count_nonzero(large)))
    return unzigzag(codes)


def put_words(words: UInt64) -> bytes:
    """Return the bytes of a column of 64-bit patterns as eight planes, shape (n,)."""
    return _planes(words, 8)


def get_words(data: bytes, count: int) -> UInt64:
    """Return the column of ``count`` 64-bit patterns.

    Raises:
        MalformedError: the bytes do not hold exactly so many.
    """
    if len(data) != 8 * count:
        raise MalformedError(f"{len(data)} bytes are not {count} words")
    return _words(data, count, 8)


def put_runs(values: Int64, start: int) -> list[int | bytes]:
    """Return a column as runs: [how many, steps between runs (the first from start), lengths]."""
    if not len(values):
        return [0, b"", b""]
    first = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    lengths = np.diff(np.append(first, len(values)))
    heads = values[first]
    steps = heads - np.concatenate((np.array([start], np.int64), heads[:-1]))
    return [len(first), put_integers(steps), put_integers(lengths.astype(np.int64) - 1)]


def get_runs(runs: object, count: int, start: int) -> Int64:
    """Return the column of ``count`` values that :func:`put_runs` coded.

    Raises:
        MalformedError: the runs do not make up ``count`` values.
    """
    match runs:
        case [number, bytes(steps), bytes(lengths)] if is_count(number, count):
            sizes = get_integers(lengths, number) + 1
            heads = np.cumsum(get_integers(steps, number)) + np.int64(start)
        case _:
            raise MalformedError("a column of runs is not one")
    if ((sizes < 1) | (sizes > count)).any() or int(sizes.sum()) != count:
        raise MalformedError(f"the runs do not make up {count} values")
    return np.repeat(heads, sizes)


def is_count(value: object, most: int) -> TypeGuard[int]:
    """Return whether ``value`` is a whole number from 0 to ``most`` (True and False are not)."""
    return type(value) is int and 0 <= value <= most


def _put_planes(codes: UInt64) -> bytes:
    width = max(1, (int(codes.max()).bit_length() + 7) // 8)
    return bytes([width]) + _planes(codes, width)


def _get_planes(data: bytes, count: int) -> UInt64:
    if count == 0 and not data:
        return np.empty(0, np.uint64)
    width = data[0] if data else 0
    if not 1 <= width <= 8 or len(data) != 1 + width * count:
        raise MalformedError(f"{len(data)} bytes are not {count} values of {width} bytes")
    return _words(data[1:], count, width)


def _planes(words: UInt64, width: int) -> bytes:
    return np.ascontiguousarray(words.view(np.uint8).reshape(-1, 8)[:, :width].T).tobytes()


def _words(data: bytes, count: int, width: int) -> UInt64:
    words = np.zeros((count, 8), np.uint8)
    words[:, :width] = np.frombuffer(data, np.uint8).reshape(width, count).T
    return words.reshape(-1).view(np.uint64)
