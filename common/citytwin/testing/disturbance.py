"""Disturbance: thousands of mutated frames, none of which may become a value that never was."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from citytwin.adapter import Exchange, Probed
from citytwin.batch import SECOND_NS, Batch
from citytwin.clock import SystemClock
from citytwin.errors import DeviceError
from citytwin.quality import SEVERITY_SHIFT, Severity
from citytwin.testing.bench import Mutates
from citytwin.testing.mutation import Mutator
from citytwin.testing.report import BrokenPromise
from citytwin.testing.session import Session, good

FRAMES: Final = 10_000
"""So many frames are mutated before an adapter is said to invent nothing."""
FRAMES_S_MAX: Final = 240.0
"""In real time; what has not been asked by then was not proven. It takes seconds where the bench is
in the same process, and a busy machine must not make an adapter look worse than it is."""
_PAUSE_S: Final = 0.01
_HEAR_S: Final = 0.25
_SHOWN_BYTES_MAX: Final = 64

Span = tuple[float, float]


class Recorded(NamedTuple):
    """What once went over a line, and the adapter's own decoder for it.

    Attributes:
        decode: as :meth:`citytwin.adapter.Decodes.decode`, its other arguments given.
        exchanges: as ``decode`` takes them; all its answers together say something of a point.
        checksum_bits: width of the checksum that a frame has; 0: none.
    """

    decode: Callable[[Sequence[Exchange]], Sequence[Probed]]
    exchanges: Sequence[Exchange]
    checksum_bits: int = 0


class Truth:
    """What the device really said of each point, and what one of its type could say at all."""

    def __init__(self, possible: Mapping[int, Span] | None = None) -> None:
        """Know nothing yet; ``possible`` is the lowest and highest value by point."""
        self._possible = dict(possible or {})
        self._seen: dict[int, set[float]] = {}

    @property
    def points(self) -> set[int]:
        """Points of which a value was seen."""
        return set(self._seen)

    def learn(self, point: int, value: float) -> None:
        """Take a value of an undisturbed frame."""
        self._seen.setdefault(point, set()).add(value)

    def learn_all(self, batch: Batch) -> None:
        """Take the values of undisturbed frames."""
        said = good(batch)
        for point, value in zip(said.point.tolist(), said.value.tolist(), strict=True):
            self.learn(point, value)

    def was(self, point: int, value: float) -> bool:
        """Tell whether the device said so."""
        return value in self._seen.get(point, ())

    def can_be(self, point: int, value: float) -> bool:
        """Tell whether a device of its type could say so: a number, and within its span."""
        low, high = self._possible.get(point, (-math.inf, math.inf))
        return math.isfinite(value) and low <= value <= high


class Judge:
    """Counts what disturbed frames became."""

    def __init__(self, truth: Truth, checksum_bits: int) -> None:
        """Begin to count; the checksum says how much may slip through by chance."""
        self._truth, self._bits = truth, checksum_bits
        self._invented = 0
        self.frames = 0

    def allowed(self) -> int:
        """How many may slip through: chance lets one in 2^bits pass; four times that, and one."""
        return 1 + (4 * self.frames >> self._bits)

    def take(self, point: int, value: float, frame: str) -> None:
        """Take a value that claims to be one.

        Raises:
            BrokenPromise: it is none that the device's type can have, or was never said and the
                frames have a checksum.
        """
        if not self._truth.can_be(point, value):
            raise BrokenPromise(
                "mutation", f"point {point} became {value:g}, which it cannot be, {frame}"
            )
        if self._bits and not self._truth.was(point, value):
            self._invented += 1
            if self._invented > self.allowed():
                raise BrokenPromise(
                    "mutation",
                    f"point {point} became {value:g}, which the device never said, {frame}; "
                    f"that is number {self._invented} in {self.frames} frames, and the checksum of "
                    f"{self._bits} bits lets at most {self.allowed()} pass by chance",
                )


def check_recorded(recorded: Recorded, possible: Mapping[int, Span], frames: int, seed: int) -> int:
    """Mutate recorded frames and decode them; returns how many.

    Raises:
        BrokenPromise: one became a value that never was, or was answered by anything but a
            DeviceError.
    """
    truth = Truth(possible)
    for one in _decoded(recorded, recorded.exchanges, "undisturbed"):
        if _claims(one):
            truth.learn(one.point, one.value)
    if not truth.points:
        raise BrokenPromise("mutation", "recorded frames, undisturbed, say nothing of any point")
    judge, mutator = Judge(truth, recorded.checksum_bits), Mutator(seed)
    exchanges = list(recorded.exchanges)
    for number in range(frames):
        index = number % len(exchanges)
        request, response = exchanges[index]
        mutated = Exchange(request, mutator.mutate(response))
        frame = f"from {mutated.response[:_SHOWN_BYTES_MAX].hex(' ')}"
        disturbed = [*exchanges[:index], mutated, *exchanges[index + 1 :]]
        judge.frames += 1
        try:
            found = _decoded(recorded, disturbed, frame)
        except DeviceError:
            continue
        for one in found:
            if _claims(one):
                judge.take(one.point, one.value, frame)
    return frames


def _decoded(recorded: Recorded, exchanges: Sequence[Exchange], frame: str) -> Sequence[Probed]:
    try:
        return recorded.decode(exchanges)
    except DeviceError:
        raise
    except Exception as error:  # of other people's code
        raise BrokenPromise(
            "mutation", f"decode() raised {type(error).__name__}: {error}; only a DeviceError is "
            f"allowed, {frame}",
        ) from error  # fmt: skip


def _claims(one: Probed) -> bool:
    return one.quality >> SEVERITY_SHIFT != Severity.BAD


async def check_wire(
    session: Session, bench: Mutates, truth: Truth, frames: int, seed: int, frames_s_max: float
) -> int:
    """Let an adapter live with a device whose every frame is disturbed; returns how many were.

    Raises:
        BrokenPromise: one became a value that never was, or was answered by anything but a
            DeviceError.
    """
    clock = SystemClock()
    end_ns = clock.monotonic_ns() + int(frames_s_max * SECOND_NS)
    judge = Judge(truth, bench.checksum_bits)
    start = bench.mutated
    await bench.mutating(seed)
    while bench.mutated - start < frames and clock.monotonic_ns() < end_ns:
        before = bench.mutated
        try:
            if session.reads is not None:
                batch: Batch | None = await session.read("mutation")
            else:
                batch = await session.hear(_HEAR_S, "mutation")
        except DeviceError:
            if bench.mutated == before:  # it does not even ask: it waits before it connects anew
                await asyncio.sleep(_PAUSE_S)
            continue
        judge.frames = bench.mutated - start
        if batch is not None:
            claimed = good(batch)
            frame = f"in frame {judge.frames} of seed {seed}"
            for point, value in zip(claimed.point.tolist(), claimed.value.tolist(), strict=True):
                judge.take(point, value, frame)
    return bench.mutated - start
