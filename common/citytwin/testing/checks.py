"""Conformance checks of kernels, models and stores; AssertionError names the broken promise."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence

import numpy as np

from citytwin.batch import FUTURE_NS_MAX, TIME_NS_MIN, Batch
from citytwin.errors import MalformedError, StoreError
from citytwin.history import Block, HistoryStore
from citytwin.kernel import SNAPSHOT_BYTES_MAX, SNAPSHOT_BYTES_MAX_PER_POINT, Kernel, Obeys
from citytwin.model import Model
from citytwin.point import Source
from citytwin.quality import KNOWN, Severity, severity

SECOND_NS = 1_000_000_000


# ---- kernel
def check_kernel(
    build: Callable[[], Kernel], samples: Batch, *, seed: int = 0, cuts: int = 20
) -> Batch:
    """Check a kernel on samples of its inputs; returns what it made of them.

    Causality, determinism, split invariance, snapshot and restore at random cuts, honest output
    indexes, bounded snapshots, refusal of foreign snapshots, outputs as a gateway takes them,
    commands that are answered and remembered.

    Args:
        build: makes a fresh kernel each time.
        samples: its inputs in order of time; ``point`` indexes ``inputs``.
        seed, cuts: for the random cuts.
    """
    kernel = build()
    assert isinstance(kernel, Kernel), "a kernel has inputs, outputs, replaces, step, snapshot"
    _check_points(kernel)
    whole = kernel.step(samples)
    assert isinstance(whole, Batch), f"step() gives a Batch, not {type(whole).__name__}"
    _check_output(kernel, samples, whole)
    assert build().step(samples) == whole, "the same samples give the same output"
    assert not len(build().step(Batch.empty())), "no samples, no output"
    random = np.random.default_rng(seed)
    for _ in range(cuts):
        count = int(random.integers(1, 6))
        places = np.sort(random.integers(0, len(samples) + 1, count)).tolist()
        pieces = [
            samples.select(slice(low, high))
            for low, high in zip([0, *places], [*places, len(samples)], strict=True)
        ]
        _check_pieces(build, pieces, whole)
    _check_commands(build, samples)
    for garbage in (b"", b"\xc1", b"\x93\x01\x02\x03", pickle.dumps(whole.value[:1])):
        try:
            build().restore(garbage)
        except MalformedError:
            continue
        raise AssertionError("restore() refuses bytes that are not a snapshot (MalformedError)")
    return whole


def _check_points(kernel: Kernel) -> None:
    """Hold the outputs to what :meth:`citytwin.kernel.KernelType.build` says of them."""
    for point in kernel.outputs:
        origin, dot, name = point.id.rpartition(".")
        is_derived = bool(dot and name) and origin in kernel.inputs
        assert is_derived, (
            f'the id of an output is an input\'s with a dot and a name behind it, not "{point.id}"'
        )
        assert point.source == Source.DERIVED, f"{point.id}: an output has source=Source.DERIVED"
        obeys = point.writable is None or isinstance(kernel, Obeys)
        assert obeys, f"{point.id}: an output can be commanded only where there is obey()"
    ids = [point.id for point in kernel.outputs]
    assert len(set(ids)) == len(ids), "each output has an id of its own"


def _check_output(kernel: Kernel, samples: Batch, output: Batch) -> None:
    if not len(output):
        return
    first = 0 if kernel.replaces else len(kernel.inputs)
    last = len(kernel.inputs) + len(kernel.outputs)
    assert output.point.min() >= first, "only a filter (replaces) returns samples of its inputs"
    assert output.point.max() < last, "outputs are indexes into inputs + outputs"
    last_ns = int(samples.time_ns.max()) + FUTURE_NS_MAX // 2
    is_possible = output.time_ns.min() >= TIME_NS_MIN and output.time_ns.max() <= last_ns
    assert is_possible, "time stamps are after 2020, at most half a day after the newest sample"
    assert KNOWN[output.quality].all(), "qualities are codes of citytwin.quality"
    assert not np.isinf(output.value).any(), "an infinite value is not a result"
    void = severity(output.quality[np.isnan(output.value)])
    assert (void == Severity.BAD).all(), "what has no value (NaN) has a bad quality"


def _check_pieces(build: Callable[[], Kernel], pieces: Sequence[Batch], whole: Batch) -> None:
    kernel = build()
    outputs = []
    for piece in pieces:
        outputs.append(kernel.step(piece))
        state = kernel.snapshot()
        points = len(kernel.inputs) + len(kernel.outputs)
        bytes_max = max(SNAPSHOT_BYTES_MAX, SNAPSHOT_BYTES_MAX_PER_POINT * points)
        assert len(state) <= bytes_max, f"a snapshot has at most {bytes_max} bytes"
        kernel = build()
        kernel.restore(state)
    together = Batch.concat(outputs)
    # The order between points may depend on the cut; the order within a point may not.
    assert _by_point(together) == _by_point(whole), (
        "samples cut in pieces, with a restart between them, give the same output"
    )


def _check_commands(build: Callable[[], Kernel], samples: Batch) -> None:
    """Command each output for which that can be done, amid the samples."""
    amid = len(samples) // 2
    before, after = samples.select(slice(0, amid)), samples.select(slice(amid, None))
    time_ns = int(before.time_ns.max()) if amid else TIME_NS_MIN
    for number, point in enumerate(build().outputs, len(build().inputs)):
        if point.writable is None:
            continue
        kernel = build()
        assert isinstance(kernel, Obeys)
        kernel.step(before)
        low, high = point.writable.low, point.writable.high
        value = low if np.isfinite(low) else high if np.isfinite(high) else 0.0
        said = kernel.obey(number, value, time_ns)
        assert number in said.point, f"{point.id}: obey() gives a sample of what was commanded"
        _check_output(kernel, Batch.of([0], time_ns, [0.0]), said)
        again = build()
        again.restore(kernel.snapshot())
        assert _by_point(again.step(after)) == _by_point(kernel.step(after)), (
            f"{point.id}: what was commanded is in the snapshot"
        )


def _by_point(batch: Batch) -> Batch:
    return batch.select(np.argsort(batch.point, kind="stable"))


# ---- model
def check_model(build: Callable[[], Model], observations: Batch, *, until_ns: int) -> Batch:
    """Check a model: deterministic, isolated branches, faithful snapshots; returns its outputs."""
    model = build()
    assert isinstance(model, Model), "a model has inputs, outputs, assimilate, step, branch"
    model.assimilate(observations)
    branch, state = model.branch(), model.snapshot()
    ahead = branch.step(until_ns)
    assert model.snapshot() == state, "a branch's steps do not touch its origin"
    output = model.step(until_ns)
    assert len(output), "a model says something about its outputs"
    assert output.point.min() >= 0, "point indexes the outputs"
    assert output.point.max() < len(model.outputs), "point indexes the outputs"
    assert (np.diff(output.time_ns) >= 0).all(), "outputs come in order of time"
    again = build()
    again.assimilate(observations)
    assert again.step(until_ns) == output, "the same observations give the same outputs"
    assert ahead == output, "a branch goes the way its origin would"
    restored = build()
    restored.restore(state)
    assert restored.step(until_ns) == output, "a restored model goes on as the one that was saved"
    return output


# ---- history
def check_history(build: Callable[[], HistoryStore], *, seed: int = 0) -> None:
    """Check a history store; ``build`` opens the same files again each time.

    Repeated blocks change nothing (also after reopening), late samples are found, reads are ordered
    and bounded, the ends of a span are its first and last samples, sums by step agree with them.
    """
    random = np.random.default_rng(seed)
    start_ns = 1_767_225_600 * SECOND_NS
    blocks = [_block(random, number, start_ns) for number in range(1, 21)]
    expected = _in_order(Batch.concat([block.batch for block in blocks]))
    end_ns = int(expected.time_ns.max()) + 1
    store = build()
    assert isinstance(store, HistoryStore), "a store has append, flush, read, aggregate, close"
    store.append(blocks[:10])
    store.append(blocks[5:10])
    seen = store.read(range(5), start_ns, end_ns, samples_max=10_000)
    assert seen == _in_order(Batch.concat([block.batch for block in blocks[:10]])), (
        "a read sees every appended block once, ordered by point and time"
    )
    store.flush()
    store.close()
    store = build()
    store.append(blocks[:10])
    store.append(blocks[10:])
    store.flush()
    seen = store.read(range(5), start_ns, end_ns, samples_max=10_000)
    assert seen == expected, "blocks appended again after reopening change nothing"
    try:
        store.read(range(5), start_ns, end_ns, samples_max=10)
    except StoreError:
        pass
    else:
        raise AssertionError("a read over samples_max is refused (StoreError)")
    _check_ends(store, expected, start_ns, end_ns)
    _check_aggregate(store, expected, start_ns, end_ns)
    store.close()


def _block(random: np.random.Generator, number: int, start_ns: int) -> Block:
    count = int(random.integers(1, 50))
    # Every third block is older than the one before it: a gateway that catches up.
    base_ns = start_ns + (number if number % 3 else number - 3) * 60 * SECOND_NS
    times = base_ns + np.sort(random.choice(60 * 1000, count, replace=False)) * 1_000_000 + number
    values = random.normal(size=count)
    quality = np.where(random.random(count) < 0.1, 0x81, 0).astype(np.uint8)
    values[quality != 0] = np.nan
    batch = Batch(random.integers(0, 5, count).astype(np.int32), times, values, quality)
    return Block(b"conformance-test", number, base_ns + 60 * SECOND_NS, batch)


def _in_order(batch: Batch) -> Batch:
    return batch.select(np.lexsort((batch.time_ns, batch.point)))


def _check_ends(store: HistoryStore, samples: Batch, start_ns: int, end_ns: int) -> None:
    middle_ns = (start_ns + end_ns) // 2
    for first_ns, last_ns in ((start_ns, end_ns), (0, middle_ns), (middle_ns, 2**62)):
        for count in (1, 3, 10_000):
            for newest in (False, True):
                seen = store.ends(range(7), first_ns, last_ns, count=count, newest=newest)
                inside = (samples.time_ns >= first_ns) & (samples.time_ns < last_ns)
                parts = [samples.select(inside & (samples.point == row)) for row in range(7)]
                chosen = slice(-count, None) if newest else slice(0, count)
                expected = Batch.concat(
                    [part.select(np.arange(len(part))[chosen]) for part in parts]
                )
                assert seen == expected, "ends are the first or last samples of each point"


def _check_aggregate(store: HistoryStore, samples: Batch, start_ns: int, end_ns: int) -> None:
    step_ns = 300 * SECOND_NS
    sums = store.aggregate(range(5), start_ns, end_ns, step_ns=step_ns)
    assert int(sums.count.sum()) == len(samples), "every sample is counted in one step"
    for row in range(len(sums.point)):
        inside = (samples.point == sums.point[row]) & (
            samples.time_ns // step_ns == sums.time_ns[row] // step_ns
        )
        good = samples.value[inside & (severity(samples.quality) != Severity.BAD)]
        assert sums.count[row] == inside.sum(), "count is of samples of any quality"
        expected = (good.min(), good.mean(), good.max()) if len(good) else (np.nan,) * 3
        assert np.allclose(
            (sums.low[row], sums.mean[row], sums.high[row]), expected, equal_nan=True
        ), "low, mean and high are over samples that are not bad"
        assert sums.quality[row] == samples.quality[inside].max(), "quality is the worst one seen"
