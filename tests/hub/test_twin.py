"""Twin: newest wins by time, late and wrong clocks cannot hold a point, changes are told."""

import numpy as np
import pytest

from citytwin import Batch
from citytwin.errors import StoreError
from citytwin_hub.twin import Twin

NOW = 1_767_225_600 * 10**9
HOUR = 3600 * 10**9


def test_late_samples_never_overwrite():
    twin = Twin()
    twin.apply(Batch.of([1, 2], [NOW, NOW], [1.0, 2.0]), NOW)
    twin.apply(Batch.of([1, 2], [NOW - 1, NOW + 1], [9.0, 3.0]), NOW + 2)
    assert twin.read([1, 2]).value.tolist() == [1.0, 3.0]


def test_of_several_samples_in_a_batch_the_newest_stays():
    twin = Twin()
    twin.apply(Batch.of([5, 5, 4, 5], [NOW, NOW + 2, NOW, NOW + 1], [1, 2, 3, 4]), NOW + 5)
    latest = twin.read()
    assert latest.row.tolist() == [4, 5]
    assert latest.value.tolist() == [3, 2]


def test_a_stamp_from_the_future_does_not_hold_the_point():
    twin = Twin()
    twin.apply(Batch.of([0], NOW + HOUR, [1.0]), NOW)
    twin.apply(Batch.of([0], NOW + 10**9, [2.0]), NOW + 10**9)
    assert twin.read([0]).value.tolist() == [2.0]


@pytest.mark.parametrize("rows", [[0, 1], [1, 0]])
def test_a_hub_whose_clock_was_set_back_goes_on(rows):
    twin = Twin()
    twin.apply(Batch.of(rows, NOW + HOUR, [1.0, 1.0]), NOW + HOUR)
    twin.apply(Batch.of(rows, NOW - 10**6, [2.0, 2.0]), NOW)
    assert twin.read([0, 1]).value.tolist() == [2.0, 2.0]
    twin.apply(Batch.of(rows, NOW - 10**9, [3.0, 3.0]), NOW + 1)
    assert twin.read([0, 1]).value.tolist() == [2.0, 2.0]


def test_changes_are_told_once():
    twin = Twin()
    rows, version = twin.changed_since(0)
    assert not len(rows)
    twin.apply(Batch.of([3], NOW, [1.0]), NOW)
    twin.apply(Batch.of([7], NOW, [1.0]), NOW)
    rows, version = twin.changed_since(version)
    assert rows.tolist() == [3, 7]
    twin.apply(Batch.of([7], NOW - 1, [1.0]), NOW)
    assert not len(twin.changed_since(version)[0])


def test_rows_without_samples_and_limits():
    twin = Twin(points_max=10)
    assert twin.read([2]).time_ns.tolist() == [0]
    with pytest.raises(StoreError, match="10 points"):
        twin.apply(Batch.of([10], NOW, [1.0]), NOW)


def test_snapshot_comes_back(tmp_path):
    twin, path = Twin(), tmp_path / "twin.snapshot"
    twin.apply(Batch.of([1, 900], NOW, [1.0, np.nan], [0, 0x81]), NOW + 5)
    twin.save(path, 77)
    again = Twin()
    assert again.load(path) == 77
    assert np.array_equal(again.read().value, [1.0, np.nan], equal_nan=True)
    assert again.read([900]).received_ns.tolist() == [NOW + 5]
    again.apply(Batch.of([1], NOW - 1, [2.0]), NOW)
    assert again.read([1]).value.tolist() == [1.0]
    assert Twin().load(tmp_path / "none") == 0
    whole = path.read_bytes()
    for cut in (1, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        fresh = Twin()
        with pytest.raises(StoreError, match="snapshot"):
            fresh.load(path)
        assert not len(fresh.read().row), "nothing of it was taken"
    path.write_bytes(b"junk")
    with pytest.raises(StoreError, match="snapshot"):
        Twin().load(path)


def test_a_snapshot_that_cannot_be_written_leaves_the_old_one(tmp_path):
    twin, path = Twin(), tmp_path / "twin.snapshot"
    twin.apply(Batch.of([1], NOW, [1.0]), NOW)
    twin.save(path, 5)
    save = twin.saving(path, 6)
    twin.apply(Batch.of([1], NOW + 1, [2.0]), NOW + 1)
    (tmp_path / "twin.snapshot.partial").mkdir()
    with pytest.raises(StoreError, match="cannot be saved"):
        save()
    assert Twin().load(path) == 5
    (tmp_path / "twin.snapshot.partial").rmdir()
    save()
    again = Twin()
    assert again.load(path) == 6
    assert again.read([1]).value.tolist() == [1.0], "as it was when it was asked to be saved"
