"""Tally: means of 20 minutes counted up over a local month or year, and told at every midnight.

What is told is of the period so far, as bulletins have it at its end. Where less than three
quarters of the means since the first one of the period were seen, it is ``uncertain: stale``. After
a silence over several midnights it is told of the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS, Float64
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin_edge.kernels.air.hours import PART_MIN
from citytwin_edge.kernels.formula import Gives, Reads, Scales
from citytwin_edge.kernels.slots import HOUR_NS, Row, Sample, Slots, row

DAY_NS: Final = 24 * HOUR_NS
Limit = Annotated[float, msgspec.Meta(gt=0, le=1000)]


class TallySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is a mean, and over what it is counted up.

    Attributes:
        period: over what is counted up: a calendar month or year.
        average_min: length of a mean, in minutes; single limits are of 20 minutes.
        utc_offset_h: local time against UTC, in hours; Almaty has 5.
    """

    period: Literal["month", "year"] = "month"
    average_min: Literal[1, 5, 10, 20, 30, 60] = 20
    utc_offset_h: Annotated[float, msgspec.Meta(ge=-12, le=14)] = 5.0

    def __post_init__(self) -> None:
        """Refuse an offset that no clock has (ValueError)."""
        if self.utc_offset_h * 4 % 1:
            raise ValueError("utc_offset_h must be quarters of an hour, such as 5 or 5.75")


class Tally(Slots):
    """Base: counts means up; a kernel says in ``_told`` what follows at midnight."""

    def __init__(
        self,
        name: str,
        settings: TallySettings,
        inputs: Sequence[Point],
        gives: Sequence[Gives],
        limits: Float64,
    ) -> None:
        """Check the inputs; ``limits`` has one in mg/m³ of each (ConfigError)."""
        self._scales = Scales(inputs, [Reads("concentration", "mg/m3")] * len(inputs))
        super().__init__(
            name,
            inputs,
            [one.point(inputs[0]) for one in gives],
            slot_ns=settings.average_min * 60 * SECOND_NS,
            offset_ns=int(settings.utc_offset_h * HOUR_NS),
        )
        self._unit: Literal["M", "Y"] = "M" if settings.period == "month" else "Y"
        self._limits = limits
        count = len(inputs)
        self._keep(
            {
                "sum": np.zeros(count),
                "count": np.zeros(count, np.int64),
                "doubt": np.zeros(1, np.uint8),
                "first": np.full(1, -1, np.int64),
                "total": np.zeros(count),
                "seen": np.zeros(count, np.int64),
                "over": np.zeros(count, np.int64),
                "highest": np.full(count, -np.inf),
            }
        )

    def _told(self) -> Iterator[float]:
        """Yield the value of each output; NaN where there is none."""
        raise NotImplementedError

    def _take(self, sample: Sample) -> None:
        if sample.usable:
            state, point = self._columns, sample.point
            scales = self._scales
            state["sum"][point] += sample.value * scales.factor[point] + scales.offset[point]
            state["count"][point] += 1
            state["doubt"][0] = max(int(state["doubt"][0]), sample.quality)

    def _close(self, slot: int, following: int) -> list[Row]:
        state = self._columns
        if state["first"][0] < 0:
            state["first"][0] = slot
        known = state["count"] > 0
        mean = np.where(known, state["sum"] / np.maximum(state["count"], 1), -np.inf)
        state["total"] += np.where(known, mean, 0.0)
        state["seen"] += known
        state["over"] += mean > self._limits
        state["highest"] = np.maximum(state["highest"], mean)
        state["sum"][...] = state["count"][...] = 0
        day, later = (one * self._slot_ns // DAY_NS for one in (slot, following))
        if later == day:
            return []
        rows = self._midnight(day)
        if np.datetime64(later, "D").astype(f"M8[{self._unit}]") != np.datetime64(day, "D").astype(
            f"M8[{self._unit}]"
        ):
            for column in ("doubt", "first", "total", "seen", "over", "highest"):
                state[column][...] = self._fresh[column]
        return rows

    def _midnight(self, day: int) -> list[Row]:
        state = self._columns
        midnight = (day + 1) * DAY_NS
        elapsed = midnight // self._slot_ns - int(state["first"][0])
        quality = int(state["doubt"][0])
        if int(state["seen"].min()) < PART_MIN * elapsed:
            quality = max(quality, int(Quality.UNCERTAIN_STALE))
        rows = []
        for output, value in enumerate(self._told()):
            known = np.isfinite(value)
            said = quality if known else int(Quality.BAD_STALE)
            rows.append(row(midnight - self._offset_ns, output, value, said))
        return rows
