"""The deadband: nothing dropped differs by more than the band, and no point looks dead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin import Batch
from citytwin.testing import check_kernel
from citytwin_edge.kernels.deadband import Deadband
from citytwin_edge.kernels.settings import PointRules
from tests.edge.kernels.series import SECOND, START, of, points, rough

BANDS = (0.5, 2.0, 10.0)
SILENCE_S = 100.0


def band(bands: tuple[float, ...] = BANDS, silence_s: float = SILENCE_S) -> Deadband:
    rules = [PointRules(deadband=width, silence_s_max=silence_s) for width in bands]
    return Deadband(points(len(bands)), rules)


def assert_band(samples: Batch, kept: Batch, width: float) -> int:
    """Assert the promise for one point, in order of arrival; returns how many were dropped."""
    index, dropped = 0, 0
    for row in range(len(samples)):
        is_kept = index < len(kept) and (
            kept.time_ns[index] == samples.time_ns[row]
            and kept.quality[index] == samples.quality[row]
            and np.array_equal(kept.value[index], samples.value[row], equal_nan=True)
        )
        if is_kept:
            index += 1
            continue
        dropped += 1
        assert index, "the first sample passes"
        last = index - 1
        assert kept.quality[last] == samples.quality[row]
        both_void = np.isnan(kept.value[last]) and np.isnan(samples.value[row])
        assert both_void or abs(kept.value[last] - samples.value[row]) <= width
        assert 0 <= samples.time_ns[row] - kept.time_ns[last] < SILENCE_S * SECOND
    assert index == len(kept)
    return dropped


@pytest.mark.parametrize("seed", range(20))
def test_the_band_holds_whatever_comes(seed: int) -> None:
    samples = rough(seed, 3000)
    kept = band().step(samples)
    dropped = sum(
        assert_band(of(samples, point), of(kept, point), width) for point, width in enumerate(BANDS)
    )
    assert dropped > 500, "otherwise nothing is proven"


@pytest.mark.parametrize("seed", range(5))
def test_split_invariance_and_snapshots(seed: int) -> None:
    assert len(check_kernel(band, rough(seed, 600), seed=seed))


@given(
    st.lists(
        st.tuples(st.integers(-3, 60), st.floats(allow_infinity=False), st.sampled_from([0, 0x43]))
    ),
    st.floats(1e-3, 1e4),
)
@settings(max_examples=300, deadline=None)
def test_the_band_holds_for_any_series(rows: list[tuple[int, float, int]], width: float) -> None:
    if not rows:
        return
    times = START + np.cumsum([step for step, _, _ in rows]) * SECOND
    samples = Batch.of(
        [0] * len(rows),
        times,
        [value for _, value, _ in rows],
        [0x84 if np.isnan(value) else code for _, value, code in rows],
    )
    assert_band(samples, band((width,)).step(samples), width)


def test_a_still_value_is_sent_at_least_so_often() -> None:
    samples = Batch.of([0] * 1000, START + np.arange(1000) * SECOND, np.full(1000, 7.0))
    kept = band((1.0,)).step(samples)
    assert (np.diff(kept.time_ns) == SILENCE_S * SECOND).all()
    assert len(kept) == 10


def test_the_band_is_that_of_the_last_one_sent_so_a_creep_is_seen() -> None:
    samples = Batch.of([0] * 50, START + np.arange(50) * SECOND, np.arange(50) * 0.3)
    kept = band((1.0,)).step(samples)
    assert np.diff(kept.value).tolist() == pytest.approx([1.2] * (len(kept) - 1))


@pytest.mark.parametrize("code", [0x43, 0x81])
def test_a_change_of_quality_passes_even_without_a_change_of_value(code: int) -> None:
    value = np.nan if code == 0x81 else 5.0
    samples = Batch.of(
        [0] * 6, START + np.arange(6) * SECOND, [5.0, 5.0, value, value, 5.0, 5.0],
        [0, 0, code, code, 0, 0],
    )  # fmt: skip
    assert band((1.0,)).step(samples).time_ns.tolist() == samples.time_ns[[0, 2, 4]].tolist()


def test_after_a_straggler_the_newest_sample_is_what_counts() -> None:
    """Else whoever looks at the latest would see the value before it until the silence ends."""
    times, values = [0, 20, 15, 21, 22], [10.0, 20.0, 0.0, 0.1, 0.2]
    samples = Batch.of([0] * 5, START + np.array(times) * SECOND, values)
    kept = band((1.0,)).step(samples)
    assert kept.value.tolist() == [10.0, 20.0, 0.0, 0.1]


def test_a_clock_set_back_does_not_end_the_thinning() -> None:
    times = START + np.concatenate([np.arange(50), np.arange(50) - 3600]) * SECOND
    kept = band((1.0,)).step(Batch.of([0] * 100, times, np.full(100, 7.0)))
    assert len(kept) == 2
