"""Counter: a totaliser's readings to flow, over roll-over, reset, exchange and repeats.

Source: definition, and ours in telling a roll-over from a reset; the roll-over is that of RFC 2578,
7.1.6 (Counter32), which was not read for it but is a worked number of the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Batch, Float64, Int32, Int64
from citytwin.point import Point, Source
from citytwin.quality import Quality, Severity, severity
from citytwin_edge.kernels.settings import CounterSettings
from citytwin_edge.kernels.state import load, rounds, save

VERSION: Final = 2
SUFFIX: Final = ".flow"


class CounterFlow:
    """Adds ``<point>.flow``: mean flow since the reading before.

    A reading lower than the one before is a roll-over when the difference modulo ``modulus`` gives
    a flow that can be (RFC 2578, Counter32: from 4294967290 to 5 are 11), else a reset or exchange:
    the count begins anew and no flow is given for that step, marked uncertain at the next. Readings
    of bad quality are passed over, so the flow after a gap is the mean over the gap; after one in
    which the counter could have gone round as a whole, it is uncertain.

    A reading that is not later than the one before is late or repeated and says nothing, unless it
    is higher: then a clock was set back, and the count begins anew.

    With ``pulse`` the flow is the mean from one change of the count to the next that comes at least
    ``window_s`` later; in between it is the last one, but never more than what would be if the next
    pulse came now: without one for t that is ``pulse`` / (t - ``window_s``), since pulses may be
    held back for the window. As long as no flow is known, that bound is given, uncertain. So a slow
    meter gives a steady flow, and one that stops is seen.
    """

    replaces = False

    def __init__(self, points: Sequence[Point], settings: Sequence[CounterSettings]) -> None:
        """Derive the flow of each counter."""
        self.inputs = tuple(point.id for point in points)
        self.outputs = tuple(
            Point(
                id=point.id + SUFFIX,
                unit=setting.flow_unit,
                source=Source.DERIVED,
                label=point.label,
                device_label=point.device_label,
                place=point.place,
                feeds=point.feeds,
            )
            for point, setting in zip(points, settings, strict=True)
        )
        self._factor = np.array([setting.factor for setting in settings])
        self._most = np.array([setting.flow_max for setting in settings])
        self._modulus = np.array([setting.modulus for setting in settings])
        self._pulse = np.array([setting.pulse for setting in settings])
        self._window = np.array([setting.window_s for setting in settings])
        self._columns = {
            "count": np.full(len(points), np.nan),
            "time": np.zeros(len(points), np.int64),
            "seen": np.zeros(len(points), np.int64),
            "flow": np.full(len(points), np.nan),
            "doubt": np.zeros(len(points), np.uint8),
        }

    def step(self, batch: Batch) -> Batch:
        """Return the flows that follow from these readings."""
        return Batch.concat([self._round(batch.select(rows)) for rows in rounds(batch.point)])

    def _round(self, batch: Batch) -> Batch:
        batch = batch.select(severity(batch.quality) != Severity.BAD)
        point, state = batch.point, self._columns
        last, seen = state["count"][point], state["seen"][point]
        known = ~np.isnan(last)
        later = batch.time_ns > seen
        seconds = np.where(later, batch.time_ns - state["time"][point], 1) / SECOND_NS
        unseen_s = np.where(later, batch.time_ns - seen, 0) / SECOND_NS
        with np.errstate(invalid="ignore", over="ignore"):
            step = batch.value - last
            wraps = (step < 0) & (self._modulus[point] > 0)
            # In this order a 64-bit counter's last digits survive.
            step = np.where(wraps, self._modulus[point] - last + batch.value, step)
            flow = step / seconds * self._factor[point]
            possible = (step >= 0) & (flow <= self._most[point])
            round_s = self._modulus[point] / self._most[point] * self._factor[point]
            set_back = known & (batch.time_ns < seen) & (batch.value > last)
            set_back &= ~self._could_precede(batch, last, seen)
        waits = self._waits(point, step, seconds) & known & later
        given = known & later & possible
        doubtful = (state["doubt"][point] > 0) | ((round_s > 0) & (unseen_s >= round_s))
        taken = later | ~known | set_back
        state["seen"][point[taken]] = batch.time_ns[taken]
        anew = taken & ~waits
        state["doubt"][point[anew]] = (known & ~(possible & later))[anew]
        state["count"][point[anew]] = batch.value[anew]
        state["time"][point[anew]] = batch.time_ns[anew]
        # A wait keeps the flow that there was, below what the next pulse would make of it. What
        # may be held back for the window says nothing earlier.
        silent_s = seconds - self._window[point]
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = (step + self._pulse[point]) / silent_s * self._factor[point]
        bound = np.where(silent_s > 0, bound, np.inf)
        before = state["flow"][point]
        doubtful |= waits & np.isnan(before)
        given = np.where(waits, ~np.isnan(before) | (bound <= self._most[point]), given)
        flow = np.where(waits, np.fmin(before, bound), flow)
        state["flow"][point[anew]] = np.where(given, flow, np.nan)[anew]
        quality = np.where(doubtful, np.uint8(Quality.UNCERTAIN_RATE), batch.quality)
        numbers = (point + len(self.inputs)).astype(np.int32)
        return Batch(
            numbers[given], batch.time_ns[given], flow[given], quality[given].astype(np.uint8)
        )

    def _waits(self, point: Int32, step: Float64, seconds: Float64) -> npt.NDArray[np.bool_]:
        """Tell which readings are of a pulse counter that has not gone on for long enough."""
        short = (step == 0) | ((step > 0) & (seconds < self._window[point]))
        waiting: npt.NDArray[np.bool_] = (self._pulse[point] > 0) & short
        return waiting

    def _could_precede(self, batch: Batch, last: Float64, since: Int64) -> npt.NDArray[np.bool_]:
        """Tell which readings, though higher than the last, can be from before a roll-over."""
        modulus = self._modulus[batch.point]
        seconds = np.maximum(since - batch.time_ns, 1) / SECOND_NS
        with np.errstate(over="ignore"):
            flow = (modulus - batch.value + last) / seconds * self._factor[batch.point]
        possible: npt.NDArray[np.bool_] = (modulus > 0) & (flow <= self._most[batch.point])
        return possible

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save("counter", VERSION, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, "counter", VERSION, self._columns)
