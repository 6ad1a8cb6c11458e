"""Rules: range, rate, flatline and NaN mark samples; leaving the normal span raises an alarm.

Source: definitions, and ours in what is doubtful; there is no standard to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Batch, Int32
from citytwin.point import Kind, Point, Source, Span
from citytwin.quality import Quality, Severity, severity
from citytwin_edge.kernels.settings import PointRules
from citytwin_edge.kernels.state import load, rounds, save

VERSION: Final = 1
HYSTERESIS: Final = 0.02
"""An alarm returns when the value is back inside by so much of the normal span."""
SUFFIX: Final = ".alarm"


class Rules:
    """A filter: every sample passes, with its quality; alarm points are added.

    A bad sample moves nothing. An alarm is raised when a value has been outside ``normal`` for
    ``alarm_delay_s``, and returns when it is inside by a fiftieth of the span.
    """

    replaces = True

    def __init__(self, points: Sequence[Point], rules: Sequence[PointRules]) -> None:
        """Watch ``points``, each with its own rules."""
        self.inputs = tuple(point.id for point in points)
        alarmed = [index for index, point in enumerate(points) if point.normal is not None]
        self.outputs = tuple(_alarm_point(points[index]) for index in alarmed)
        count = len(points)
        self._output = np.full(count, -1, np.int32)
        self._output[alarmed] = count + np.arange(len(alarmed), dtype=np.int32)
        valid = [point.valid or Span() for point in points]
        normal = [point.normal or Span() for point in points]
        self._low = np.array([span.low for span in valid])
        self._high = np.array([span.high for span in valid])
        self._normal_low = np.array([span.low for span in normal])
        self._normal_high = np.array([span.high for span in normal])
        width = np.where(
            np.isfinite(self._normal_high - self._normal_low),
            self._normal_high - self._normal_low,
            0.0,
        )
        self._margin = width * HYSTERESIS
        self._rate = np.array([rule.rate_per_s_max or np.inf for rule in rules])
        self._flat = np.array([_ns(rule.flatline_s_max) for rule in rules])
        self._delay = np.array([_ns(rule.alarm_delay_s, 0.0) for rule in rules])
        self._columns = {
            "value": np.full(count, np.nan),
            "time": np.zeros(count, np.int64),
            "moved": np.zeros(count, np.int64),
            "outside": np.zeros(count, np.int64),
            "raised": np.zeros(count, np.uint8),
        }

    def step(self, batch: Batch) -> Batch:
        """Return the samples with their qualities, and alarm transitions behind them."""
        if not len(batch):
            return batch
        quality = batch.quality.copy()
        alarms: list[Batch] = []
        for rows in rounds(batch.point):
            self._mark(batch, rows, quality)
            alarm = self._alarms(batch, rows, quality)
            if alarm is not None:
                alarms.append(alarm)
        value = np.where(np.isfinite(batch.value), batch.value, np.nan)
        marked = Batch(batch.point, batch.time_ns, value, quality)
        return Batch.concat([marked, *alarms])

    def _mark(
        self, batch: Batch, rows: npt.NDArray[np.intp], quality: npt.NDArray[np.uint8]
    ) -> None:
        point, value, time_ns = batch.point[rows], batch.value[rows], batch.time_ns[rows]
        state, code = self._columns, quality[rows]
        void = ~np.isfinite(value) & (severity(code) != Severity.BAD)
        code[void] = Quality.BAD_NOT_A_NUMBER
        usable = severity(code) != Severity.BAD
        good = severity(code) == Severity.GOOD
        last, since = state["value"][point], state["time"][point]
        outside = good & ((value < self._low[point]) | (value > self._high[point]))
        code[outside] = Quality.UNCERTAIN_RANGE
        elapsed = time_ns - since
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            rate = np.abs(value - last) / (np.maximum(elapsed, 1) / SECOND_NS)
            jumps = good & ~outside & ~np.isnan(last) & (elapsed > 0) & (rate > self._rate[point])
        code[jumps] = Quality.UNCERTAIN_RATE
        moved = usable & ((value != last) | (elapsed < 0))
        state["moved"][point[moved]] = time_ns[moved]
        still = good & ~outside & ~moved
        flat = still & (time_ns - state["moved"][point] > self._flat[point])
        code[flat] = Quality.UNCERTAIN_FLATLINE
        state["value"][point[usable]] = value[usable]
        state["time"][point[usable]] = time_ns[usable]
        quality[rows] = code

    def _alarms(
        self, batch: Batch, rows: npt.NDArray[np.intp], quality: npt.NDArray[np.uint8]
    ) -> Batch | None:
        watched = (self._output[batch.point[rows]] >= 0) & (severity(quality[rows]) != Severity.BAD)
        rows = rows[watched]
        if not len(rows):
            return None
        point, value, time_ns = batch.point[rows], batch.value[rows], batch.time_ns[rows]
        state = self._columns
        raised = state["raised"][point] > 0
        margin = np.where(raised, self._margin[point], 0.0)
        outside = (value < self._normal_low[point] + margin) | (
            value > self._normal_high[point] - margin
        )
        since = state["outside"][point]
        # 0 stands for "inside"; a stamp before the beginning of it means that a clock was set back.
        since = np.where(outside & ((since == 0) | (since > time_ns)), time_ns, since)
        since = np.where(outside, since, 0)
        state["outside"][point] = since
        raises = outside & ~raised & (time_ns - since >= self._delay[point])
        returns = ~outside & raised
        state["raised"][point[raises]] = 1
        state["raised"][point[returns]] = 0
        changes = raises | returns
        if not changes.any():
            return None
        return Batch(
            self._output[point[changes]],
            time_ns[changes],
            raises[changes].astype(np.float64),
            np.zeros(int(np.count_nonzero(changes)), np.uint8),
        )

    def held(self, inputs: Int32) -> Batch:
        """Return the ends of alarms that are raised; see :class:`citytwin.kernel.Holds`."""
        state = self._columns
        rows = inputs[(state["raised"][inputs] > 0) & (self._output[inputs] >= 0)]
        return Batch.of(self._output[rows], state["time"][rows], np.zeros(len(rows)))

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save("rules", VERSION, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, "rules", VERSION, self._columns)


def _alarm_point(point: Point) -> Point:
    return Point(
        id=point.id + SUFFIX,
        kind=Kind.ALARM,
        source=Source.DERIVED,
        label=point.label,
        device_label=point.device_label,
        place=point.place,
        feeds=point.feeds,
    )


def _ns(seconds: float | None, default: float = 9e9) -> int:
    return int((default if seconds is None else seconds) * SECOND_NS)
