"""History in Parquet keeps the contract over restarts, merges and crashes at any step."""

import numpy as np
import pytest

from citytwin import Batch, Block
from citytwin.errors import StoreError, StoreLimit
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
        patch.setattr(parquet, "sync", full)
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


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def everything(history):
    return history.read(range(10), 0, 2**62, samples_max=10**6)


def test_compaction_again_changes_nothing(tmp_path):
    history = ParquetHistory(tmp_path)
    for number in range(1, 9):
        history.append([block(number)])
        history.flush(number)
    seen, files = everything(history), files_of(tmp_path)
    assert len(files) == 1
    for _ in range(3):
        history.flush(8)
        history.append([block(8)])
    assert files_of(tmp_path) == files
    history.close()
    again = ParquetHistory(tmp_path)
    again.append([block(number) for number in range(1, 9)])
    again.flush(8)
    assert files_of(tmp_path) == files
    assert everything(again) == seen


@pytest.mark.parametrize("step", ["_write_file", "_write_manifest", "_sweep"])
def test_a_crash_in_the_middle_of_a_compaction(tmp_path, monkeypatch, step):
    history = ParquetHistory(tmp_path)
    for number in range(1, 8):
        history.append([block(number)])
        history.flush(number)
    history.append([block(8)])
    real, calls = getattr(ParquetHistory, step), []

    def crash(self, *given):
        calls.append(given)
        # The first file that is written is the new samples', the second the merged one.
        if step != "_write_file" or len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, *given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ParquetHistory, step, crash)
        history.flush(8)
    again = ParquetHistory(tmp_path)
    again.append([block(number) for number in range(again.position + 1, 9)])
    assert len(everything(again)) == 80
    again.flush(8)
    assert len(everything(ParquetHistory(tmp_path))) == 80
    named = {file.name for file in again._manifest.files}
    assert set(files_of(tmp_path)) == named, "nothing is left over"


def test_large_files_are_merged_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MERGE_SAMPLES_MAX", 100)
    history, most = ParquetHistory(tmp_path), 0
    real = ParquetHistory._write_file

    def watched(self, batch, group):
        nonlocal most
        most = max(most, len(batch))
        return real(self, batch, group)

    monkeypatch.setattr(ParquetHistory, "_write_file", watched)
    for number in range(1, 200):
        history.append([block(number)])
        history.flush(number)
    assert most <= 100 * parquet.MERGE_FILES
    assert len(files_of(tmp_path)) <= 1990 / 100 + parquet.MERGE_FILES
    assert len(everything(history)) == 1990


def test_a_damaged_file_is_named_and_new_samples_go_on_to_disk(tmp_path, capsys):
    history = ParquetHistory(tmp_path)
    history.append([block(1)])
    history.flush(1)
    (path,) = tmp_path.glob("*.parquet")
    path.write_bytes(b"junk")
    for number in range(2, 12):
        history.append([block(number)])
        history.flush(number)
    assert history.recent_samples == 0
    assert "history.merge_failed" in capsys.readouterr().out
    with pytest.raises(StoreError, match=path.name):
        everything(history)


def test_files_without_their_manifest_are_not_swept_away(tmp_path):
    history = ParquetHistory(tmp_path)
    history.append([block(1)])
    history.close()
    kept = files_of(tmp_path)
    manifest = tmp_path / "manifest.json"
    good = manifest.read_bytes()
    manifest.unlink()
    with pytest.raises(StoreError, match=r"manifest\.json is missing; restore"):
        ParquetHistory(tmp_path)
    manifest.write_bytes(good[:20])
    with pytest.raises(StoreError, match=r"manifest\.json is damaged .*; restore"):
        ParquetHistory(tmp_path)
    assert files_of(tmp_path) == kept
    manifest.write_bytes(good)
    assert len(everything(ParquetHistory(tmp_path))) == 10


def test_what_waits_in_memory_is_counted(tmp_path, monkeypatch):
    history = ParquetHistory(tmp_path)
    history.append([block(1), block(1), block(2)])
    assert history.recent_samples == 20
    history.flush(2)
    assert history.recent_samples == 0


def test_too_much_is_told_from_what_cannot_be_read(tmp_path):
    history = ParquetHistory(tmp_path)
    history.append([block(1)])
    with pytest.raises(StoreLimit, match="more than 9 samples"):
        history.read(range(10), 0, 2**62, samples_max=9)
