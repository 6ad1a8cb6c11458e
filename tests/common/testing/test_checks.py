"""The conformance checks pass what keeps its promises and name the promise that is broken."""

import struct
from typing import Any

import numpy as np
import pytest

from citytwin import Attribute, Batch, Point, Quality, Source, Span
from citytwin.errors import MalformedError, StoreError
from citytwin.history import Aggregates
from citytwin.testing import check_history, check_kernel, check_model

NOW_NS = 1_767_225_600 * 10**9


class Sum:
    """Running sum of one point."""

    inputs = ("g/d/a",)
    outputs = (Point(id="g/d/a.sum", source=Source.DERIVED),)
    replaces = False

    def __init__(self):
        self.total = 0.0

    def step(self, batch):
        sums = self.total + np.cumsum(batch.value)
        if len(batch):
            self.total = float(sums[-1])
        return Batch(np.full(len(batch), 1, np.int32), batch.time_ns, sums, batch.quality)

    def snapshot(self):
        return struct.pack(">4sd", b"sum1", self.total)

    def restore(self, state):
        if len(state) != 12 or state[:4] != b"sum1":
            raise MalformedError("not a snapshot of Sum")
        self.total = struct.unpack(">d", state[4:])[0]


SAMPLES = Batch.of([0] * 20, NOW_NS + np.arange(20), np.arange(20.0))


def test_kernel_that_keeps_its_promises():
    assert check_kernel(Sum, SAMPLES).value[-1] == 190


class Forgetful(Sum):
    def snapshot(self):
        return struct.pack(">4sd", b"sum1", 0.0)


class Credulous(Sum):
    def restore(self, state):
        self.total = struct.unpack(">d", state[4:])[0] if len(state) == 12 else 0.0


class Lookahead(Sum):
    def step(self, batch):
        whole = super().step(batch)
        ahead = np.full(len(batch), batch.value.max() if len(batch) else 0.0)
        return Batch(whole.point, whole.time_ns, ahead, whole.quality)


class Impostor(Sum):
    def step(self, batch):
        return super().step(batch).renumbered(np.array([0, 0], np.int32))


class Hoarder(Sum):
    def snapshot(self):
        return bytes(1 << 20) + super().snapshot()


class Listing(Sum):
    def step(self, batch) -> Any:
        return [super().step(batch)]


class Void(Sum):
    def step(self, batch):
        whole = super().step(batch)
        return Batch.of(whole.point, whole.time_ns, [np.nan] * len(batch), Quality.GOOD)


class Timeless(Sum):
    def step(self, batch):
        whole = super().step(batch)
        return Batch(whole.point, np.arange(len(batch)), whole.value, whole.quality)


class Measured(Sum):
    outputs = (Point(id="g/d/a.sum"),)


class Stranger(Sum):
    outputs = (Point(id="g/d/sum", source=Source.DERIVED),)


class Commanded(Sum):
    outputs = (Point(id="g/d/a.sum", source=Source.DERIVED, writable=Span(0, 1)),)


class Obedient(Commanded):
    """Its sum can be set."""

    def obey(self, output, value, time_ns):
        self.total = value
        return Batch.of([output], time_ns, [value])


class Silent(Obedient):
    def obey(self, output, value, time_ns):
        return super().obey(output, value, time_ns).select(slice(0))


class Slow(Obedient):
    later = 0.0

    def obey(self, output, value, time_ns):
        self.later = 5.0
        return Batch.of([output], time_ns, [value])

    def step(self, batch):
        self.total += self.later
        self.later = 0.0
        return super().step(batch)


def test_a_kernel_that_obeys():
    assert check_kernel(Obedient, SAMPLES).value[-1] == 190


class Double(Sum):
    outputs = Sum.outputs * 2  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (Listing, "gives a Batch, not list"),
        (Timeless, "time stamps are after 2020"),
        (Void, "has a bad quality"),
        (Measured, "g/d/a.sum: an output has source=Source.DERIVED"),
        (Stranger, 'with a dot and a name behind it, not "g/d/sum"'),
        (Commanded, "can be commanded only where there is obey"),
        (Silent, "gives a sample of what was commanded"),
        (Slow, "what was commanded is in the snapshot"),
        (Double, "an id of its own"),
        (Hoarder, "a snapshot has at most 1048576 bytes"),
        (Forgetful, "restart"),
        (Credulous, "not a snapshot"),
        (Lookahead, "pieces"),
        (Impostor, "only a filter"),
    ],
)
def test_kernel_that_does_not(kernel, words):
    with pytest.raises(AssertionError, match=words):
        check_kernel(kernel, SAMPLES)


class Tank:
    """A level that follows its measurement and then falls one unit a second."""

    inputs = outputs = (Attribute("urn:ngsi-ld:Tank:1", "level", "m"),)

    def __init__(self):
        self.level, self.time_ns = 0.0, NOW_NS

    def assimilate(self, observations):
        self.level, self.time_ns = float(observations.value[-1]), int(observations.time_ns[-1])

    def step(self, until_ns):
        seconds = (until_ns - self.time_ns) // 10**9
        self.level, self.time_ns = self.level - seconds, until_ns
        return Batch.of([0], until_ns, [self.level])

    def branch(self):
        other = Tank()
        other.level, other.time_ns = self.level, self.time_ns
        return other

    def snapshot(self):
        return struct.pack(">dq", self.level, self.time_ns)

    def restore(self, state):
        self.level, self.time_ns = struct.unpack(">dq", state)


def test_model_checks():
    observation = Batch.of([0], NOW_NS, [10.0])
    assert check_model(Tank, observation, until_ns=NOW_NS + 3 * 10**9).value.tolist() == [7.0]

    class Tied(Tank):
        def branch(self):
            return self

    with pytest.raises(AssertionError, match="branch's steps"):
        check_model(Tied, observation, until_ns=NOW_NS + 3 * 10**9)


class Memory:
    """A store in a dict that outlives its instances."""

    def __init__(self, blocks, repeats=False):
        self.blocks, self.repeats = blocks, repeats

    def append(self, blocks):
        for block in blocks:
            key = (block.stream, block.number, len(self.blocks) if self.repeats else 0)
            self.blocks.setdefault(key, block.batch)

    def flush(self):
        pass

    def close(self):
        pass

    def read(self, points, start_ns, end_ns, *, samples_max):
        batch = Batch.concat(self.blocks.values())
        batch = batch.select(
            np.isin(batch.point, list(points))
            & (batch.time_ns >= start_ns)
            & (batch.time_ns < end_ns)
        )
        if len(batch) > samples_max:
            raise StoreError("too many samples; ask for a shorter span")
        return batch.select(np.lexsort((batch.time_ns, batch.point)))

    def ends(self, points, start_ns, end_ns, *, count, newest):
        batch = self.read(points, start_ns, end_ns, samples_max=10**9)
        chosen = slice(-count, None) if newest else slice(0, count)
        return Batch.concat(
            [
                batch.select(np.flatnonzero(batch.point == point)[chosen])
                for point in sorted(set(points))
            ]
        )

    def aggregate(self, points, start_ns, end_ns, *, step_ns):
        batch = self.read(points, start_ns, end_ns, samples_max=10**9)
        steps = batch.time_ns // step_ns * step_ns
        keys = sorted(set(zip(batch.point.tolist(), steps.tolist(), strict=True)))
        rows = []
        for point, step in keys:
            inside = (batch.point == point) & (steps == step)
            good = batch.value[inside & (batch.quality >> 6 < 2)]
            sums = (good.min(), good.mean(), good.max()) if len(good) else (np.nan,) * 3
            rows.append((point, step, *sums, inside.sum(), batch.quality[inside].max()))
        return Aggregates(*(np.array(column) for column in zip(*rows, strict=True)))


def test_history_checks():
    blocks = {}
    check_history(lambda: Memory(blocks))
    assert len(blocks) == 20
    repeated = {}
    with pytest.raises(AssertionError, match="once"):
        check_history(lambda: Memory(repeated, repeats=True))
