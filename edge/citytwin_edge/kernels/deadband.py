"""Deadband: a sample passes when it differs enough from the last one that passed.

Source: definition; there is no standard to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from citytwin.batch import SECOND_NS, Batch
from citytwin.point import Point
from citytwin_edge.kernels.settings import PointRules
from citytwin_edge.kernels.state import load, rounds, save

VERSION: Final = 2


class Deadband:
    """A filter; every dropped sample is within ``deadband`` of the last one that passed.

    A change of quality always passes, and so does a sample ``silence_s_max`` after the last one, a
    late one, and the first that is later than all before it: whoever sorts by time sees the band
    kept there too.
    """

    replaces = True

    def __init__(self, points: Sequence[Point], rules: Sequence[PointRules]) -> None:
        """Thin out ``points``, each by its own band."""
        self.inputs = tuple(point.id for point in points)
        self.outputs: tuple[Point, ...] = ()
        self._band = np.array([rule.deadband or 0.0 for rule in rules])
        self._silence = np.array([int(rule.silence_s_max * SECOND_NS) for rule in rules])
        self._columns = {
            "value": np.full(len(points), np.nan),
            "time": np.zeros(len(points), np.int64),
            "top": np.zeros(len(points), np.int64),  # the latest one, while a late one counts
            "quality": np.full(len(points), 255, np.uint8),
        }

    def step(self, batch: Batch) -> Batch:
        """Return the samples that pass."""
        passes = np.zeros(len(batch), bool)
        state = self._columns
        for rows in rounds(batch.point):
            point, value, time_ns = batch.point[rows], batch.value[rows], batch.time_ns[rows]
            last = state["value"][point]
            elapsed = time_ns - state["time"][point]
            with np.errstate(invalid="ignore", over="ignore"):
                # NaN beside NaN is no change; NaN beside a number is, and infinitely far too.
                moved = ~(np.abs(value - last) <= self._band[point])
                moved &= ~(np.isnan(value) & np.isnan(last))
            changed = batch.quality[rows] != state["quality"][point]
            due = (elapsed >= self._silence[point]) | (elapsed < 0)
            top = np.where(elapsed < 0, state["time"][point], 0)
            top = np.maximum(state["top"][point], top)
            due |= (state["time"][point] < top) & (top <= time_ns)
            now = moved | changed | due
            passes[rows] = now
            state["value"][point[now]] = value[now]
            state["time"][point[now]] = time_ns[now]
            state["top"][point] = top
            state["quality"][point[now]] = batch.quality[rows][now]
        return batch.select(passes)

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save("deadband", VERSION, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, "deadband", VERSION, self._columns)
