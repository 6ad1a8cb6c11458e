"""Counter: a totaliser's readings to flow, over roll-over, reset, exchange and repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from citytwin.batch import SECOND_NS, Batch
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
    of bad quality are passed over, so the flow after a gap is the mean over the gap.
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
        with np.errstate(invalid="ignore"):
            step = batch.value - last
            wraps = (step < 0) & (self._modulus[point] > 0)
            step = np.where(wraps, step + self._modulus[point], step)
            flow = step / seconds * self._factor[point]
            possible = (step >= 0) & (flow <= self._most[point])
        given = known & later & possible
        quality = np.where(
            state["doubt"][point] > 0, np.uint8(Quality.UNCERTAIN_RATE), batch.quality
        ).astype(np.uint8)
        taken = later | ~known
        state["doubt"][point[taken]] = (known & ~possible)[taken]
        state["count"][point[taken]] = batch.value[taken]
        state["time"][point[taken]] = batch.time_ns[taken]
        numbers = (point + len(self.inputs)).astype(np.int32)
        return Batch(numbers[given], batch.time_ns[given], flow[given], quality[given])

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save("counter", VERSION, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, "counter", VERSION, self._columns)
