"""Kernels as a whole: which ones a configuration asks for, and in which order they run."""

from __future__ import annotations

from typing import Any

import numpy as np

from citytwin import Batch, Kind, Point, Quality, Span
from citytwin.kernel import SNAPSHOT_BYTES_MAX_PER_POINT
from citytwin_edge.kernels import PointRules, build
from citytwin_edge.kernels.settings import CounterSettings
from citytwin_edge.pipeline import Pipeline
from tests.edge.kernels.series import SECOND, START

COUNTER = CounterSettings(flow_unit="m3/h", factor=1.0, flow_max=100.0)


def point(name: str, **more: Any) -> Point:
    return Point(id=f"g/d/{name}", unit="m3", **more)


def test_every_kernel_has_the_points_that_ask_for_it() -> None:
    kernels = build(
        [
            (point("plain"), PointRules()),
            (point("total"), PointRules(counter=COUNTER, deadband=1.0)),
            (point("level"), PointRules(swinging_door=1.0)),
            (point("text", kind=Kind.TEXT), PointRules(deadband=1.0)),
        ]
    )
    assert list(kernels) == ["rules", "counter", "deadband", "swinging-door"]
    assert {name: kernel.inputs for name, kernel in kernels.items()} == {
        "rules": ("g/d/plain", "g/d/total", "g/d/level"),
        "counter": ("g/d/total",),
        "deadband": ("g/d/total",),
        "swinging-door": ("g/d/level",),
    }


def test_what_nobody_asks_for_is_not_there() -> None:
    assert build([]) == {}
    assert build([(point("text", kind=Kind.TEXT), PointRules())]) == {}
    assert list(build([(point("plain"), PointRules())])) == ["rules"]


def test_the_snapshots_of_a_hundred_thousand_points_are_as_small_as_promised() -> None:
    count = 100_000
    counter, line = PointRules(counter=COUNTER, deadband=1.0), PointRules(swinging_door=1.0)
    kernels = build(
        [(point(f"c{i}"), counter) for i in range(count)]
        + [(point(f"l{i}", normal=Span(0, 1)), line) for i in range(count)]
    )
    assert list(kernels) == ["rules", "counter", "deadband", "swinging-door"]
    for kernel in kernels.values():
        points = len(kernel.inputs) + len(kernel.outputs)
        assert points >= count
        assert len(kernel.snapshot()) <= SNAPSHOT_BYTES_MAX_PER_POINT * points


def test_flows_are_derived_from_all_samples_and_thinning_comes_last() -> None:
    total = point("total", valid=Span(0, 1e6))
    pairs = [(total, PointRules(counter=COUNTER, deadband=1000.0))]
    kernels = build(pairs)
    every = [total, *(made for kernel in kernels.values() for made in kernel.outputs)]
    pipeline = Pipeline(kernels, every, np.arange(len(every), dtype=np.int32))
    times = START + np.arange(10) * SECOND
    pipeline.take(Batch.of([0] * 10, times, [*np.arange(9) * 10.0, -5.0]))
    told = pipeline.tick().telemetry
    counts, derived = told.select(told.point == 0), told.select(told.point == 1)
    assert counts.value.tolist() == [0.0, -5.0], "thinned, but the change of quality is told"
    assert counts.quality.tolist() == [0, Quality.UNCERTAIN_RANGE]
    assert derived.value.tolist() == [10.0] * 8, "one for every step, thinned or not"


def test_values_at_the_end_of_what_a_float_can_hold_are_values_like_others() -> None:
    most = float(np.finfo(np.float64).max)
    values = [-most, most, 0.6 * most, -most, 0.0, most, most, -0.1 * most]
    total = CounterSettings(flow_unit="m3/h", factor=1.0, flow_max=most / 4, modulus=most / 4)
    steps = PointRules(deadband=1.0, counter=total)
    line = PointRules(swinging_door=1.0, rate_per_s_max=1.0)
    kernels = build([(point("line"), line), (point("steps"), steps)])
    assert len(kernels) == 4
    for kernel in kernels.values():
        inputs = list(range(len(kernel.inputs)))
        for second, value in enumerate(values):
            made = kernel.step(Batch.of(inputs, second * SECOND, [value] * len(inputs)))
            assert not np.isinf(made.value).any()
    door = build([(point("line"), line)])["swinging-door"]
    samples = Batch.of([0] * len(values), np.arange(len(values)) * SECOND, values)
    last = Batch.of([0], 100 * SECOND, [np.nan], 0x81)
    kept = Batch.concat([door.step(samples), door.step(last)])
    assert set(values) <= set(kept.value.tolist())
