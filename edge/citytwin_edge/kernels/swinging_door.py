"""Swinging door: keeps just the samples between which straight lines tell the rest, within a bound.

Source: E. H. Bristol, "Swinging door trending: adaptive trend recording?", ISA National Conference,
1990, which was not read.
From the last kept sample two doors swing; while they still leave an opening, one line passes within
the bound of every sample since. Here the line ends in the last sample itself, so the doors are the
slopes to each sample plus and minus the bound, and a sample is kept when the next one's slope
leaves the opening: every dropped sample is then within the bound of the line between its kept
neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Batch, Int32
from citytwin.point import Point
from citytwin_edge.kernels.settings import PointRules
from citytwin_edge.kernels.state import load, rounds, save

VERSION: Final = 2

Mask = npt.NDArray[np.bool_]


class SwingingDoor:
    """A filter that holds back the newest sample until the next one decides about it.

    A change of quality, a sample that is not a number, a late one, the first that is later again
    than all before it, and ``silence_s_max`` end a line: the sample held back and the new one both
    pass. The bound holds for what comes in order of time; what is late lies between samples that
    have been dropped already.
    """

    replaces = True

    def __init__(self, points: Sequence[Point], rules: Sequence[PointRules]) -> None:
        """Thin out ``points``, each by its own bound."""
        count = len(points)
        self.inputs = tuple(point.id for point in points)
        self.outputs: tuple[Point, ...] = ()
        self._bound = np.array([rule.swinging_door or 0.0 for rule in rules])
        self._silence = np.array([int(rule.silence_s_max * SECOND_NS) for rule in rules])
        self._columns = {
            "anchor": np.full(count, np.nan),
            "anchor_time": np.zeros(count, np.int64),
            "held": np.full(count, np.nan),
            "held_time": np.zeros(count, np.int64),
            "top": np.zeros(count, np.int64),  # the latest sample, while a line began late
            "holds": np.zeros(count, np.uint8),
            "quality": np.full(count, 255, np.uint8),
            "low": np.full(count, -np.inf),
            "high": np.full(count, np.inf),
        }

    def step(self, batch: Batch) -> Batch:
        """Return the samples that are kept, the ones held back before the new ones."""
        return Batch.concat([self._round(batch.select(rows)) for rows in rounds(batch.point)])

    def _round(self, batch: Batch) -> Batch:
        state, point, value, time_ns = self._columns, batch.point, batch.value, batch.time_ns
        elapsed = time_ns - state["anchor_time"][point]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            seconds = np.where(elapsed > 0, elapsed, 1) / SECOND_NS
            slope = (value - state["anchor"][point]) / seconds
        breaks = (
            (batch.quality != state["quality"][point])
            | ~np.isfinite(slope)
            | (
                (state["anchor_time"][point] < state["top"][point])
                & (state["top"][point] <= time_ns)
            )
            | (time_ns <= np.maximum(state["anchor_time"][point], state["held_time"][point]))
            | (elapsed >= self._silence[point])
        )
        fits = (slope >= state["low"][point]) & (slope <= state["high"][point])
        turns = ~breaks & ~fits
        flushed = (breaks | turns) & (state["holds"][point] > 0)
        held = Batch(
            point[flushed],
            state["held_time"][point[flushed]],
            state["held"][point[flushed]],
            state["quality"][point[flushed]],
        )
        self._anchor_at_held(point[turns])
        self._anchor_at_new(batch, breaks)
        self._hold(batch, ~breaks)
        return Batch.concat([held, batch.select(breaks)])

    def _anchor_at_held(self, point: npt.NDArray[np.int32]) -> None:
        """A line ends in the sample that was held back; the next one begins there."""
        state = self._columns
        state["anchor"][point] = state["held"][point]
        state["anchor_time"][point] = state["held_time"][point]
        state["low"][point], state["high"][point] = -np.inf, np.inf

    def _anchor_at_new(self, batch: Batch, breaks: Mask) -> None:
        state, point = self._columns, batch.point[breaks]
        before = np.maximum(state["anchor_time"][point], state["held_time"][point])
        is_late = batch.time_ns[breaks] < before
        state["top"][point] = np.maximum(state["top"][point], np.where(is_late, before, 0))
        state["anchor"][point] = batch.value[breaks]
        state["anchor_time"][point] = batch.time_ns[breaks]
        state["held_time"][point] = batch.time_ns[breaks]
        state["quality"][point] = batch.quality[breaks]
        state["holds"][point] = 0
        state["low"][point], state["high"][point] = -np.inf, np.inf

    def _hold(self, batch: Batch, kept: Mask) -> None:
        """Hold the new sample back and narrow the opening by it."""
        state, point = self._columns, batch.point[kept]
        value, time_ns = batch.value[kept], batch.time_ns[kept]
        seconds = (time_ns - state["anchor_time"][point]) / SECOND_NS
        anchor, bound = state["anchor"][point], self._bound[point]
        with np.errstate(over="ignore"):
            low, high = (value - bound - anchor) / seconds, (value + bound - anchor) / seconds
        state["low"][point] = np.maximum(state["low"][point], low)
        state["high"][point] = np.minimum(state["high"][point], high)
        state["held"][point] = value
        state["held_time"][point] = time_ns
        state["holds"][point] = 1

    def held(self, inputs: Int32) -> Batch:
        """Return the samples that are held back; see :class:`citytwin.kernel.Holds`."""
        state, rows = self._columns, inputs[self._columns["holds"][inputs] > 0]
        return Batch(
            rows, state["held_time"][rows], state["held"][rows],
            state["quality"][rows],
        )  # fmt: skip

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save("swinging-door", VERSION, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, "swinging-door", VERSION, self._columns)
