"""Batch: samples as four parallel read-only columns. Everything that moves is a Batch.

>>> batch = Batch.of([0, 1], [10, 10], [1.5, 2.5])
>>> len(batch), batch.value.tolist(), batch.quality.tolist()
(2, [1.5, 2.5], [0, 0])
>>> batch.value[0] = 9.0
Traceback (most recent call last):
    ...
ValueError: assignment destination is read-only
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from citytwin.errors import BatchError
from citytwin.quality import KNOWN, Severity, severity

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]

SECOND_NS: Final = 1_000_000_000
TIME_NS_MIN: Final = 1_577_836_800 * SECOND_NS
"""2020-01-01 UTC: an earlier stamp is a clock that was never set."""
FUTURE_NS_MAX: Final = 86_400 * SECOND_NS
"""How far ahead of the receiver's clock a stamp may lie (one day) before it is refused."""


def _column(values: npt.ArrayLike, dtype: npt.DTypeLike, name: str) -> npt.NDArray[Any]:
    column = np.array(values, dtype=dtype, copy=None, order="C")
    if column.ndim != 1:
        raise BatchError(f"column {name} has {column.ndim} dimensions, not 1")
    if column.flags.writeable:
        # A view that cannot be written through; an owner who keeps the base must not change it.
        column = column.view()
        column.flags.writeable = False
    return column


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples as four parallel read-only columns of equal length n.

    Attributes:
        point: int32, shape (n,): index into the point table of whoever owns the batch.
        time_ns: int64, shape (n,): UTC nanoseconds since 1970-01-01.
        value: float64, shape (n,): in the point's unit; NaN when the quality is bad.
        quality: uint8, shape (n,): see :mod:`citytwin.quality`.
    """

    point: Int32
    time_ns: Int64
    value: Float64
    quality: UInt8

    def __post_init__(self) -> None:
        """Bring the columns to their types, make them read-only, compare their lengths."""
        for name, dtype in (
            ("point", np.int32),
            ("time_ns", np.int64),
            ("value", np.float64),
            ("quality", np.uint8),
        ):
            object.__setattr__(self, name, _column(getattr(self, name), dtype, name))
        lengths = {len(self.point), len(self.time_ns), len(self.value), len(self.quality)}
        if len(lengths) != 1:
            raise BatchError(
                f"columns differ in length: point {len(self.point)}, time_ns {len(self.time_ns)}, "
                f"value {len(self.value)}, quality {len(self.quality)}"
            )

    @classmethod
    def of(
        cls,
        point: npt.ArrayLike,
        time_ns: npt.ArrayLike,
        value: npt.ArrayLike,
        quality: npt.ArrayLike | None = None,
    ) -> Self:
        """Build a batch from anything array-like; a scalar time or quality serves all samples."""
        points = np.atleast_1d(np.asarray(point, dtype=np.int32))
        count = len(points)
        return cls(
            points,
            np.broadcast_to(np.asarray(time_ns, dtype=np.int64), (count,)),
            np.atleast_1d(np.asarray(value, dtype=np.float64)),
            np.broadcast_to(
                np.asarray(0 if quality is None else quality, dtype=np.uint8), (count,)
            ),
        )

    @classmethod
    def empty(cls) -> Self:
        """Return a batch without samples."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))

    @classmethod
    def concat(cls, batches: Iterable[Batch]) -> Batch:
        """Return one batch with the samples of all, in order."""
        some: Sequence[Batch] = [batch for batch in batches if len(batch)]
        if len(some) == 1:
            return some[0]
        if not some:
            return cls.empty()
        return cls(
            np.concatenate([batch.point for batch in some]),
            np.concatenate([batch.time_ns for batch in some]),
            np.concatenate([batch.value for batch in some]),
            np.concatenate([batch.quality for batch in some]),
        )

    def __len__(self) -> int:
        return len(self.point)

    def __eq__(self, other: object) -> bool:
        """Whether all four columns are equal; NaN equals NaN."""
        if not isinstance(other, Batch):
            return NotImplemented
        return (
            np.array_equal(self.point, other.point)
            and np.array_equal(self.time_ns, other.time_ns)
            and np.array_equal(self.value, other.value, equal_nan=True)
            and np.array_equal(self.quality, other.quality)
        )

    __hash__ = None  # type: ignore[assignment]  # columns have no cheap hash

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Batch:
        """Return the samples that a mask, an index column or a slice names."""
        return Batch(self.point[rows], self.time_ns[rows], self.value[rows], self.quality[rows])

    def renumbered(self, numbers: Int32) -> Batch:
        """Return the same samples with ``point`` replaced by ``numbers[point]``.

        Args:
            numbers: int32, shape (points,): new number of each old one.
        """
        return Batch(np.take(numbers, self.point), self.time_ns, self.value, self.quality)

    def check(self, *, points: int, now_ns: int) -> None:
        """Refuse what no receiver may store.

        Args:
            points: how many points the table has; ``point`` must lie in [0, points).
            now_ns: the receiver's clock, for stamps that lie too far ahead.

        Raises:
            BatchError: an unknown point or quality, a time before 2020 or more than a day ahead,
                an infinite value, or NaN of good quality; the text names the first one.
        """
        if not len(self):
            return
        if self.point.min() < 0 or self.point.max() >= points:
            bad = self.point[(self.point < 0) | (self.point >= points)][0]
            raise BatchError(f"point number {bad} is not one of the {points} announced")
        if self.time_ns.min() < TIME_NS_MIN:
            raise BatchError(f"time {self.time_ns.min()} ns is before 2020-01-01")
        if self.time_ns.max() > now_ns + FUTURE_NS_MAX:
            raise BatchError(f"time {self.time_ns.max()} ns is over a day ahead of the clock")
        if not KNOWN[self.quality].all():
            raise BatchError(f"quality {self.quality[~KNOWN[self.quality]][0]} is not known")
        if not np.isfinite(self.value).all():
            if np.isinf(self.value).any():
                raise BatchError("an infinite value is not a measurement")
            if (severity(self.quality[np.isnan(self.value)]) != Severity.BAD).any():
                raise BatchError("a value that is not a number must be of bad quality")
