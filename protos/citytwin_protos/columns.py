"""Columns: points, times, qualities and odd values of a block <-> the parts of its header.

A part is what MessagePack holds for one column; its types are checked where the header is read.
Reading a part checks every number and size in it; whatever is wrong is a MalformedError.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.errors import MalformedError
from citytwin.quality import Severity, severity
from citytwin_protos.bits import (
    SHIFT_MAX,
    Int64,
    UInt8,
    UInt64,
    get_rice,
    put_rice,
    runs_of,
    shift_for,
    unzigzag,
    zigzag,
)

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

UNITS_NS: Final = (1, 1_000, 1_000_000, 1_000_000_000)
"""Steps in which stamps may lie; the coarsest that fits is taken."""
ODD: Final[Float64] = np.array([np.nan, -0.0, np.inf, -np.inf])
"""Values that no whole number stands for, by their kind."""


Numbers = tuple[int, bytes]
"""A column of whole numbers: the shift of all, their Rice code."""
Runs = tuple[int, Numbers]
"""How many runs, their lengths less one."""
TimePart = tuple[int, Numbers, Runs | None]
"""Unit, steps of the runs' stamps, the runs unless they are those of the block before."""
QualityPart = int | tuple[int, Numbers, bytes]
"""The quality of all samples; or number, lengths less one and codes of its runs."""
OddPart = bool | tuple[int, Numbers, bytes]
"""True: NaN wherever the quality is bad; or how many odd values, steps of their places, kinds."""


def within(number: int, low: int, high: int, what: str) -> int:
    """Return a number that lies in [low, high]; raises MalformedError."""
    if not low <= number <= high:
        raise MalformedError(f"{what} is {number}, not a number from {low} to {high}")
    return number


def put_numbers(codes: UInt64) -> Numbers:
    """Return a column of non-negative numbers, coded with one shift for all."""
    shift = shift_for(codes)
    return shift, put_rice(codes, np.full(len(codes), shift, np.uint8))


def get_numbers(part: Numbers, count: int) -> UInt64:
    """Return the ``count`` numbers of :func:`put_numbers`."""
    shift, data = part
    return get_rice(data, np.full(count, within(shift, 0, SHIFT_MAX, "a shift"), np.uint8))


def put_points(point: Int32) -> Numbers:
    """Return point numbers as steps from the one before plus one: a run of numbers costs little."""
    steps = _steps(point.astype(np.int64))
    steps[1:] -= 1
    return put_numbers(zigzag(steps))


def get_points(part: Numbers, count: int) -> Int32:
    """Return the ``count`` point numbers of :func:`put_points`."""
    steps = unzigzag(get_numbers(part, count))
    steps[1:] += 1
    point = np.cumsum(steps)
    if count and (point.min() < -(1 << 31) or point.max() >= 1 << 31):
        raise MalformedError("a point number is beyond 32 bits")
    return point.astype(np.int32)


class Times:
    """Stamps of a stream: runs of equal ones, each told by how it follows from the last block.

    Devices are read in the same order again and again. So a block's runs are as long as those of
    the block before, and each begins one period later, give or take what the scan jitters.
    """

    def __init__(self) -> None:
        """Begin without a block before."""
        self._heads: Int64 = np.zeros(1, np.int64)
        self._lengths: Int64 = np.zeros(0, np.int64)

    def put(self, time_ns: Int64) -> TimePart:
        """Return the part of a column of one or more stamps."""
        first, lengths = runs_of(time_ns)
        heads = time_ns[first]
        again = np.array_equal(lengths, self._lengths)
        steps = _steps(heads - self._heads if again else heads)
        if not again:
            steps[:1] -= self._heads[:1]
        unit = max(u for u in range(len(UNITS_NS)) if not (steps % UNITS_NS[u]).any())
        runs = None if again else (len(lengths), put_numbers((lengths - 1).view(np.uint64)))
        self._heads, self._lengths = heads, lengths
        return unit, put_numbers(zigzag(steps // UNITS_NS[unit])), runs

    def get(self, part: TimePart, count: int) -> Int64:
        """Return the ``count`` stamps of :meth:`put`."""
        unit, steps, runs = part
        again, lengths = runs is None, self._lengths
        if runs is not None:
            lengths = get_lengths(runs, count)
        elif int(lengths.sum()) != count:
            raise MalformedError(f"the runs before held {int(lengths.sum())} samples, not {count}")
        moved = unzigzag(get_numbers(steps, len(lengths)))
        moved *= UNITS_NS[within(unit, 0, len(UNITS_NS) - 1, "unit of times")]
        if not again:
            moved[:1] += self._heads[:1]
        heads = np.cumsum(moved)
        if again:
            heads += self._heads
        self._heads, self._lengths = heads, lengths
        return np.repeat(heads, lengths)


def put_quality(quality: UInt8) -> QualityPart:
    """Return the part of a column of one or more quality codes."""
    first, lengths = runs_of(quality)
    if len(first) == 1:
        return int(quality[0])
    return len(first), put_numbers((lengths - 1).view(np.uint64)), quality[first].tobytes()


def get_quality(part: QualityPart, count: int) -> UInt8:
    """Return the ``count`` codes of :func:`put_quality`."""
    if isinstance(part, int):
        return np.full(count, within(part, 0, 255, "a quality"), np.uint8)
    number, coded, seen = part
    lengths = get_lengths((number, coded), count)
    codes = np.frombuffer(seen, np.uint8)
    if len(codes) != len(lengths):
        raise MalformedError(f"{len(lengths)} runs of quality have {len(codes)} codes")
    return np.repeat(codes, lengths)


def get_lengths(runs: Runs, count: int) -> Int64:
    """Return the lengths of runs that make up ``count`` samples."""
    number, part = runs
    within(number, 1, count, "a number of runs")
    longer = get_numbers(part, number)
    if longer.max() >= count or int(longer.sum()) + number != count:
        raise MalformedError(f"the runs do not make up {count} samples")
    return longer.astype(np.int64) + 1


def find_odd(value: Float64) -> tuple[Mask, UInt8] | None:
    """Return where values are odd and of which kind each of those is; None when none are."""
    odd = ~np.isfinite(value) | ((value == 0.0) & np.signbit(value))
    if not odd.any():
        return None
    some = value[odd]
    kinds = np.where(np.isnan(some), 0, np.where(some == 0.0, 1, np.where(some > 0, 2, 3)))
    return odd, kinds.astype(np.uint8)


def put_odd(odd: Mask, kinds: UInt8, quality: UInt8) -> OddPart:
    """Return the part of odd values: shape (n,) where, kinds of those, qualities of all."""
    if not kinds.any() and np.array_equal(odd, severity(quality) == Severity.BAD):
        return True
    return *put_places(np.flatnonzero(odd)), kinds.tobytes()


def get_odd(part: OddPart, count: int, quality: UInt8) -> tuple[Mask, UInt8]:
    """Return where values are odd, shape (count,), and the kind of each of those."""
    if isinstance(part, bool):
        if not part:
            raise MalformedError("odd values are neither told nor foreseen")
        odd = severity(quality) == Severity.BAD
        return odd, np.zeros(int(np.count_nonzero(odd)), np.uint8)
    number, steps, kinds = part
    places = get_places((number, steps), count)
    odd = np.zeros(count, np.bool_)
    odd[places] = True
    seen = np.frombuffer(kinds, np.uint8)
    if len(seen) != len(places) or seen.max() >= len(ODD):
        raise MalformedError("the kinds of the odd values do not fit them")
    return odd, seen


def put_places(places: npt.NDArray[np.intp]) -> Runs:
    """Return one or more growing places: how many, their steps."""
    return len(places), put_numbers(_steps(places.astype(np.int64)).view(np.uint64))


def get_places(part: Runs, count: int) -> Int64:
    """Return the places of :func:`put_places`; they lie below ``count``."""
    number, steps = part
    gaps = get_numbers(steps, within(number, 1, count, "a number of places"))
    if gaps.max() >= count or (gaps[1:] == 0).any() or int(gaps.sum()) >= count:
        raise MalformedError(f"places do not grow within {count}")
    return np.cumsum(gaps.astype(np.int64))


def _steps(values: Int64) -> Int64:
    """Return each value minus the one before; the first as it is. Differences may wrap around."""
    steps = values.copy()
    steps[1:] -= values[:-1]
    return steps
