"""Kernels' state: what was saved is what is loaded, anything else is refused whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import MalformedError
from citytwin_edge.kernels.state import carried, load, rounds, save


def columns(count: int = 3) -> dict[str, Any]:
    return {"value": np.arange(count, dtype=np.float64), "time": np.arange(count, dtype=np.int64)}


def test_what_was_saved_is_what_is_loaded() -> None:
    saved = columns()
    saved["value"][1] = np.nan
    empty = {"value": np.zeros(3), "time": np.zeros(3, np.int64)}
    kept = dict(empty)
    load(save("k", 2, saved), "k", 2, empty)
    for name, column in saved.items():
        assert np.array_equal(empty[name], column, equal_nan=True)
        assert empty[name] is kept[name], "filled in place"
    empty["value"][0] = 9.0  # and still one's own


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (save("other", 2, columns()), "not a snapshot of k, version 2"),
        (save("k", 1, columns()), "not a snapshot of k, version 2"),
        (save("k", 2, {"value": np.zeros(3)}), "not a snapshot of k"),
        (save("k", 2, columns(4)), "of other points"),
        (save("k", 2, columns() | {"time": np.zeros(3)}), "of other points"),
        (b"", "not a snapshot of k"),
        (b"\xc1" * 10, "not a snapshot of k"),
        (b"\x91" * 100_000, "not a snapshot of k"),
    ],
)
def test_what_is_foreign_changes_nothing(state: bytes, says: str) -> None:
    mine = columns()
    with pytest.raises(MalformedError, match=says):
        load(state, "k", 2, mine)
    for name, column in columns().items():
        assert np.array_equal(mine[name], column)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_mutilated_bytes_are_refused_or_loaded_whole(garbage: bytes, place: int) -> None:
    whole = save("k", 2, columns())
    for state in (garbage, whole[:place], whole[:place] + garbage + whole[place + len(garbage) :]):
        if state == whole:
            continue
        mine = columns()
        try:
            load(state, "k", 2, mine)
        except MalformedError:
            assert all(np.array_equal(mine[name], column) for name, column in columns().items())


@given(st.lists(st.integers(0, 6), max_size=60))
def test_rounds_have_every_sample_once_in_the_order_of_its_point(point: list[int]) -> None:
    made = rounds(np.array(point, np.int32))
    assert sorted(row for rows in made for row in rows.tolist()) == list(range(len(point)))
    seen: dict[int, int] = {}
    for rows in made:
        points = [point[row] for row in rows]
        assert len(set(points)) == len(points), "every point once in a round"
        for row in rows.tolist():
            assert seen.get(point[row], -1) < row
            seen[point[row]] = row
    assert len(made) == max((point.count(one) for one in point), default=0)


def test_the_state_of_points_goes_to_other_rows() -> None:
    old, new = save("k", 2, columns(3)), save("k", 2, {k: v + 10 for k, v in columns(4).items()})
    rows = np.array([[0, 3], [2, 0]])
    mine = columns(4)
    load(carried(old, new, rows), "k", 2, mine)
    assert mine["value"].tolist() == [2.0, 11.0, 12.0, 0.0]
    assert mine["time"].tolist() == [2, 11, 12, 0]
    none = np.zeros((0, 2), np.intp)
    assert carried(old, new, none) == new


@pytest.mark.parametrize(
    ("old", "rows"),
    [
        (save("other", 2, columns()), [[0, 0]]),
        (save("k", 1, columns()), [[0, 0]]),
        (save("k", 2, {"value": np.zeros(3)}), [[0, 0]]),
        (save("k", 2, columns() | {"time": np.zeros(3)}), [[0, 0]]),
        (save("k", 2, columns()), [[3, 0]]),
        (save("k", 2, columns()), [[0, 3]]),
        (b"\xc1" * 10, [[0, 0]]),
    ],
)
def test_state_that_does_not_fit_is_not_carried(old: bytes, rows: list[list[int]]) -> None:
    with pytest.raises(MalformedError):
        carried(old, save("k", 2, columns()), np.array(rows))
