"""Counter: a totaliser's readings to flow, over roll-over, reset, exchange and repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.batch import SECOND_NS, Batch, Float64, Int64
from citytwin.point import Point, Source
from citytwin.quality import Quality, Severity, severity
from citytwin_edge.kernels.settings import CounterSettings
from citytwin_edge.kernels.state import load, rounds, save

VERSION: Final = 1
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
        self._columns = {
            "count": np.full(len(points), np.nan),
            "time": np.zeros(len(points), np.int64),
            "doubt": np.zeros(len(points), np.uint8),
        }

    def step(self, batch: Batch) -> Batch:
        """Return the flows that follow from these readings."""
        return Batch.concat([self._round(batch.select(rows)) for rows in rounds(batch.point)])

    def _round(self, batch: Batch) -> Batch:
        batch = batch.select(severity(batch.quality) != Severity.BAD)
        point, state = batch.point, self._columns
        last, since = state["count"][point], state["time"][point]
        known = ~np.isnan(last)
        later = batch.time_ns > since
        seconds = np.where(later, batch.time_ns - since, 1) / SECOND_NS
        with np.errstate(invalid="ignore", over="ignore"):
            step = batch.value - last
            wraps = (step < 0) & (self._modulus[point] > 0)
            # In this order a 64-bit counter's last digits survive.
            step = np.where(wraps, self._modulus[point] - last + batch.value, step)
            flow = step / seconds * self._factor[point]
            possible = (step >= 0) & (flow <= self._most[point])
            round_s = self._modulus[point] / self._most[point] * self._factor[point]
            set_back = known & (batch.time_ns < since) & (batch.value > last)
            set_back &= ~self._could_precede(batch, last, since)
        given = known & later & possible
        doubtful = (state["doubt"][point] > 0) | ((round_s > 0) & (seconds >= round_s))
        quality = np.where(doubtful, np.uint8(Quality.UNCERTAIN_RATE), batch.quality)
        taken = later | ~known | set_back
        state["doubt"][point[taken]] = (known & ~(possible & later))[taken]
        state["count"][point[taken]] = batch.value[taken]
        state["time"][point[taken]] = batch.time_ns[taken]
        numbers = (point + len(self.inputs)).astype(np.int32)
        return Batch(
            numbers[given], batch.time_ns[given], flow[given], quality[given].astype(np.uint8)
        )

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
