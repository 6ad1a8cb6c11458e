"""Periods: what several inputs were on average in each part of a day or of a night, local time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS, Batch, Float64, Int64, UInt8
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin_edge.kernels.formula import Gives, Reads, Scales
from citytwin_edge.kernels.state import Columns, load, save

MINUTE_NS: Final = 60 * SECOND_NS
DAY_MIN: Final = 24 * 60
QUARTER_S: Final = 900
"""Offsets from UTC change at full quarters of an hour."""
QUARTERS_MAX: Final = (1 << 33) // QUARTER_S
LATE_MAX: Final = 100
"""So many samples in a row may belong to a period that is over; then a clock was set back."""
WHOLE: Final = 0.9
"""A period of which so much was seen counts as seen."""
STALE: Final = int(Quality.UNCERTAIN_STALE)
MISSING: Final = int(Quality.BAD_STALE)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LocalDays(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all that looks at local days is told.

    Attributes:
        zone: time zone by its IANA name, such as Asia/Almaty.
        step_min: parts in which samples are averaged, in minutes; no shorter than from one sample
            to the next.
        part_percent_min: how much of the time must have been seen for a result, in percent.
    """

    zone: str
    step_min: Annotated[int, msgspec.Meta(ge=1, le=60)] = 15
    part_percent_min: Annotated[float, msgspec.Meta(gt=0, le=100)] = 50.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        Zone(self.zone)


class Zone:
    """Local time of a zone, in nanoseconds since 1970-01-01 00:00 on its clocks."""

    def __init__(self, name: str, *, standard: bool = False) -> None:
        """Find the zone (ValueError); ``standard``: without its summer time."""
        self._standard = standard
        try:
            self._zone = ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(
                f'zone "{name}" is not known here; write an IANA name such as Asia/Almaty (the '
                "Debian package tzdata has them)"
            ) from None

    def local(self, time_ns: Int64) -> Int64:
        """Return the local times of UTC times, shape (n,)."""
        quarters = np.clip(time_ns // (QUARTER_S * SECOND_NS), 0, QUARTERS_MAX)
        some, places = np.unique(quarters, return_inverse=True)
        offsets = [self._offset_ns(int(one) * QUARTER_S) for one in some]
        local: Int64 = time_ns + np.array(offsets, np.int64)[places]
        return local

    def _offset_ns(self, second: int) -> int:
        moment = (EPOCH + timedelta(seconds=second)).astimezone(self._zone)
        offset = moment.utcoffset() or timedelta()
        if self._standard:
            offset -= moment.dst() or timedelta()
        return int(offset.total_seconds()) * SECOND_NS

    def utc(self, local_ns: int) -> int:
        """Return the UTC time of a local one; of two alike, either."""
        near = local_ns - self._offset_ns(local_ns // SECOND_NS)
        return local_ns - self._offset_ns(near // SECOND_NS)


class Shape(NamedTuple):
    """Which part of local time counts, in minutes.

    Attributes:
        every: length of a period; it divides a day.
        begin: from the start of a period, or of the day, until what counts begins.
        length: how long it counts; at most ``every``.
        step: of the parts in which is averaged; it divides ``length``.
    """

    every: int
    begin: int
    length: int
    step: int

    @property
    def steps(self) -> int:
        """Return how many parts there are."""
        return self.length // self.step


class Result(NamedTuple):
    """One output sample of a period: number of the output, value in its unit, quality."""

    output: int
    value: float
    quality: int


class Periods:
    """Collects the good samples of each period and says what follows when it is over.

    What is given is stamped with the end of the period, and comes with the first sample after it,
    of any input and quality. Samples that are not good are passed over, as are those that come when
    their period is over. Subclasses say in ``_over`` what follows from the means.
    """

    replaces = False

    def __init__(
        self,
        name: str,
        inputs: Sequence[Point],
        reads: Sequence[Reads],
        gives: Sequence[Gives],
        zone: Zone,
        shape: Shape,
    ) -> None:
        """Check the inputs; ``name`` goes into the snapshot.

        Raises:
            ConfigError: the inputs are not what is read.
        """
        self._scales = Scales(inputs, reads)
        self.inputs = tuple(point.id for point in inputs)
        self.outputs = tuple(one.point(inputs[0]) for one in gives)
        self._name, self._zone, self._shape = name, zone, shape
        self._columns: Columns = {
            "number": np.full(1, -1, np.int64),
            "closed": np.zeros(1, np.uint8),
            "late": np.zeros(1, np.int64),
            "sum": np.zeros((len(inputs), shape.steps)),
            "count": np.zeros((len(inputs), shape.steps), np.int64),
        }

    def _over(self, means: Float64) -> Iterator[Result]:
        """Yield what follows from a period.

        ``means``: shape (inputs, steps), in the units of the calculation, NaN where nothing was
        seen.
        """
        raise NotImplementedError

    def step(self, batch: Batch) -> Batch:
        """Return what follows from the periods that are over."""
        shape = self._shape
        local = self._zone.local(batch.time_ns) - shape.begin * MINUTE_NS
        number, within = np.divmod(local, shape.every * MINUTE_NS)
        cuts = np.flatnonzero(np.diff(number)) + 1
        made: list[tuple[int, Result]] = []
        for low, high in zip([0, *cuts.tolist()], [*cuts.tolist(), len(batch)], strict=True):
            if low < high:
                self._take(int(number[low]), batch.select(slice(low, high)), within[low:high], made)
        if not made:
            return Batch.empty()
        return Batch.of(
            [len(self.inputs) + one.output for _, one in made],
            [time_ns for time_ns, _ in made],
            [one.value for _, one in made],
            [one.quality for _, one in made],
        )

    def _take(
        self, number: int, batch: Batch, within: Int64, made: list[tuple[int, Result]]
    ) -> None:
        """Take samples of one period."""
        state = self._columns
        current = int(state["number"][0])
        if number < current:
            passed = max(LATE_MAX - int(state["late"][0]), 0)
            state["late"] += len(batch)
            batch, within = batch.select(slice(passed, None)), within[passed:]
            if not len(batch):
                return
        if number != current:
            if current >= 0 and number > current:
                self._close(made)
            self._begin(number)
        state["late"][0] = 0
        outside = np.flatnonzero(within >= self._shape.length * MINUTE_NS)
        if number != current and not number > current >= 0 and len(outside) and not outside[0]:
            # What was over when it began to look was not seen, nor was it missing.
            state["closed"][0] = 1
        inside = int(outside[0]) if len(outside) else len(batch)
        if not state["closed"][0]:
            self._add(batch.select(slice(0, inside)), within[:inside])
        if len(outside):
            self._close(made)

    def _begin(self, number: int) -> None:
        """Begin a period."""
        for column in ("sum", "count", "closed"):
            self._columns[column][...] = 0
        self._columns["number"][0] = number

    def _add(self, batch: Batch, within: Int64) -> None:
        good = (batch.quality == Quality.GOOD) & np.isfinite(batch.value)
        place = (batch.point[good], within[good] // (self._shape.step * MINUTE_NS))
        # In order, one after the other, so that the cuts between batches make no difference.
        np.add.at(self._columns["sum"], place, batch.value[good])
        np.add.at(self._columns["count"], place, 1)

    def _close(self, made: list[tuple[int, Result]]) -> None:
        state, shape = self._columns, self._shape
        if state["closed"][0]:
            return
        state["closed"][0] = 1
        count = state["count"]
        means = np.where(count > 0, state["sum"] / np.maximum(count, 1), np.nan)
        means = self._scales.values(np.arange(len(means))[:, None], means)
        local = (int(state["number"][0]) * shape.every + shape.begin + shape.length) * MINUTE_NS
        end = self._zone.utc(local)
        for one in self._over(means):
            fine = np.isfinite(one.value)
            quality = one.quality if fine else max(one.quality, MISSING)
            bad = quality >= int(Quality.BAD_SILENT)
            made.append((end, Result(one.output, np.nan if bad else one.value, quality)))

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save(self._name, 1, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, self._name, 1, self._columns)


def seen(means: Float64, percent_min: float) -> tuple[Float64, UInt8]:
    """Return how much of a period was seen of each input, in percent, and the quality of that.

    Args:
        means: shape (inputs, steps), NaN where nothing was seen.
        percent_min: below it there is no result.
    """
    percent = 100 * np.isfinite(means).mean(axis=1)
    quality = np.where(
        percent >= 100 * WHOLE, int(Quality.GOOD), np.where(percent < percent_min, MISSING, STALE)
    )
    return percent, quality.astype(np.uint8)


def mean(means: Float64) -> Float64:
    """Return the mean of each input over the parts that were seen; NaN for none."""
    known = np.isfinite(means)
    total = np.where(known, means, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def minutes(text: str, name: str) -> int:
    """Return the minutes since midnight of a time of day, 02:30 (ValueError, with ``name``)."""
    hour, colon, minute = text.partition(":")
    whole = len(hour) == len(minute) == 2 and hour.isdecimal() and minute.isdecimal()
    if not (colon and whole and int(hour) < 24 and int(minute) < 60):
        raise ValueError(f'{name} must be a time of day such as "02:30", not "{text}"')
    return int(hour) * 60 + int(minute)
