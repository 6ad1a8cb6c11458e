"""Exchange: sees that a meter was exchanged, so that what was learnt of the old one is forgotten.

A serial number that is another one says so for sure. A counter that falls below half of what it was
was exchanged, or reset, or has rolled over: a new meter begins near zero. Learning anew when it was
none of these costs a day of sensitivity; not doing so costs alarms for days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from citytwin.batch import SECOND_NS, Batch, Int32
from citytwin.point import Kind, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.anomaly.intake import LATE_S
from citytwin_edge.kernels.state import Columns

FALLS_TO: Final = 0.5
"""A counter below this part of what it was begins anew; a small step back is a correction."""


def named(point: Point) -> str:
    """Return a point's name as a gateway's file has it: device/point."""
    return point.id.partition("/")[2]


class Exchange:
    """Remembers what meters said last.

    Attributes:
        columns: the state, with a row for each input: ``meter`` is NaN, and ``meter_ns`` 0, of what
            is no meter or has not spoken yet.
    """

    def __init__(self, inputs: Sequence[Point], exchange: Sequence[str]) -> None:
        """See exchanges of the meters (device/point) of the first inputs; "" for those without."""
        names = [named(point) for point in inputs]
        watched: dict[int, list[int]] = {}
        for number, name in enumerate(exchange):
            if name:
                watched.setdefault(names.index(name), []).append(number)
        self._watched = {meter: np.array(of, np.int32) for meter, of in watched.items()}
        self._is_meter = np.isin(np.arange(len(inputs)), list(watched))
        self._counts = [point.kind == Kind.COUNTER for point in inputs]
        self.columns: Columns = {
            "meter": np.full(len(inputs), np.nan),
            "meter_ns": np.zeros(len(inputs), np.int64),
        }

    def seen(self, batch: Batch) -> Iterator[tuple[int, Int32]]:
        """Yield the rows with which a meter is another one, and the inputs that it measures.

        What is not good, late or repeated says nothing; what is very late: a clock was set back.
        """
        if not self._watched:
            return
        said, said_ns = self.columns["meter"], self.columns["meter_ns"]
        good = self._is_meter[batch.point] & (batch.quality == Quality.GOOD)
        for row in np.flatnonzero(good & np.isfinite(batch.value)).tolist():
            meter, value = int(batch.point[row]), float(batch.value[row])
            if 0 <= said_ns[meter] - batch.time_ns[row] <= LATE_S * SECOND_NS:
                continue
            before = said[meter]
            said[meter], said_ns[meter] = value, batch.time_ns[row]
            if self._is_another(meter, before, value):
                yield row, self._watched[meter]

    def _is_another(self, meter: int, before: float, value: float) -> bool:
        if np.isnan(before):
            return False
        return value < FALLS_TO * before if self._counts[meter] else value != before
