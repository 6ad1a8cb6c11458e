"""Hours: the means of the last full hours of a concentration, newest first.

An hour is averaged by parts of ``step_min``; it counts when three quarters of them were seen, as
40 CFR Part 50, Appendices N and U, want it of hours in a day. Hours are those of UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS, Float64, UInt8
from citytwin.conversion import Scale
from citytwin.point import Point
from citytwin_edge.kernels.slots import HOUR_NS, Row, Sample, Slots, row

PART_MIN: Final = 0.75
"""So much of an hour, and of the hours of an average, must have been seen."""


class HourSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an hour is averaged.

    Attributes:
        step_min: parts of an hour in which is averaged, in minutes; no shorter than from one sample
            to the next.
    """

    step_min: Literal[1, 2, 3, 5, 10, 15, 20, 30, 60] = 15


class Hours(Slots):
    """Keeps hourly means and tells what follows from them at the end of every hour.

    Subclasses say in ``_hour`` what follows.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Point],
        outputs: Sequence[Point],
        *,
        scale: Scale,
        hours: int,
        step_min: int,
    ) -> None:
        """Keep so many hours."""
        super().__init__(name, inputs, outputs, slot_ns=step_min * 60 * SECOND_NS)
        self._scale, self._parts = scale, 60 // step_min
        self._keep(
            {
                "sum": np.zeros(1),
                "count": np.zeros(1, np.int64),
                "total": np.zeros(1),
                "seen": np.zeros(1, np.int64),
                "doubt": np.zeros(1, np.uint8),
                "mean": np.full(hours, np.nan),
                "quality": np.zeros(hours, np.uint8),
            }
        )

    def _hour(self, mean: Float64, quality: UInt8) -> Iterator[tuple[float, int]]:
        """Yield value and quality of each output; hours newest first, NaN where not seen."""
        raise NotImplementedError

    def _take(self, sample: Sample) -> None:
        if sample.usable:
            state = self._columns
            state["sum"][0] += sample.value * self._scale.factor + self._scale.offset
            state["count"][0] += 1
            state["doubt"][0] = max(int(state["doubt"][0]), sample.quality)

    def _close(self, slot: int, following: int) -> list[Row]:
        state = self._columns
        if state["count"][0]:
            state["total"][0] += state["sum"][0] / state["count"][0]
            state["seen"][0] += 1
        state["sum"][0] = state["count"][0] = 0
        hour, later = slot // self._parts, following // self._parts
        rows: list[Row] = []
        # After so many hours without anything, one more says nothing new.
        for number in range(hour, min(later, hour + 1 + len(state["mean"]))):
            self._push()
            said = self._hour(state["mean"], state["quality"])
            end = (number + 1) * HOUR_NS
            rows += [row(end, output, *one) for output, one in enumerate(said)]
        return rows

    def _push(self) -> None:
        state = self._columns
        seen = int(state["seen"][0])
        known = seen >= PART_MIN * self._parts
        for column in ("mean", "quality"):
            state[column][1:] = state[column][:-1].copy()
        state["mean"][0] = state["total"][0] / seen if known else np.nan
        state["quality"][0] = state["doubt"][0] if known else 0
        for column in ("total", "seen", "doubt"):
            state[column][0] = 0
