"""A whole plant: one alarm where its points no longer fit together, and which of them.

A pump that is said to stand while its pressure is there, a tank whose level does not follow what
flows into it, a reading that is replayed: each value may be in its range, but not with the others.
A model fitted from a clean history (:mod:`citytwin.plant`: ridge regression on the step before,
the hour and all other points) says what each point ought to be. The exponentially weighted residual
of a point over its limit is its deviation; the alarm is raised where any is above ``threshold``,
and returns when none has been for ``hold_steps`` steps.

Steps are the model's: the good samples of a point in a step are averaged. A point that is silent
in a step is filled with what the others let expect; where more than a quarter are, the step is
passed over. A sample that comes late by at most a step counts where it arrives.

Source: ours; of the task and its score, which were not read in print: R. Taormina and others, "The
battle of the attack detection algorithms: disclosing cyber attacks on water distribution networks",
J. Water Resour. Plann. Manage. 144(8), 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from citytwin.batch import SECOND_NS, Batch, Float64, Int32
from citytwin.errors import InputError, WireError
from citytwin.plant import PlantModel, read
from citytwin.point import Kind, Label, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.formula import Builtin, Gives, Reads
from citytwin_edge.kernels.state import load, save

NAME: Final = "multivariate"
VERSION: Final = 1
SILENT_PART_MAX: Final = 0.25
TOLD_MAX: Final = 5
"""How many points an alarm names."""
LATE_PER_CHANNEL_MAX: Final = 4
"""So many samples a channel, one after another, may be late; then a clock was set back."""
HOLD_STEPS_MAX: Final = 10_000
BEGINS: Final = 0.5
"""A deviation has begun when it is above this part of the threshold."""

READS: Final = (Reads("points of the model, in its order", "1"),)
GIVES: Final = (
    Gives(
        "plant", "1",
        Label(kk="Қондырғы әдеттегідей емес", ru="Установка ведёт себя необычно",
              en="Plant behaves unusually"),
        kind=Kind.ALARM,
    ),
    Gives(
        "plant-score", "1",
        Label(kk="Қондырғының ауытқуы", ru="Отклонение установки", en="Deviation of the plant"),
    ),
    Gives(
        "plant-since", "s",
        Label(kk="Ауытқу басталғаннан бері", ru="С начала отклонения",
              en="Time since the deviation began"),
    ),
)  # fmt: skip
SHARE: Final = Gives(
    "plant-share", "1",
    Label(kk="Ауытқудағы үлесі", ru="Доля в отклонении", en="Share of the deviation"),
)  # fmt: skip
EXPECTED: Final = "plant-expected"
EXPECTED_LABEL: Final = Label(kk="Күтілетін мән", ru="Ожидаемое значение", en="Expected value")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model, and when it says so.

    Attributes:
        model: what ``citytwin-edge fit`` has written.
        threshold: how many times its limit a point's deviation must be for an alarm.
        hold_steps: after how many steps without such a deviation the alarm returns.
    """

    model: str
    threshold: Annotated[float, Meta(ge=0.5, le=1000)] = 2.0
    hold_steps: Annotated[int, Meta(ge=0, le=HOLD_STEPS_MAX)] = 12

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        try:
            read(self.model)
        except WireError as error:
            raise ValueError(str(error)) from None


class Multivariate:
    """Watches the points of a plant; see the module.

    Gives, with the first sample after each step and stamped with the step's end: while the alarm
    is raised, of at most TOLD_MAX points, for which part of the deviation the point alone can
    account (:meth:`PlantModel.shares`), and what was expected of it, in its unit; the score, where
    1 is the threshold, and since when; the alarm's changes.
    """

    replaces = False

    def __init__(self, settings: Settings, inputs: Sequence[Point]) -> None:
        """Check that the inputs are the model's.

        Raises:
            InputError: they are not; it names the first that is not.
        """
        self._model: PlantModel = read(settings.model)
        _refuse(self._model.names, inputs)
        self.inputs = tuple(point.id for point in inputs)
        self.outputs = (
            *(one.point(inputs[0]) for one in GIVES),
            *(SHARE.point(point) for point in inputs),
            *(Gives(EXPECTED, point.unit, EXPECTED_LABEL).point(point) for point in inputs),
        )
        self._threshold, self._hold = settings.threshold, settings.hold_steps
        self._step_ns = self._model.step_s * SECOND_NS
        count = len(inputs)
        self._columns = {
            "sum": np.zeros(count),
            "count": np.zeros(count, np.int64),
            "before": np.full(count, np.nan),
            "mean": np.zeros(count),
            # The open step, the one before that is known, steps since a deviation, alarm, late,
            # when the deviation began (0: there is none).
            "numbers": np.array([-1, -1, 0, 0, 0, 0], np.int64),
        }

    def step(self, batch: Batch) -> Batch:
        """Return what follows from the steps that are over."""
        good = (batch.quality == Quality.GOOD) & np.isfinite(batch.value)
        point, value = batch.point[good], batch.value[good]
        steps = batch.time_ns[good] // self._step_ns
        made: list[Batch] = []
        cuts = (np.flatnonzero(np.diff(steps)) + 1).tolist()
        for low, high in zip([0, *cuts], [*cuts, len(steps)], strict=True):
            if low < high:
                self._take(int(steps[low]), point[low:high], value[low:high], made)
        return Batch.concat(made)

    def _take(self, step: int, point: Int32, value: Float64, made: list[Batch]) -> None:
        state = self._columns
        opened, late = int(state["numbers"][0]), int(state["numbers"][4])
        if step < opened - 1:
            passed = max(LATE_PER_CHANNEL_MAX * len(self.inputs) - late, 0)
            state["numbers"][4] += len(value)
            point, value = point[passed:], value[passed:]
            if not len(value):
                return
        if step > opened or step < opened - 1:
            if step > opened >= 0:
                self._close(opened, made)
            state["numbers"][0] = step
            state["sum"][:] = 0.0
            state["count"][:] = 0
        state["numbers"][4] = 0
        # One after another, so that the cuts between batches make no difference.
        np.add.at(state["sum"], point, value)
        np.add.at(state["count"], point, 1)

    def _close(self, step: int, made: list[Batch]) -> None:
        """Take the step that is over."""
        state, model = self._columns, self._model
        spoke = state["count"] > 0
        numbers = state["numbers"]
        follows = numbers[1] == step - 1
        numbers[1] = -1
        if np.count_nonzero(~spoke) > SILENT_PART_MAX * len(self.inputs):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            now = model.standard(state["sum"] / np.maximum(state["count"], 1))
        now = np.where(spoke, now, np.nan)
        start_ns = step * self._step_ns
        before = state["before"].copy()
        if not follows:
            if spoke.all():
                state["before"][:], numbers[1] = now, step
            return
        now = model.filled(start_ns, before, now)
        state["before"][:], numbers[1] = now, step
        expected = model.expected(start_ns, before, now)
        mean = state["mean"]
        mean[spoke] += model.smoothing * ((now - expected)[spoke] - mean[spoke])
        self._judge(start_ns + self._step_ns, expected, made)

    def _judge(self, end_ns: int, expected: Float64, made: list[Batch]) -> None:
        numbers, model, mean = self._columns["numbers"], self._model, self._columns["mean"]
        most = float((np.abs(mean) / model.limit).max()) / self._threshold
        numbers[2] = 0 if most > 1 else min(numbers[2] + 1, HOLD_STEPS_MAX + 1)
        raised = numbers[2] == 0 or bool(numbers[3] and numbers[2] <= self._hold)
        if not raised and most <= BEGINS:
            numbers[5] = 0
        elif not numbers[5]:
            numbers[5] = end_ns - self._step_ns
        first = len(self.inputs)
        if raised:
            share = model.shares(mean)
            told = np.argsort(-share, kind="stable")[:TOLD_MAX]
            place = first + len(GIVES) + told
            made.append(Batch.of(place, end_ns, share[told]))
            value = (expected * model.scale + model.mean)[told]
            made.append(Batch.of(place + len(self.inputs), end_ns, value))
        since_s = (end_ns - int(numbers[5])) / SECOND_NS if raised else 0.0
        made.append(Batch.of([first + 1, first + 2], end_ns, [most, since_s]))
        if raised != bool(numbers[3]):
            # What explains an alarm stands before it (decision 0018).
            numbers[3] = raised
            made.append(Batch.of(first, end_ns, float(raised)))

    def held(self, inputs: Int32) -> Batch:
        """Return the end of an alarm that is raised; see :class:`citytwin.kernel.Holds`."""
        numbers = self._columns["numbers"]
        if not numbers[3] or not len(inputs):
            return Batch.empty()
        return Batch.of(len(self.inputs), (int(numbers[0]) + 1) * self._step_ns, 0.0)

    def snapshot(self) -> bytes:
        """Return the state; see the contract."""
        return save(NAME, VERSION, self._columns)

    def restore(self, state: bytes) -> None:
        """Take up a state; see the contract."""
        load(state, NAME, VERSION, self._columns)


def _refuse(names: Sequence[str], inputs: Sequence[Point]) -> None:
    if len(names) != len(inputs):
        raise InputError(
            f"the model is of {len(names)} points, and {len(inputs)} are its inputs; they must be "
            f"those that it was fitted with, in that order",
            min(len(inputs) - 1, len(names)),
        )
    for number, (name, point) in enumerate(zip(names, inputs, strict=True)):
        if point.id.partition("/")[2] != name:
            raise InputError(
                f"input {number + 1} is {point.id}, but the model was fitted with {name} in this "
                f"place: take the inputs as citytwin-edge fit has written them",
                number,
            )


MULTIVARIATE: Final = Builtin(
    Settings, Multivariate, READS, GIVES, "points of a plant that no longer fit together"
)
