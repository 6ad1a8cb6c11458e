"""The pipeline: translations, order, alarms apart, bounds, states that fit and that do not."""

import re

import numpy as np
import pytest

from citytwin import Batch, Kind, Point, Quality, Span
from citytwin_edge import plugins
from citytwin_edge.kernels import AddedKernel, PointRules, build
from citytwin_edge.kernels.settings import CounterSettings
from citytwin_edge.pipeline import LARGE_BYTES, Pipeline
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]

NOW = 1_767_225_600 * 10**9
COUNTER = CounterSettings(flow_unit="m3/h", factor=1.0, flow_max=100.0)
POINTS = [
    (Point(id="g/d/level", unit="m", normal=Span(1, 2)), PointRules()),
    (Point(id="g/d/total", unit="m3", kind=Kind.COUNTER), PointRules(counter=COUNTER)),
    (Point(id="g/d/name", kind=Kind.TEXT), PointRules()),
]


def pipeline(**options):
    kernels = build(POINTS)
    points = [point for point, _ in POINTS]
    points += [point for kernel in kernels.values() for point in kernel.outputs]
    # Numbers with gaps and out of order, as a gateway with a history has them.
    numbers = np.array([7, 3, 11, 20, 5], np.int32)[: len(points)]
    return Pipeline(kernels, points, numbers, **options), points


def test_samples_pass_and_derived_points_join():
    pipe, points = pipeline()
    assert [point.name for point in points[3:]] == ["level.alarm", "total.flow"]
    pipe.take(Batch.of([7, 3, 11], NOW, [1.5, 10, 4]))
    pipe.take(Batch.of([7, 3], NOW + 10**9, [5.0, 12]))
    parcel = pipe.tick()
    assert parcel.alarms == Batch.of([20], NOW + 10**9, [1.0])
    seen = sorted(
        zip(parcel.telemetry.point.tolist(), parcel.telemetry.value.tolist(), strict=True)
    )
    assert seen == [(3, 10), (3, 12), (5, 2.0), (7, 1.5), (7, 5.0), (11, 4)]
    assert not len(pipe.tick().telemetry)


def test_waiting_samples_are_bounded_and_the_loss_is_counted():
    pipe, _ = pipeline(samples_max=10)
    for second in range(6):
        pipe.take(Batch.of([7, 3, 11], NOW + second, [1.5, second, 4]))
    assert pipe.dropped == 9
    assert len(pipe.tick().telemetry.select(slice(None))) >= 9


def test_states_come_back_and_foreign_ones_are_left():
    pipe, _ = pipeline()
    pipe.take(Batch.of([7, 3], NOW, [5.0, 10]))
    pipe.tick()
    states = pipe.snapshots()
    again, _ = pipeline()
    again.restore({**states, "other": b"x"})
    again.take(Batch.of([7, 3], NOW + 10**9, [5.0, 12]))
    parcel = again.tick()
    assert not len(parcel.alarms)
    assert 2.0 in parcel.telemetry.value.tolist()
    fresh, _ = pipeline()
    fresh.restore({"rules": b"junk", "counter": states["counter"]})
    fresh.take(Batch.of([7], NOW + 10**9, [5.0]))
    assert len(fresh.tick().alarms) == 1


def with_vendor(broken):
    level = POINTS[0][0]
    kind = plugins.kernel("total")
    one = AddedKernel("sum", "total", kind, kind.settings(broken=broken), (level,))
    kernels = build(POINTS[:1], [one])
    points = [level, *(point for kernel in kernels.values() for point in kernel.outputs)]
    return Pipeline(kernels, points, np.arange(len(points), dtype=np.int32)), points[-1]


def ticked(pipe, value, second):
    pipe.take(Batch.of([0], NOW + second * 10**9, [value]))
    telemetry = pipe.tick().telemetry
    return telemetry.select(telemetry.point == 2), telemetry.select(telemetry.point == 0)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("raises", r"ZeroDivisionError: five \(acme_kernels.py, line \d+\)"),
        ("index", "a point that is none of its outputs"),
        ("beyond", "a point that is none of its outputs"),
        ("list", r"step\(\) gave list instead of a Batch"),
        ("early", "a time stamp before 2020"),
        ("late", "half a day after its newest sample"),
    ],
)
def test_a_vendors_kernel_that_fails_costs_no_sample(vendor, capsys, broken, reason):
    pipe, point = with_vendor(broken)
    assert point.id == "g/d/level.total"
    derived, level = ticked(pipe, 6.0, 0)
    assert level.value.tolist() == [6.0]
    assert derived.quality.tolist() == [Quality.BAD_STALE]
    assert np.isnan(derived.value).all()
    derived, level = ticked(pipe, 7.0, 1)
    assert (len(derived), level.value.tolist()) == (0, [7.0]), "it is said once"
    said = capsys.readouterr().out
    assert said.count("kernel.failed") == 1
    assert re.search(reason, said)
    assert re.search(reason, pipe.failing["kernel:sum"])
    if broken == "raises":
        derived, _ = ticked(pipe, 2.0, 2)
        assert derived == Batch.of([2], NOW + 2 * 10**9, [2.0]), "and goes on when it can"
        assert not pipe.failing


@pytest.mark.parametrize(
    ("broken", "quality"),
    [
        ("infinite", Quality.BAD_NOT_A_NUMBER),
        ("void", Quality.BAD_NOT_A_NUMBER),
        ("quality", Quality.BAD_MALFORMED),
    ],
)
def test_what_a_vendors_kernel_gives_is_never_refused_by_a_hub(vendor, broken, quality):
    """For one impossible sample a hub refuses the block, with everybody's samples in it."""
    pipe, _ = with_vendor(broken)
    derived, level = ticked(pipe, 2.0, 0)
    assert derived.quality.tolist() == [quality]
    assert level.value.tolist() == [2.0]
    derived.check(points=3, now_ns=NOW + 10**9)


@pytest.mark.parametrize("broken", ["snapshot", "large"])
def test_a_vendors_state_that_cannot_be_kept_is_left_out(vendor, capsys, broken):
    pipe, _ = with_vendor(broken)
    assert list(pipe.snapshots()) == ["rules"]
    assert "kernel.not_kept" in capsys.readouterr().out


def test_a_vendors_state_comes_back(vendor, capsys):
    pipe, _ = with_vendor("")
    ticked(pipe, 2.0, 0)
    again, _ = with_vendor("")
    again.restore(pipe.snapshots())
    assert ticked(again, 3.0, 1)[0].value.tolist() == [5.0]
    fresh, _ = with_vendor("")
    fresh.restore({"kernel:sum": b"junk"})
    assert ticked(fresh, 3.0, 1)[0].value.tolist() == [3.0]
    assert "kernel.begins_anew" in capsys.readouterr().out


class Large:
    """A kernel with a large state that raises an alarm whenever its input is above 0."""

    inputs = ("g/d/level",)
    outputs = (Point(id="g/d/level.high", kind=Kind.ALARM),)
    replaces = False

    def step(self, batch):
        rows = batch.value > 0
        return Batch.of(np.ones(rows.sum()), batch.time_ns[rows], batch.value[rows])

    def snapshot(self):
        return bytes(LARGE_BYTES)

    def restore(self, state):
        assert len(state) == LARGE_BYTES


def test_a_large_state_is_kept_seldom_but_with_every_alarm():
    level = POINTS[0][0]
    points = [level, *Large.outputs]
    kernels = {"rules": build([(level, PointRules())])["rules"], "large": Large()}
    points.append(kernels["rules"].outputs[0])
    pipe = Pipeline(kernels, points, np.arange(3, dtype=np.int32))

    def kept(value):
        pipe.take(Batch.of([0], NOW, [value]))
        pipe.tick()
        return set(pipe.snapshots(large=False))

    assert kept(-1.0) == {"rules", "large"}, "its size is not known before"
    assert kept(-1.0) == {"rules"}
    assert kept(1.0) == {"rules", "large"}
    assert kept(-1.0) == {"rules"}
    assert set(pipe.snapshots()) == {"rules", "large"}
