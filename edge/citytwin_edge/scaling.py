"""Scaling: a device's own numbers to the point's unit, with the checks that every number passes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.batch import Batch, Float64, Int32, UInt8
from citytwin.errors import BatchError
from citytwin.point import Point, Span
from citytwin.quality import Quality, Severity, severity

_WHOLE_TOLERANCE: Final = 1e-9
_LARGEST: Final = float(np.finfo(np.float64).max)


class Scaling:
    """Turns an adapter's batches into the gateway's: scale, offset, range, point numbers."""

    def __init__(
        self, points: Sequence[Point], numbers: Int32, scale: Float64, offset: Float64
    ) -> None:
        """Compile.

        Args:
            points: n points, for their valid spans.
            numbers: int32, shape (n,): the gateway's number of each.
            scale, offset: float64, shape (n,): value = device's value * scale + offset.

        Raises:
            ValueError: a length differs, or a scale is zero or not finite.
        """
        if not len(points) == len(numbers) == len(scale) == len(offset):
            raise ValueError(
                f"{len(points)} points, but {len(numbers)} numbers, {len(scale)} scales and "
                f"{len(offset)} offsets"
            )
        if not (np.isfinite(scale).all() and np.isfinite(offset).all() and np.all(scale)):
            raise ValueError("a scale must be finite and not zero, an offset finite")
        # Dividing by ten gives 42.3 where multiplying by 0.1 gives 42.300000000000004.
        inverse = 1.0 / scale
        whole = (np.abs(inverse) >= 1) & (
            np.abs(inverse - np.round(inverse)) < _WHOLE_TOLERANCE * np.abs(inverse)
        )
        spans = [point.valid or Span() for point in points]
        self._divisor = np.where(whole, np.round(inverse), 1.0)
        self._factor = np.where(whole, 1.0, scale)
        self._offset = offset
        self._numbers = numbers
        # Finite ends, so that one comparison finds infinity and NaN too.
        self._low = np.array([max(span.low, -_LARGEST) for span in spans], dtype=np.float64)
        self._high = np.array([min(span.high, _LARGEST) for span in spans], dtype=np.float64)
        self._divides = bool((self._divisor != 1).any())
        self._multiplies = bool((self._factor != 1).any())
        self._shifts = bool(offset.any())
        self._chosen = np.empty(0, dtype=np.int32)
        self._columns = self._choose(self._chosen)

    def apply(self, batch: Batch) -> Batch:
        """Return the samples in their points' units, under the gateway's numbers.

        What is not finite becomes NaN and BAD_NOT_A_NUMBER; what is outside the point's valid span
        and was good becomes UNCERTAIN_RANGE.

        Raises:
            BatchError: a sample belongs to none of the points.
        """
        # A device that is polled gives the same points in the same (read-only) column each time.
        if batch.point is not self._chosen:
            self._columns = self._choose(batch.point)
            self._chosen = batch.point
        numbers, factor, divisor, offset, low, high = self._columns
        value, quality = batch.value, batch.quality
        with np.errstate(over="ignore", invalid="ignore"):  # seen to below
            if self._divides:
                value = value / divisor
            if self._multiplies:
                value = value * factor
            if self._shifts:
                value = value + offset
            inside = (value >= low) & (value <= high)
        if not inside.all():
            value, quality = self._judge(value, quality, inside)
        return Batch(numbers, batch.time_ns, value, quality)

    @staticmethod
    def _judge(
        value: Float64, quality: UInt8, inside: npt.NDArray[np.bool_]
    ) -> tuple[Float64, UInt8]:
        """Mark the values that are not inside their span; NaN and infinity never are."""
        finite = np.isfinite(value)
        level = severity(quality)
        outside = finite & ~inside & (level == Severity.GOOD)
        void = ~finite & (level != Severity.BAD)
        quality = np.where(outside, np.uint8(Quality.UNCERTAIN_RANGE), quality)
        quality = np.where(void, np.uint8(Quality.BAD_NOT_A_NUMBER), quality)
        return np.where(finite, value, np.nan), quality

    def undo(self, point: int, value: float) -> float:
        """Return what the device must be told so that point ``point`` has ``value``."""
        shifted = value - float(self._offset[point])
        if not math.isfinite(shifted):
            return shifted
        return shifted * float(self._divisor[point]) / float(self._factor[point])

    def _choose(self, point: Int32) -> tuple[Int32, Float64, Float64, Float64, Float64, Float64]:
        if len(point) and not 0 <= point.min() <= point.max() < len(self._numbers):
            raise BatchError(
                f"the adapter speaks of point {point.min()} to {point.max()}, but has only "
                f"{len(self._numbers)}"
            )
        return (
            self._numbers[point],
            self._factor[point],
            self._divisor[point],
            self._offset[point],
            self._low[point],
            self._high[point],
        )
