"""History in Parquet keeps the contract over restarts, merges and crashes at any step."""

import numpy as np
import pytest

from citytwin import Batch, Block
from citytwin.errors import StoreError
from citytwin.testing import check_history
from citytwin_hub.history import parquet
from citytwin_hub.history.parquet import DAY_NS, ParquetHistory

NOW_NS = 1_767_225_600 * 10**9


def block(number, points=10, day=0):
    times = NOW_NS + day * DAY_NS + number * 10**9 + np.arange(points)
    return Block(
        b"s" * 16, number, NOW_NS, Batch.of(np.arange(points), times, np.arange(points) + number)
    )


def test_contract(tmp_path):
    check_history(lambda: ParquetHistory(tmp_path, lambda row: f"g{row % 2}"))


def test_many_flushes_are_merged_and_nothing_changes(tmp_path):
    history = ParquetHistory(tmp_path)
    for number in range(1, 40):
        history.append([block(number)])
        history.flush(number)
    assert len(list(tmp_path.glob("*.parquet"))) < parquet.MERGE_FILES
    seen = history.read(range(10), 0, 2**62, samples_max=1000)
    assert len(seen) == 390
    assert history.position == 39
    assert (np.diff(seen.time_ns[seen.point == 3]) == 10**9).all()


@pytest.mark.parametrize("step", ["_write_file", "_write_manifest", "_sweep"])
def test_a_crash_at_any_step_neither_loses_nor_repeats(tmp_path, monkeypatch, step):
    history = ParquetHistory(tmp_path)
    history.append([block(1)])
    history.flush(1)
    history.append([block(2), block(3, day=1)])

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ParquetHistory, step, crash)
        history.flush(3)
    again = ParquetHistory(tmp_path)
    # The journal gives everything behind the position once more.
    again.append([block(number, day=number == 3) for number in range(1, 4)])
    again.flush(3)
    seen = again.read(range(10), 0, 2**62, samples_max=1000)
    assert len(seen) == 30
    assert (
        len({(p, t) for p, t in zip(seen.point.tolist(), seen.time_ns.tolist(), strict=True)}) == 30
    )


def test_a_failed_write_loses_nothing_from_memory(tmp_path, monkeypatch):
    history = ParquetHistory(tmp_path)
    history.append([block(1)])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(parquet, "_sync", full)
        with pytest.raises(StoreError, match="No space left"):
            history.flush(1)
    assert len(history.read(range(10), 0, 2**62, samples_max=100)) == 10
    history.flush(1)
    assert len(ParquetHistory(tmp_path).read(range(10), 0, 2**62, samples_max=100)) == 10


def test_late_samples_of_another_day_are_found(tmp_path):
    history = ParquetHistory(tmp_path)
    history.append([block(1, day=5), block(2, day=0)])
    history.flush()
    history.append([block(3, day=2)])
    seen = history.read([4], NOW_NS, NOW_NS + 3 * DAY_NS, samples_max=10)
    assert seen.value.tolist() == [6.0, 7.0]
    assert not len(history.read([99], 0, 2**62, samples_max=10))
    assert not len(history.read([], 0, 2**62, samples_max=10))


def test_steps_have_limits(tmp_path):
    history = ParquetHistory(tmp_path)
    with pytest.raises(StoreError, match="longer"):
        history.aggregate([1], 0, 1, step_ns=0)
