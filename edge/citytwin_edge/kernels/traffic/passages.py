"""Passages: a sample for every vehicle at one place, counted by intervals of time.

The first input has one sample for each vehicle: its speed, or how long it was over the loop. A bad
sample is no vehicle; it makes the interval ``uncertain: stale``. A sample with the stamp of the one
before is a repetition and is passed over.

Where no vehicle comes nothing is sent, which looks like a detector that is dead. Up to
``silent_s_max`` after the last sample intervals are empty, then the first one is told as
``bad: stale`` and no more until something comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin_edge.kernels.formula import Gives, Reads, Scales
from citytwin_edge.kernels.slots import HOUR_NS, Row, Sample, Slots, row

DAY_S: Final = 86_400
READS: Final = {
    "speed": Reads("speed of each vehicle", "km/h"),
    "occupied": Reads("time of each vehicle over the loop", "s"),
}


class PassageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How passages are counted.

    Attributes:
        interval_s: length of an interval, in seconds; it divides a day.
        silent_s_max: so long after the last vehicle an interval without any is believed to be
            empty, in seconds.
    """

    interval_s: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 60
    silent_s_max: Annotated[float, msgspec.Meta(gt=0, le=DAY_S)] = 600.0

    def __post_init__(self) -> None:
        """Refuse intervals that drift over the days (ValueError)."""
        if DAY_S % self.interval_s:
            raise ValueError("interval_s must divide a day: 30, 60, 300, 900")


class Passages(Slots):
    """Base: counts vehicles, and sums of what is read of each; a kernel says what follows."""

    def __init__(
        self,
        name: str,
        settings: PassageSettings,
        inputs: Sequence[Point],
        reads: Sequence[Literal["speed", "occupied"]],
        gives: Sequence[Gives],
    ) -> None:
        """Check the inputs (ConfigError)."""
        if len(set(reads)) != len(reads) or not reads:
            raise ConfigError('reads must name each of "speed" and "occupied" once at most')
        self._scales = Scales(inputs, [READS[one] for one in reads])
        self._where: dict[str, int] = {one: number for number, one in enumerate(reads)}
        outputs = [one.point(inputs[0]) for one in gives]
        super().__init__(name, inputs, outputs, slot_ns=settings.interval_s * SECOND_NS)
        self._hours = settings.interval_s * SECOND_NS / HOUR_NS
        self._silent_ns = int(settings.silent_s_max * SECOND_NS)
        self._keep(
            {
                "last": np.zeros(len(inputs), np.int64),
                "count": np.zeros(len(inputs), np.int64),
                "sum": np.zeros(len(inputs)),
                "moving": np.zeros(1, np.int64),
                "slowness": np.zeros(1),
                "doubt": np.zeros(1, np.uint8),
            }
        )

    def _told(self, doubt: int) -> Iterator[tuple[float, int]]:
        """Yield value and quality of each output of the interval that is over."""
        raise NotImplementedError

    def _take(self, sample: Sample) -> None:
        state, point = self._columns, sample.point
        if not sample.usable:
            stale = int(Quality.UNCERTAIN_STALE)
            state["doubt"][0] = max(int(state["doubt"][0]), stale)
            return
        if sample.time_ns == state["last"][point]:
            return
        value = sample.value * float(self._scales.factor[point])
        state["last"][point] = sample.time_ns
        state["count"][point] += 1
        state["sum"][point] += max(value, 0.0)
        state["doubt"][0] = max(int(state["doubt"][0]), sample.quality)
        if point == self._where.get("speed") and value > 0:
            state["moving"][0] += 1
            state["slowness"][0] += 1 / value

    def _close(self, slot: int, following: int) -> list[Row]:
        state, rows = self._columns, []
        for number in range(slot, following):
            end = self._ends(number)
            silent = end - int(state["last"].max()) > self._silent_ns
            doubt = int(Quality.BAD_STALE) if silent else int(state["doubt"][0])
            rows += [row(end, output, *one) for output, one in enumerate(self._told(doubt))]
            for column in ("count", "sum", "moving", "slowness", "doubt"):
                state[column][...] = 0
            if silent:
                break
        return rows

    @property
    def _flow(self) -> float:
        """Vehicles per hour."""
        return float(self._columns["count"][0]) / self._hours

    @property
    def _pace(self) -> float:
        """Mean of 1/speed of the vehicles that moved, in h/km; NaN for none."""
        moving = int(self._columns["moving"][0])
        return float(self._columns["slowness"][0]) / moving if moving else float("nan")

    def _mean(self, what: str) -> float:
        """Mean of what was read of each vehicle; NaN for none."""
        number = self._where[what]
        count = int(self._columns["count"][number])
        return float(self._columns["sum"][number]) / count if count else float("nan")
