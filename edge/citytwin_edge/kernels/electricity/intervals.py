"""Intervals: what falls into each quarter, half or whole hour of the local clock.

Between two readings power goes in a straight line; where an interval ends between them, the line is
cut there. One that was not seen from its beginning to its end gives nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS, Batch
from citytwin.point import Label, Point
from citytwin.quality import SEVERITY_SHIFT, Quality, Severity
from citytwin_edge.kernels.formula import Gives, Reads, Scales
from citytwin_edge.kernels.state import load, save

HOUR_NS: Final = 3600 * SECOND_NS
GAP_NS_MAX: Final = 24 * HOUR_NS
"""Over a longer gap nothing is shared out among intervals."""
GIVES: Final = (
    Gives(
        "interval-energy",
        "kW.h",
        Label(kk="Аралықтағы энергия", ru="Энергия за интервал", en="Energy of the interval"),
    ),
    Gives(
        "demand",
        "kW",
        Label(kk="Аралықтағы орташа қуат", ru="Средняя мощность за интервал", en="Demand"),
    ),
)


class IntervalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an interval is, and where it begins.

    Attributes:
        minutes: length of an interval.
        utc_offset_h: local time against UTC, in hours; intervals begin at the full hour of it.
        gap_s_max: readings that are further apart make the intervals between doubtful, in seconds.
    """

    minutes: Literal[15, 30, 60] = 15
    utc_offset_h: Annotated[float, msgspec.Meta(ge=-12, le=14)] = 0.0
    gap_s_max: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 300.0

    def __post_init__(self) -> None:
        """Refuse an offset that no clock has (ValueError)."""
        if self.utc_offset_h * 4 % 1:
            raise ValueError("utc_offset_h must be quarters of an hour, such as 5 or 5.75")


class Stretch(NamedTuple):
    """A line of power between two readings; times in ns, power in kW."""

    begins: int
    ends: int
    first: float
    last: float

    def energy(self, begins: int, ends: int) -> float:
        """Return what falls between two times that are in it, in kWh."""
        slope = (self.last - self.first) / (self.ends - self.begins)
        mean = self.first + slope * ((begins - self.begins) + (ends - self.begins)) / 2
        return mean * (ends - begins) / HOUR_NS


class Intervals:
    """Base of kernels that share out one input among intervals; a kernel says what a stretch is."""

    replaces = False

    def __init__(
        self, name: str, settings: IntervalSettings, inputs: Sequence[Point], reads: Reads
    ) -> None:
        """Check the input (ConfigError)."""
        self._scales = Scales(inputs, (reads,))
        self.inputs = tuple(point.id for point in inputs)
        self.outputs = tuple(one.point(inputs[0]) for one in GIVES)
        self._name = name
        self._length = settings.minutes * 60 * SECOND_NS
        self._offset = int(settings.utc_offset_h * HOUR_NS)
        self._gap = int(settings.gap_s_max * SECOND_NS)
        self._columns = {
            "time": np.zeros(1, np.int64),
            "value": np.full(1, np.nan),
            "quality": np.zeros(1, np.uint8),
            "energy": np.full(1, np.nan),
            "doubt": np.zeros(1, np.uint8),
            "given": np.zeros(1, np.int64),
        }

    def stretch(self, begins: int, ends: int, before: float, after: float) -> Stretch | None:
        """Return the line between two readings; None where they do not belong together."""
        raise NotImplementedError

    def step(self, batch: Batch) -> Batch:
        """Return the intervals that have ended."""
        values = self._scales.values(batch.point, batch.value)
        rows: list[tuple[int, float, int]] = []
        for time_ns, value, quality in zip(
            batch.time_ns.tolist(), values.tolist(), batch.quality.tolist(), strict=True
        ):
            if quality >> SEVERITY_SHIFT != Severity.BAD:
                rows += self._take(time_ns, value, quality)
        if not rows:
            return Batch.empty()
        times, energy, quality = (np.array(column) for column in zip(*rows, strict=True))
        return Batch.concat(
            [
                Batch.of(np.full(len(rows), 1), times, energy, quality),
                Batch.of(np.full(len(rows), 2), times, energy * (HOUR_NS / self._length), quality),
            ]
        )

    def _take(self, time_ns: int, value: float, quality: int) -> list[tuple[int, float, int]]:
        """Take one reading; return the ends of intervals with energy in kWh and quality."""
        state = self._columns
        since, before = int(state["time"][0]), float(state["value"][0])
        if since and since - self._gap <= time_ns <= since:
            return []
        doubt = int(state["quality"][0])
        state["time"][0], state["value"][0], state["quality"][0] = time_ns, value, quality
        one = None
        if 0 < time_ns - since <= GAP_NS_MAX:
            one = self.stretch(since, time_ns, before, value)
        if one is None:
            at_start = (time_ns + self._offset) % self._length == 0
            state["energy"][0], state["doubt"][0] = 0.0 if at_start else np.nan, 0
            return []
        if time_ns - since > self._gap:
            doubt = max(doubt, int(Quality.UNCERTAIN_STALE))
        return self._share(one, max(doubt, quality))

    def _share(self, one: Stretch, doubt: int) -> list[tuple[int, float, int]]:
        """Add a line to the interval in which it begins, and to those that follow."""
        state, rows, begins = self._columns, [], one.begins
        while begins < one.ends:
            end = begins + self._length - (begins + self._offset) % self._length
            part = min(end, one.ends)
            state["energy"][0] += one.energy(begins, part)
            state["doubt"][0] = max(int(state["doubt"][0]), doubt)
            if part == end:
                energy = float(state["energy"][0])
                if not np.isnan(energy) and end > state["given"][0]:
                    rows.append((end, energy, int(state["doubt"][0])))
                    state["given"][0] = end
                state["energy"][0], state["doubt"][0] = 0.0, 0
            begins = part
        return rows

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save(self._name, 1, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, self._name, 1, self._columns)
