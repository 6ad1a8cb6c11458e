"""The swinging door keeps its bound: every dropped sample lies on the line of its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin import Batch, Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.settings import PointRules
from citytwin_edge.kernels.swinging_door import SwingingDoor
from tests.edge.kernels.series import SECOND, START, of, points, rough, stretches

BOUNDS = (0.5, 2.0, 10.0)
SILENCE_S = 100.0


def door(bounds: tuple[float, ...] = BOUNDS, silence_s: float = SILENCE_S) -> SwingingDoor:
    rules = [PointRules(swinging_door=bound, silence_s_max=silence_s) for bound in bounds]
    return SwingingDoor(points(len(bounds)), rules)


def closed(kernel: SwingingDoor, samples: Batch) -> Batch:
    """Return what is kept, and what is still held back as if the next had ended the line."""
    last = np.arange(len(kernel.inputs), dtype=np.int32)
    end = Batch.of(last, int(samples.time_ns.max()) + 10**12, np.full(len(last), np.nan), 0x81)
    kept = Batch.concat([kernel.step(samples), kernel.step(end)])
    return kept.select(kept.time_ns != end.time_ns[0])


def assert_within(samples: Batch, kept: Batch, bound: float) -> int:
    """Assert the bound for one stretch of one point; returns how many were dropped."""
    index, dropped = 0, 0
    for row in range(len(samples)):
        time_ns, value = samples.time_ns[row], samples.value[row]
        if index < len(kept) and kept.time_ns[index] == time_ns:
            assert np.array_equal(kept.value[index], value, equal_nan=True), "kept as it was"
            assert kept.quality[index] == samples.quality[row]
            index += 1
            continue
        dropped += 1
        assert 0 < index < len(kept), "a dropped sample has kept neighbours"
        low, high = index - 1, index
        assert kept.quality[low] == kept.quality[high] == samples.quality[row]
        part = (time_ns - kept.time_ns[low]) / (kept.time_ns[high] - kept.time_ns[low])
        line = kept.value[low] + part * (kept.value[high] - kept.value[low])
        assert abs(value - line) <= bound * (1 + 1e-9) + 1e-9 * abs(value)
    assert index == len(kept), "nothing is kept that was not there"
    return dropped


def assert_bound(samples: Batch, kept: Batch, bounds: tuple[float, ...]) -> int:
    dropped = 0
    for point, bound in enumerate(bounds):
        mine, left = of(samples, point), of(kept, point)
        for stretch in stretches(mine):
            # Kept samples come in the order of their samples.
            held: list[int] = []
            position = 0
            for row in range(len(left)):
                inside = np.flatnonzero(stretch.time_ns[position:] == left.time_ns[row])
                if len(inside) == 0:
                    break
                held.append(row)
                position += int(inside[0]) + 1
            part = left.select(slice(0, len(held)))
            left = left.select(slice(len(held), len(left)))
            dropped += assert_within(stretch, part, bound)
        assert len(left) == 0
    return dropped


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_holds_whatever_comes(seed: int) -> None:
    samples = rough(seed, 3000)
    dropped = assert_bound(samples, closed(door(), samples), BOUNDS)
    assert dropped > 500, "otherwise nothing is proven"


@pytest.mark.parametrize("seed", range(5))
def test_split_invariance_and_snapshots(seed: int) -> None:
    assert len(check_kernel(door, rough(seed, 600), seed=seed))


VALUES = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, -1.0, 1e-9, np.nan])


@given(
    st.lists(
        st.tuples(st.integers(-3, 20), VALUES, st.sampled_from([0, 0, 0, 0x43, 0x81])), max_size=60
    ),
    st.floats(1e-3, 1e4),
)
@settings(max_examples=300, deadline=None)
def test_the_bound_holds_for_any_series(rows: list[tuple[int, float, int]], bound: float) -> None:
    times = START + np.cumsum([0, *(step for step, _, _ in rows)]) * SECOND
    samples = Batch.of(
        [0] * (len(rows) + 1),
        times,
        [0.0, *(value for _, value, _ in rows)],
        [0, *(0x81 if np.isnan(value) else code for _, value, code in rows)],
    )
    assert_bound(samples, closed(door((bound,)), samples), (bound,))


def test_a_line_needs_its_ends_only() -> None:
    samples = Batch.of([0] * 90, START + np.arange(90) * SECOND, np.arange(90) * 0.7)
    kept = closed(door((0.01,)), samples)
    assert kept.value.tolist() == [0.0, 89 * 0.7]


def test_a_point_does_not_look_dead() -> None:
    samples = Batch.of([0] * 1000, START + np.arange(1000) * SECOND, np.zeros(1000))
    kept = door((1.0,)).step(samples)
    assert np.diff(kept.time_ns).max() <= SILENCE_S * SECOND
    assert kept.time_ns[-1] >= samples.time_ns[-1] - SILENCE_S * SECOND
    assert len(kept) < 30


def test_after_a_straggler_the_newest_sample_is_what_counts() -> None:
    """Whoever sorts by time must not find the line that began at the late sample."""
    times = [0, 10, 20, 15, *range(21, 31)]
    values = [10.0, 10.0, 10.0, 0.0, *[3.0] * 10]
    samples = Batch.of([0] * len(times), START + np.array(times) * SECOND, values)
    kept = closed(door((2.0,)), samples)
    in_order = kept.select(np.argsort(kept.time_ns, kind="stable"))
    after = samples.time_ns > START + 20 * SECOND
    line = np.interp(samples.time_ns[after], in_order.time_ns, in_order.value)
    assert np.abs(line - samples.value[after]).max() <= 2.0


def test_bad_samples_with_numbers_are_not_drawn_to_what_was_before() -> None:
    bad = Quality.BAD_OUT_OF_RANGE
    values = [5.0, 5.0, np.nan, 500.0, 501.0, 502.0, 5.0]
    codes = [0, 0, bad, bad, bad, bad, 0]
    samples = Batch.of([0] * 7, START + np.arange(7) * SECOND, values, codes)
    assert_bound(samples, closed(door((0.1,)), samples), (0.1,))
