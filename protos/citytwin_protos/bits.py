"""Bits: the coders that columns are made of, non-negative integers <-> bytes, numpy only.

Rice coding (R. F. Rice, JPL Publication 79-22, 1979) suits differences, most of which are small:
``u`` is written as ``u >> k`` in unary and the lower ``k`` bits as they are. ``k`` may differ from
value to value; it is never written, both ends know it. Each function treats a whole column at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.errors import MalformedError

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
UInt8 = npt.NDArray[np.uint8]

ESCAPE: Final = 20
"""A unary part this long means that the value is written in full behind the others."""
SHIFT_MAX: Final = 63
_SIZE_BYTES: Final = 3
_ONE: Final = np.uint64(1)
_COLUMNS: Final = np.arange(64, dtype=np.uint8)
_BYTES: Final = np.arange(8, dtype=np.uint8)


def runs_of(column: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.intp], Int64]:
    """Return where runs of equal values begin, and how long they are; at least one value."""
    bounds = np.flatnonzero(column[1:] != column[:-1])
    starts = np.zeros(len(bounds) + 1, np.intp)
    starts[1:] = bounds + 1
    lengths = np.empty(len(starts), np.int64)
    lengths[:-1] = starts[1:] - starts[:-1]
    lengths[-1] = len(column) - starts[-1]
    return starts, lengths


def zigzag(values: Int64) -> UInt64:
    """Return non-negative numbers, small where the signed ones are near zero; same shape."""
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def unzigzag(codes: UInt64) -> Int64:
    """Undo :func:`zigzag`."""
    return (codes >> _ONE).view(np.int64) ^ -(codes & _ONE).view(np.int64)


def bit_lengths(values: UInt64) -> UInt8:
    """Return how many bits each value needs, 0 to 64; same shape."""
    high = (values >> np.uint64(32)).astype(np.float64)
    low = (values & np.uint64(0xFFFFFFFF)).astype(np.float64)
    # Halves of 32 bits are exact in a float64, so its exponent is the length.
    lengths = np.where(high > 0, np.frexp(high)[1] + 32, np.frexp(low)[1])
    return lengths.astype(np.uint8)


def shift_for(codes: UInt64) -> int:
    """Return the one ``k`` that suits a whole column, from its mean."""
    if not len(codes):
        return 0
    mean = float(codes.astype(np.float64).mean())
    # The median tells of columns with a few wild values, which the escape takes care of.
    middle = float(np.partition(codes, len(codes) // 2)[len(codes) // 2]) * 1.5
    typical = int(min(mean, middle))
    return min(max(typical.bit_length() - 1, 0), SHIFT_MAX)


def put_bytewise(values: UInt64) -> bytes:
    """Return each value in as many bytes as it needs: lengths (two a byte), then the bytes.

    Bytes of equal significance lie together, least significant first.
    """
    count = len(values)
    if not count:
        return b""
    lengths = (bit_lengths(values) + np.uint8(7)) >> np.uint8(3)
    padded = np.zeros(count + (count & 1), np.uint8)
    padded[:count] = lengths
    octets = values.astype("<u8").view(np.uint8).reshape(count, 8).T
    packed: UInt8 = padded[0::2] | (padded[1::2] << np.uint8(4))
    return packed.tobytes() + octets[_BYTES[:, None] < lengths].tobytes()


def get_bytewise(data: bytes, count: int) -> UInt64:
    """Return the ``count`` values of :func:`put_bytewise`.

    Raises:
        MalformedError: ``data`` is not exactly so many values.
    """
    head = (count + 1) // 2
    if len(data) < head:
        raise MalformedError(f"{len(data)} bytes are too few for {count} values")
    packed = np.frombuffer(data, np.uint8, head)
    lengths = np.empty(2 * head, np.uint8)
    lengths[0::2] = packed & np.uint8(15)
    lengths[1::2] = packed >> np.uint8(4)
    lengths = lengths[:count]
    if count and lengths.max() > 8:
        raise MalformedError("a value of more than eight bytes")
    if len(data) - head != int(lengths.sum(dtype=np.int64)):
        raise MalformedError(f"{len(data)} bytes are not {count} values")
    octets = np.zeros((8, count), np.uint8)
    octets[_BYTES[:, None] < lengths] = np.frombuffer(data, np.uint8, offset=head)
    return np.ascontiguousarray(octets.T).view("<u8").reshape(count).astype(np.uint64)


def put_rice(values: UInt64, shifts: UInt8) -> bytes:
    """Return the Rice code of a column.

    Args:
        values: shape (n,).
        shifts: ``k`` of each value, shape (n,), at most SHIFT_MAX.

    Layout: length of the unary part in bytes (3, little-endian), the unary parts (zeros ended by a
    one), the lower bits, the escaped values bytewise. Bits fill each byte from its highest on.
    """
    count = len(values)
    if not count:
        return b""
    quotients = np.minimum(values >> shifts.astype(np.uint64), np.uint64(ESCAPE)).astype(np.int64)
    escaped = quotients == ESCAPE
    ends = np.cumsum(quotients + 1)
    unary = np.zeros(int(ends[-1]), np.uint8)
    unary[ends - 1] = 1
    parts = [np.packbits(unary).tobytes()]
    if escaped.any():
        parts += [_put_low(values[~escaped], shifts[~escaped]), put_bytewise(values[escaped])]
    else:
        parts.append(_put_low(values, shifts))
    return len(parts[0]).to_bytes(_SIZE_BYTES, "little") + b"".join(parts)


def get_rice(data: bytes, shifts: UInt8) -> UInt64:
    """Return the values of :func:`put_rice`, as many as there are shifts.

    Raises:
        MalformedError: ``data`` is not exactly so many values.
    """
    count = len(shifts)
    if not count:
        if data:
            raise MalformedError("a column without values has bytes")
        return np.empty(0, np.uint64)
    size = int.from_bytes(data[:_SIZE_BYTES], "little")
    # Checked before anything is unpacked: a hostile length costs nothing.
    if len(data) < _SIZE_BYTES + size or size > (count * (ESCAPE + 1) + 7) // 8:
        raise MalformedError(f"a column of {count} values does not have {size} bytes of unary")
    unary = np.unpackbits(np.frombuffer(data, np.uint8, size, _SIZE_BYTES))
    ends = np.flatnonzero(unary)
    if len(ends) != count or len(unary) - int(ends[-1]) > 8:
        raise MalformedError(f"the unary part holds {len(ends)} values, not {count}")
    quotients = ends.copy()
    quotients[1:] -= ends[:-1] + 1
    if quotients.max() > ESCAPE:
        raise MalformedError("a unary part is longer than the escape")
    escaped = quotients == ESCAPE
    values = quotients.astype(np.uint64) << shifts.astype(np.uint64)
    if not escaped.any():
        low, used = _get_low(data, _SIZE_BYTES + size, shifts)
        if used != len(data):
            raise MalformedError("bytes are left over behind a column")
        return values | low
    plain = ~escaped
    low, used = _get_low(data, _SIZE_BYTES + size, shifts[plain])
    values[plain] |= low
    values[escaped] = get_bytewise(data[used:], int(np.count_nonzero(escaped)))
    return values


def _put_low(values: UInt64, shifts: UInt8) -> bytes:
    """Return the lower ``shifts`` bits of each value, highest first, one behind the other."""
    width = (int(shifts.max(initial=0)) + 7) // 8
    if not width:
        return b""
    octets = values.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - width :]
    bits = np.unpackbits(octets, axis=1)
    return np.packbits(
        bits[_COLUMNS[: 8 * width] >= np.uint8(8 * width) - shifts[:, None]]
    ).tobytes()


def _get_low(data: bytes, offset: int, shifts: UInt8) -> tuple[UInt64, int]:
    """Return the lower bits of each value, and where in ``data`` they end."""
    total = int(shifts.sum(dtype=np.int64))
    size = (total + 7) // 8
    if len(data) < offset + size:
        raise MalformedError(f"a column ends {offset + size - len(data)} bytes early")
    width = (int(shifts.max(initial=0)) + 7) // 8
    octets = np.zeros((len(shifts), 8), np.uint8)
    if width:
        bits = np.zeros((len(shifts), 8 * width), np.uint8)
        mask = _COLUMNS[: 8 * width] >= np.uint8(8 * width) - shifts[:, None]
        bits[mask] = np.unpackbits(np.frombuffer(data, np.uint8, size, offset), count=total)
        octets[:, 8 - width :] = np.packbits(bits, axis=1)
    return octets.view(">u8").reshape(-1).astype(np.uint64), offset + size
