"""Pipeline: all pollers' samples as one batch through all kernels, once a flush."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import structlog

from citytwin.batch import FUTURE_NS_MAX, TIME_NS_MIN, Batch, Int32
from citytwin.errors import BatchError, DeviceRefused, MalformedError
from citytwin.kernel import (
    SNAPSHOT_BYTES_MAX,
    SNAPSHOT_BYTES_MAX_PER_POINT,
    Holds,
    Kernel,
    Obeys,
)
from citytwin.point import Kind, Point
from citytwin.quality import Quality
from citytwin_edge.admission import mended
from citytwin_edge.foreign import blamed
from citytwin_edge.kernels.state import carried

SAMPLES_MAX: Final = 200_000
"""What may wait for the next tick: three minutes at 1,000 samples a second."""

LARGE_BYTES: Final = 256 * 1024
"""A state from this size on is kept seldom: an SD card wears out by what is written."""

_log = structlog.get_logger(__name__)


class Parcel(NamedTuple):
    """What one tick gives: samples of alarm points apart, because they are never thinned."""

    telemetry: Batch
    alarms: Batch


class _Stage(NamedTuple):
    """A kernel with its translations between the gateway's numbers and its own indexes."""

    name: str
    kernel: Kernel
    local: Int32
    numbers: Int32


class Pipeline:
    """Takes samples at any time, runs the kernels when ``tick`` is called. One thread."""

    def __init__(
        self,
        kernels: Mapping[str, Kernel],
        points: Sequence[Point],
        numbers: Int32,
        *,
        size: int = 0,
        samples_max: int = SAMPLES_MAX,
    ) -> None:
        """Run ``kernels`` in order over ``points``, whose gateway numbers are ``numbers``.

        ``points`` must hold the kernels' inputs and outputs too. Samples of other numbers below
        ``size`` (of points that are no more) pass untouched.
        """
        by_id = dict(zip((point.id for point in points), numbers.tolist(), strict=True))
        size = max(size, int(numbers.max()) + 1 if len(numbers) else 0)
        self._stages = [_stage(name, kernel, by_id, size) for name, kernel in kernels.items()]
        self._alarm = np.zeros(size, bool)
        for point in points:
            self._alarm[by_id[point.id]] = point.kind == Kind.ALARM
        self.failing: dict[str, str] = {}
        """Why a kernel fails since its last success, by name."""
        self._large: set[str] = set()
        self._alarmed: set[str] = set()
        self._waiting: deque[Batch] = deque()
        self._said: list[Batch] = []
        self._samples = 0
        self._samples_max = samples_max
        self.dropped = 0

    def take(self, batch: Batch) -> None:
        """Take samples in the gateway's numbers; when too many wait, the oldest go, counted."""
        self._waiting.append(batch)
        self._samples += len(batch)
        while self._samples > self._samples_max and len(self._waiting) > 1:
            oldest = self._waiting.popleft()
            self._samples -= len(oldest)
            self.dropped += len(oldest)

    def tick(self) -> Parcel:
        """Run what has come since the last tick through the kernels."""
        batch = Batch.concat(self._waiting)
        self._waiting.clear()
        self._samples = 0
        for stage in self._stages:
            batch = self._run(stage, batch)
        batch, self._said = Batch.concat([batch, *self._said]), []
        return self._parcel(batch)

    @property
    def commandable(self) -> dict[str, Point]:
        """What kernels let people command, by id."""
        return {
            point.id: point
            for stage in self._stages
            if isinstance(stage.kernel, Obeys)
            for point in stage.kernel.outputs
            if point.writable is not None
        }

    def say(self, batch: Batch) -> None:
        """Add samples of what kernels give, in the gateway's numbers, to the next tick's."""
        self._said.append(batch)

    def obey(self, number: int, value: float, time_ns: int) -> tuple[Batch, dict[str, bytes]]:
        """Hand a command to the kernel whose output it is; what the kernel says comes next tick.

        Returns:
            What it said, in the gateway's numbers, and its state, which is to be kept before
            anybody is told that it was done.

        Raises:
            DeviceRefused: it failed, or does not say what became of its output.
        """
        stage = next(one for one in self._stages if number in one.numbers[len(one.kernel.inputs) :])
        assert isinstance(stage.kernel, Obeys)
        output = int(np.flatnonzero(stage.numbers == number)[-1])
        try:
            said = _made("obey()", stage, stage.kernel.obey(output, value, time_ns), time_ns)
            if number not in said.point:
                raise BatchError("obey() gave no sample of what was commanded")
        except Exception as error:
            _log.error("kernel.failed", kernel=stage.name, reason=blamed(error))
            raise DeviceRefused(f"kernel {stage.name} fails: {blamed(error)}") from None
        self._said.append(said)
        state = _snapshot(stage)
        return said, {} if state is None else {stage.name: state}

    def _parcel(self, batch: Batch) -> Parcel:
        alarm = self._alarm[batch.point]
        if not alarm.any():
            return Parcel(batch, Batch.empty())
        return Parcel(batch.select(~alarm), batch.select(alarm))

    def _run(self, stage: _Stage, batch: Batch) -> Batch:
        local = stage.local[batch.point]
        mine = local >= 0
        if not mine.any():
            return batch
        if mine.all():
            chosen = Batch(local, batch.time_ns, batch.value, batch.quality)
            others = Batch.empty()
        else:
            part = batch.select(mine)
            chosen = Batch(local[mine], part.time_ns, part.value, part.quality)
            others = batch.select(~mine)
        try:
            result = _stepped(stage, chosen)
        except Exception as error:
            return Batch.concat([batch, self._failed(stage, chosen, error)])
        self.failing.pop(stage.name, None)
        if stage.name in self._large and self._alarm[result.point].any():
            self._alarmed.add(stage.name)
        return Batch.concat([others if stage.kernel.replaces else batch, result])

    def _failed(self, stage: _Stage, chosen: Batch, error: Exception) -> Batch:
        """Say once that a kernel fails: its inputs pass on as they are, its outputs are stale."""
        known = stage.name in self.failing
        self.failing[stage.name] = blamed(error)
        if known:
            return Batch.empty()
        _log.error("kernel.failed", kernel=stage.name, reason=self.failing[stage.name])
        outputs = stage.numbers[len(stage.kernel.inputs) :]
        return Batch.of(outputs, int(chosen.time_ns.max()), np.nan, Quality.BAD_STALE)

    def succeed(
        self, before: Pipeline, stays: Callable[[str, str], bool], whole: Collection[str] = ()
    ) -> Parcel:
        """Take over from a pipeline of other points, after its last tick and before our first.

        Args:
            before: where the kernels' states are taken from.
            stays: whether the state of (a kernel, a point's id) means the same here.
            whole: kernels whose state means the same as a whole.

        Returns:
            What kernels still had to say of points whose state is not taken over.
        """
        self.dropped = before.dropped
        held: list[Batch] = []
        stages = {stage.name: stage for stage in self._stages}
        for old in before._stages:
            leave = np.ones(len(old.kernel.inputs), bool)
            new = stages.get(old.name)
            if new is not None and old.name in whole:
                leave[:] = not _restored(new, _snapshot(old))
            elif new is not None:
                places = {name: index for index, name in enumerate(new.kernel.inputs)}
                rows = [
                    (index, places[name])
                    for index, name in enumerate(old.kernel.inputs)
                    if name in places and stays(old.name, name)
                ]
                table = np.array(rows, np.intp).reshape(-1, 2)
                leave[table[:, 0]] = not _taken_over(old, new, table)
            if isinstance(old.kernel, Holds):
                last = old.kernel.held(np.flatnonzero(leave).astype(np.int32))
                held.append(last.renumbered(old.numbers))
        return before._parcel(Batch.concat(held))

    def snapshots(self, *, large: bool = True) -> dict[str, bytes]:
        """Return every kernel's state by name.

        Without ``large`` those of LARGE_BYTES and more are left out, unless an alarm was raised or
        returned since they were given: after a kill it must not be raised for ever.
        """
        states = {}
        for stage in self._stages:
            if not large and stage.name in self._large and stage.name not in self._alarmed:
                continue
            state = _snapshot(stage)
            if state is None:
                continue
            states[stage.name] = state
            if len(state) >= LARGE_BYTES:
                self._large.add(stage.name)
            else:
                self._large.discard(stage.name)
            self._alarmed.discard(stage.name)
        return states

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Take up states; one that does not fit (other points, another version) is left out."""
        for stage in self._stages:
            if stage.name in states:
                _restored(stage, states[stage.name])


def _stage(name: str, kernel: Kernel, by_id: Mapping[str, int], size: int) -> _Stage:
    ids = [*kernel.inputs, *(point.id for point in kernel.outputs)]
    numbers = np.array([by_id[one] for one in ids], np.int32)
    local = np.full(size, -1, np.int32)
    local[numbers[: len(kernel.inputs)]] = np.arange(len(kernel.inputs), dtype=np.int32)
    return _Stage(name, kernel, local, numbers)


def _taken_over(old: _Stage, new: _Stage, rows: npt.NDArray[np.intp]) -> bool:
    """Give the states of points to a new kernel; return whether it could take them."""
    before, own = _snapshot(old), _snapshot(new)
    if before is None or own is None:
        return False
    try:
        state = carried(before, own, rows)
    except MalformedError as error:
        _log.warning("kernel.begins_anew", kernel=new.name, reason=str(error))
        return False
    return _restored(new, state)


def _stepped(stage: _Stage, chosen: Batch) -> Batch:
    """Return what a kernel makes of its inputs, in the gateway's numbers.

    A hub refuses a whole block, everybody's samples in it, for one that is impossible; so none
    leaves here. A value that is no number becomes one without a value.
    """
    return _made("step()", stage, stage.kernel.step(chosen), int(chosen.time_ns.max()))


def _made(who: str, stage: _Stage, made: object, newest_ns: int) -> Batch:
    """Return what a kernel, a vendor's perhaps, has given, mended and in the gateway's numbers."""
    if not isinstance(made, Batch):
        raise BatchError(f"{who} gave {type(made).__name__} instead of a Batch")
    if not len(made):
        return made
    first = 0 if stage.kernel.replaces else len(stage.kernel.inputs)
    if made.point.min() < first or made.point.max() >= len(stage.numbers):
        raise BatchError("it gave a sample of a point that is none of its outputs")
    last_ns = newest_ns + FUTURE_NS_MAX // 2
    if made.time_ns.min() < TIME_NS_MIN or made.time_ns.max() > last_ns:
        raise BatchError("it gave a time stamp before 2020, or half a day after its newest sample")
    return mended(made).renumbered(stage.numbers)


def _snapshot(stage: _Stage) -> bytes | None:
    """Return a kernel's state; None, and a line in the log, where it has none to keep."""
    try:
        state = stage.kernel.snapshot()
    except Exception as error:
        _log.error("kernel.not_kept", kernel=stage.name, reason=blamed(error))
        return None
    size_max = max(SNAPSHOT_BYTES_MAX, SNAPSHOT_BYTES_MAX_PER_POINT * len(stage.numbers))
    if len(state) > size_max:
        _log.error("kernel.not_kept", kernel=stage.name, reason=f"over {size_max} bytes")
        return None
    return state


def _restored(stage: _Stage, state: bytes | None) -> bool:
    """Give a kernel its state; return whether it took it."""
    if state is None:
        return False
    try:
        stage.kernel.restore(state)
    except Exception as error:
        _log.warning("kernel.begins_anew", kernel=stage.name, reason=str(error))
        return False
    return True
