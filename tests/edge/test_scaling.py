"""Scaling: the device's numbers in the point's unit, and a reason for each that is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.batch import Batch
from citytwin.errors import BatchError
from citytwin.point import Point, Span
from citytwin.quality import Quality
from citytwin_edge.scaling import Scaling


def scaling(*rows: tuple[float, float], valid: Span | None = None, first: int = 100) -> Scaling:
    points = [Point(id=f"gw/dev/p{i}", valid=valid) for i in range(len(rows))]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 2)
    numbers = np.arange(first, first + len(rows), dtype=np.int32)
    return Scaling(points, numbers, columns[:, 0].copy(), columns[:, 1].copy())


def test_scale_offset_and_numbers() -> None:
    batch = Batch.of([0, 1, 2], 5, [423, -1, 1.5])
    done = scaling((0.1, 0), (1, 273.15), (2.5, -1)).apply(batch)
    assert done == Batch.of([100, 101, 102], 5, [42.3, 272.15, 2.75])


def test_decimal_scales_give_decimal_numbers() -> None:
    raw = np.arange(-5000, 5000)
    for digits in range(1, 7):
        one = scaling((10.0**-digits, 0))
        done = one.apply(Batch.of(np.zeros(len(raw), np.int32), 1, raw))
        assert done.value.tolist() == [float(f"{number}e-{digits}") for number in raw]


def test_what_is_no_number_says_so() -> None:
    batch = Batch.of([0, 0, 0, 0], 1, [math.nan, math.inf, -math.inf, 1e308])
    done = scaling((100, 0)).apply(batch)
    assert np.isnan(done.value).all()
    assert done.quality.tolist() == [Quality.BAD_NOT_A_NUMBER] * 4


def test_a_known_reason_is_kept() -> None:
    reasons = [Quality.BAD_REFUSED, Quality.BAD_SILENT, Quality.UNCERTAIN_STALE]
    batch = Batch.of([0, 0, 0], 1, [math.nan, math.nan, 900], reasons)
    done = scaling((1, 0), valid=Span(0, 500)).apply(batch)
    assert done.quality.tolist() == reasons
    assert done.value[2] == 900


def test_outside_the_valid_span_is_uncertain_and_kept() -> None:
    batch = Batch.of([0, 0, 0, 0], 1, [0, 5000, -1, 5001])
    done = scaling((0.1, 0), valid=Span(0, 500)).apply(batch)
    assert done.value.tolist() == [0, 500, -0.1, 500.1]
    outside = Quality.UNCERTAIN_RANGE
    assert done.quality.tolist() == [0, 0, outside, outside]


def test_an_open_span() -> None:
    done = scaling((1, 0), valid=Span(low=0)).apply(Batch.of([0, 0, 0], 1, [1e300, -1, math.inf]))
    assert done.quality.tolist() == [0, Quality.UNCERTAIN_RANGE, Quality.BAD_NOT_A_NUMBER]


def test_any_choice_of_points_in_any_order() -> None:
    three = scaling((1, 0), (10, 0), (100, 0))
    for chosen in ([2], [0, 2, 0], [], [1, 0], [2]):
        done = three.apply(Batch.of(chosen, 1, [1.0] * len(chosen)))
        assert done.point.tolist() == [100 + point for point in chosen]
        assert done.value.tolist() == [10.0**point for point in chosen]


@pytest.mark.parametrize("point", [-1, 3])
def test_a_foreign_point_is_refused(point: int) -> None:
    three = scaling((1, 0), (1, 0), (1, 0))
    with pytest.raises(BatchError, match="but has only 3"):
        three.apply(Batch.of([0, point], 1, [1, 1]))


@given(
    st.floats(1e-6, 1e6) | st.sampled_from([0.1, 0.01, -0.001, 1.0, 10.0]),
    st.floats(-1e6, 1e6),
    st.integers(-(2**31), 2**31),
)
def test_undo_is_the_way_back(scale: float, offset: float, raw: int) -> None:
    one = scaling((scale, offset))
    value = float(one.apply(Batch.of([0], 1, [raw])).value[0])
    slack = 1e-9 * (abs(raw) + abs(offset / scale)) + 1e-9
    assert one.undo(0, value) == pytest.approx(raw, abs=slack)


def test_undo_of_no_number() -> None:
    assert math.isnan(scaling((0.1, 5)).undo(0, math.nan))
    assert math.isinf(scaling((0.1, 5)).undo(0, math.inf))


def test_columns_that_do_not_fit() -> None:
    point = Point(id="gw/dev/p")
    one, number = np.ones(1), np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="1 points, but 1 numbers, 2 scales and 1 offsets"):
        Scaling([point], number, np.ones(2), one)
    for scale in (0.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="a scale must be finite and not zero"):
            Scaling([point], number, np.array([scale]), one)
