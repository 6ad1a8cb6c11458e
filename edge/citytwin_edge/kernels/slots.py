"""Slots: what falls into each slot of time, told when the slot is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from citytwin.batch import SECOND_NS, Batch
from citytwin.point import Point
from citytwin.quality import SEVERITY_SHIFT, Quality, Severity
from citytwin_edge.kernels.state import Columns, load, save

LATE_MAX: Final = 100
"""So many samples in a row may belong to a slot that is over; then a clock was set back."""
HOUR_NS: Final = 3600 * SECOND_NS


class Sample(NamedTuple):
    """One input sample: number of the input, time, value, quality."""

    point: int
    time_ns: int
    value: float
    quality: int

    @property
    def usable(self) -> bool:
        """Whether there is a number that can be calculated with."""
        return self.quality >> SEVERITY_SHIFT != Severity.BAD and bool(np.isfinite(self.value))


class Row(NamedTuple):
    """One output sample: time, number of the output, value in its unit, quality."""

    time_ns: int
    output: int
    value: float
    quality: int


def samples(batch: Batch) -> Iterator[Sample]:
    """Yield the samples of a batch, in its order."""
    columns = (batch.point, batch.time_ns, batch.value, batch.quality)
    return map(Sample, *(column.tolist() for column in columns))


def told(rows: Sequence[Row], inputs: int) -> Batch:
    """Return output samples as a batch of a kernel with so many inputs."""
    if not rows:
        return Batch.empty()
    times, outputs, values, qualities = zip(*rows, strict=True)
    return Batch.of([inputs + output for output in outputs], times, values, qualities)


class Slots:
    """Base of kernels that take samples together by slots of time, all of one length.

    A slot is over with the first sample of a later one, of any input and quality. Samples of a slot
    that is over are passed over. A subclass says in ``_take`` what it keeps of a sample and in
    ``_close`` what follows when a slot is over; it keeps everything in ``_columns``.
    """

    replaces = False

    def __init__(
        self,
        name: str,
        inputs: Sequence[Point],
        outputs: Sequence[Point],
        *,
        slot_ns: int,
        offset_ns: int = 0,
    ) -> None:
        """Begin; ``name`` goes into the snapshot, ``offset_ns`` is local time less UTC."""
        self.inputs = tuple(point.id for point in inputs)
        self.outputs = tuple(outputs)
        self._name, self._slot_ns, self._offset_ns = name, slot_ns, offset_ns
        self._columns: Columns = {"slot": np.full(1, -1, np.int64), "late": np.zeros(1, np.int64)}
        self._fresh: Columns = {}

    def _keep(self, columns: Columns) -> None:
        """Add what a subclass keeps; called once, by it."""
        self._columns |= columns
        self._fresh = {key: column.copy() for key, column in self._columns.items()}

    def _take(self, sample: Sample) -> None:
        """Keep what matters of a sample of the slot that goes on."""
        raise NotImplementedError

    def _close(self, slot: int, following: int) -> Sequence[Row]:
        """Return what follows from a slot, and make room; ``following`` is the next with samples.

        It begins at ``slot * slot_ns - offset_ns``.
        """
        raise NotImplementedError

    def _ends(self, slot: int) -> int:
        """Return the UTC time at which a slot ends."""
        return (slot + 1) * self._slot_ns - self._offset_ns

    def step(self, batch: Batch) -> Batch:
        """Return what follows from the slots that are over."""
        state = self._columns
        rows: list[Row] = []
        for sample in samples(batch):
            slot = (sample.time_ns + self._offset_ns) // self._slot_ns
            current = int(state["slot"][0])
            if slot < current:
                state["late"][0] += 1
                if state["late"][0] <= LATE_MAX:
                    continue
                for key, column in self._fresh.items():
                    state[key][...] = column
                current = -1
            if slot > current >= 0:
                rows += self._close(current, slot)
            state["slot"][0], state["late"][0] = slot, 0
            self._take(sample)
        return told(rows, len(self.inputs))

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save(self._name, 1, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, self._name, 1, self._columns)


def row(time_ns: int, output: int, value: float, quality: int) -> Row:
    """Return an output sample; what is no number, or of bad quality, is NaN and bad."""
    if not np.isfinite(value) and quality >> SEVERITY_SHIFT != Severity.BAD:
        quality = int(Quality.BAD_OUT_OF_RANGE)
    bad = quality >> SEVERITY_SHIFT == Severity.BAD
    return Row(time_ns, output, float("nan") if bad else value, quality)
