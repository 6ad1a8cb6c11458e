"""Latest: the newest sample of every point of a running agent, and who watches them come."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from citytwin.batch import Batch
from citytwin.quality import Quality, Severity, severity


class Latest:
    """Takes every batch that comes; one thread.

    Attributes:
        value: float64, shape (n,), by the gateway's numbers; NaN where there is none.
        time_ns: int64, shape (n,): UTC nanoseconds; 0 where nothing has come yet.
        quality: uint8, shape (n,): a :class:`citytwin.quality.Quality` code.
        watchers: called with every batch, at once; never raise and never wait.
    """

    def __init__(self, size: int) -> None:
        """Hold numbers below ``size``."""
        self.value = np.full(size, np.nan)
        self.time_ns = np.zeros(size, np.int64)
        self.quality = np.full(size, Quality.BAD_STALE, np.uint8)
        self.watchers: list[Callable[[Batch], None]] = []
        self._measured = np.zeros(size, np.bool_)

    def make_room(self, size: int) -> None:
        """Hold numbers below ``size`` from now on; what is held stays."""
        more = size - len(self.value)
        if more > 0:
            self.value = np.append(self.value, np.full(more, np.nan))
            self.time_ns = np.append(self.time_ns, np.zeros(more, np.int64))
            stale = np.full(more, Quality.BAD_STALE, np.uint8)
            self.quality = np.append(self.quality, stale)
            self._measured = np.append(self._measured, np.zeros(more, np.bool_))

    def take(self, batch: Batch) -> None:
        """Take what a device has said, in the gateway's numbers."""
        self._measured[batch.point] = True
        self._keep(batch)

    def take_derived(self, batch: Batch) -> None:
        """Take what kernels made of it; of points that a device has, the device's sample stays."""
        derived = ~self._measured[batch.point]
        if derived.any():
            self._keep(batch.select(derived))

    def _keep(self, batch: Batch) -> None:
        numbers = batch.point
        self.value[numbers] = batch.value
        self.time_ns[numbers] = batch.time_ns
        self.quality[numbers] = batch.quality
        if self.watchers:
            for watch in tuple(self.watchers):
                watch(batch)

    def good(self, number: int) -> float | None:
        """Return the newest value of a point unless it is bad; None when there is none."""
        value = float(self.value[number])
        is_bad = self.quality[number] >> 6 == Severity.BAD
        return None if is_bad or not math.isfinite(value) else value

    def tally(self, numbers: np.typing.NDArray[np.int32]) -> tuple[int, int, int]:
        """Return how many of these points are good, uncertain and bad."""
        counts = np.bincount(severity(self.quality[numbers]), minlength=3)
        return int(counts[0]), int(counts[1]), int(counts[2])
