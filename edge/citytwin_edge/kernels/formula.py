"""Formula: a kernel that calculates from the latest samples of several points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS, Batch, Float64, UInt8
from citytwin.conversion import between, commensurable
from citytwin.errors import InputError, UnitError
from citytwin.kernel import Kernel
from citytwin.point import Kind, Label, Point, Source
from citytwin.quality import Quality, Severity, severity, worse
from citytwin_edge.kernels.state import load, save

AGE_S_MAX: Final = 86_400.0
"""The longest that a technician may let an input be old."""

Calculate = Callable[[Float64], Float64]
"""Inputs in their units, shape (inputs, n), to outputs in theirs, shape (outputs, n); no state.

NaN where the formula is not defined.
"""


class Reads(NamedTuple):
    """What a calculation reads at one place of ``inputs``.

    Attributes:
        name: what it is called in messages and documents: "return temperature".
        unit: UCUM code in which it is calculated; a point in any unit of the same kind will do.
    """

    name: str
    unit: str


class Gives(NamedTuple):
    """What a calculation gives.

    Attributes:
        name: put behind the first input's id and a dot.
        unit: UCUM code.
        label: for people.
        attribute: of the city object that the first input feeds; empty for none.
        kind: what the numbers mean.
    """

    name: str
    unit: str
    label: Label
    attribute: str = ""
    kind: Kind = Kind.ANALOG

    def point(self, origin: Point) -> Point:
        """Return the point that it becomes at a place."""
        return Point(
            id=f"{origin.id}.{self.name}",
            unit=self.unit,
            kind=self.kind,
            source=Source.DERIVED,
            label=self.label,
            device_label=origin.device_label,
            place=origin.place,
            feeds=origin.feeds,
            attribute=self.attribute,
        )


class Ages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every formula may be told; a formula's own settings build on it.

    Attributes:
        age_s_max: how old the other inputs may be when the last one comes, in seconds.
    """

    age_s_max: Annotated[float, msgspec.Meta(gt=0, le=AGE_S_MAX)] = 60.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        if not 0 < self.age_s_max <= AGE_S_MAX:
            raise ValueError(f"age_s_max must be above 0 and at most {AGE_S_MAX:g}")


class Scales:
    """Brings inputs to the units in which is calculated."""

    def __init__(self, inputs: Sequence[Point], reads: Sequence[Reads]) -> None:
        """Compare what there is with what is read.

        Raises:
            InputError: too few or too many, or a unit of another kind; it names which.
        """
        if len(inputs) != len(reads):
            raise _count(inputs, reads)
        found = []
        for number, (point, one) in enumerate(zip(inputs, reads, strict=True)):
            try:
                found.append(between(point.unit, one.unit))
            except UnitError:
                raise _misfit(inputs, reads, number) from None
        self.factor = np.array([scale.factor for scale in found])
        self.offset = np.array([scale.offset for scale in found])

    def values(self, point: Any, value: Float64) -> Float64:
        """Return values of inputs in the units of the calculation; ``point`` as in a batch."""
        scaled: Float64 = value * self.factor[point] + self.offset[point]
        return scaled


def _count(inputs: Sequence[Point], reads: Sequence[Reads]) -> InputError:
    """Return what is to be said when there are too few or too many."""
    wanted = ", ".join(f"{one.name} ({one.unit})" for one in reads)
    if len(inputs) < len(reads):
        amiss = f"the {reads[len(inputs)].name} is missing"
    else:
        amiss = f"{inputs[len(reads)].id} is one too many"
    number = min(len(inputs) - 1, len(reads))
    return InputError(f"it reads {len(reads)}, not {len(inputs)}: {wanted}; {amiss}", number)


def _misfit(inputs: Sequence[Point], reads: Sequence[Reads], number: int) -> InputError:
    """Return what is to be said when a point is in a unit of another kind."""
    point, one = inputs[number], reads[number]
    unit = "without a unit" if point.unit == "1" else f"in {point.unit}"
    said = (
        f"input {number + 1} is the {one.name}, in {one.unit} or a unit that can become it; "
        f"{point.id} is {unit}"
    )
    others = [
        other
        for other, its in zip(inputs, reads, strict=True)
        if commensurable(other.unit, one.unit) and not commensurable(other.unit, its.unit)
    ]
    if others:
        said += f" ({others[0].id} would fit: the order counts)"
    elif point.unit == "1":
        said += ": write its unit where the point is"
    return InputError(said, number)


class Formula:
    """Gives a result whenever its last input does, of the others' latest samples.

    Its quality is the worst of them. Without a sample of one yet, or with one older than
    ``age_s_max``, it is ``bad: stale``; where the formula is not defined ``bad: out of range``.
    """

    replaces = False

    def __init__(
        self,
        name: str,
        inputs: Sequence[Point],
        reads: Sequence[Reads],
        gives: Sequence[Gives],
        calculate: Calculate,
        *,
        age_s_max: float,
        version: int = 1,
    ) -> None:
        """Check the inputs; ``name`` and ``version`` go into the snapshot.

        Raises:
            InputError: the inputs are not what the calculation reads.
        """
        self._scales = Scales(inputs, reads)
        self.inputs = tuple(point.id for point in inputs)
        self.outputs = tuple(one.point(inputs[0]) for one in gives)
        self._name, self._version, self._calculate = name, version, calculate
        self._age_ns = int(age_s_max * SECOND_NS)
        self._columns = {
            "value": np.full(len(inputs), np.nan),
            "time": np.zeros(len(inputs), np.int64),
            "quality": np.full(len(inputs), np.uint8(Quality.BAD_STALE)),
        }

    def step(self, batch: Batch) -> Batch:
        """Return what follows from these samples."""
        last = len(self.inputs) - 1
        turns = np.flatnonzero(batch.point == last)
        values = np.empty((last + 1, len(turns)))
        quality = batch.quality[turns]
        for number in range(last + 1):
            taken = self._latest(batch, turns, number)
            values[number] = self._scales.values(number, taken[0])
            quality = worse(quality, self._aged(taken, batch, turns))
        if not len(turns):
            return Batch.empty()
        with np.errstate(all="ignore"):
            results = self._calculate(values)
        return Batch.concat(
            self._output(number, batch, turns, row, quality) for number, row in enumerate(results)
        )

    def _latest(self, batch: Batch, turns: Any, number: int) -> tuple[Any, Any, Any]:
        """Return value, time and quality of an input at each turn, and keep its last sample."""
        rows = np.flatnonzero(batch.point == number)
        place = np.searchsorted(rows, turns, side="right")
        found = tuple(
            np.concatenate((self._columns[name][number : number + 1], column[rows]))
            for name, column in (
                ("value", batch.value), ("time", batch.time_ns), ("quality", batch.quality),
            )
        )  # fmt: skip
        for name, column in zip(("value", "time", "quality"), found, strict=True):
            self._columns[name][number] = column[-1]
        value, time_ns, quality = (column[place] for column in found)
        return value, time_ns, quality

    def _aged(self, taken: tuple[Any, Any, Any], batch: Batch, turns: Any) -> UInt8:
        _, time_ns, quality = taken
        old = np.abs(batch.time_ns[turns] - time_ns) > self._age_ns
        return np.where(old, np.uint8(Quality.BAD_STALE), quality)

    def _output(
        self, number: int, batch: Batch, turns: Any, result: Float64, quality: UInt8
    ) -> Batch:
        bad = severity(quality) == Severity.BAD
        undefined = ~bad & ~np.isfinite(result)
        quality = np.where(undefined, np.uint8(Quality.BAD_OUT_OF_RANGE), quality)
        value = np.where(bad | undefined, np.nan, result)
        return Batch.of(
            np.full(len(turns), len(self.inputs) + number), batch.time_ns[turns], value, quality
        )

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save(self._name, self._version, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, self._name, self._version, self._columns)


class Limited(Formula):
    """A formula whose calculation gives one row more: above 0 where it is outside its limits.

    There the results are ``uncertain: range``, unless they are worse already.
    """

    def step(self, batch: Batch) -> Batch:
        """Return what follows from these samples."""
        made = super().step(batch)
        inside = made.point < len(self.inputs) + len(self.outputs)
        beyond = made.value[~inside] > 0
        said = made.select(inside)
        doubt = np.where(beyond, np.uint8(Quality.UNCERTAIN_RANGE), np.uint8(Quality.GOOD))
        quality = worse(said.quality, np.tile(doubt, len(self.outputs)))
        return Batch(said.point, said.time_ns, said.value, quality)


class Builtin(NamedTuple):
    """What an entry point of ours names: a kernel type (:class:`citytwin.kernel.KernelType`).

    Attributes:
        settings: the fields of its ``[[kernel]]`` table.
        make: builds it of settings and inputs; raises ConfigError.
        reads: its inputs in order, for the documents.
        gives: its outputs, for the documents.
        summary: what it calculates and by which source, one line, for the documents.
    """

    settings: type[msgspec.Struct]
    make: Callable[[Any, Sequence[Point]], Kernel]
    reads: tuple[Reads, ...]
    gives: tuple[Gives, ...]
    summary: str

    def build(self, settings: Any, inputs: Sequence[Point]) -> Kernel:
        """Return a kernel of these inputs; see the contract."""
        return self.make(settings, inputs)
