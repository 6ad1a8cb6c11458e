"""Group commit: acknowledged after fsync, each entry once, whatever the disk says."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from citytwin import Batch
from citytwin_hub import committer as module
from citytwin_hub.committer import Committer, Waiting
from citytwin_hub.history.parquet import ParquetHistory
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.journal.segments import SegmentJournal
from citytwin_hub.readers import Entry, Readers
from citytwin_hub.twin import Twin
from citytwin_protos.codec import pack
from tests.waiting import until

NOW = 1_767_225_600 * 10**9
STREAM = b"s" * 16


class Desk:
    """A committer on real files, and who was told what."""

    def __init__(self, folder, has_room=lambda: True):
        self.folder, self.told = folder, []
        self.journal = SegmentJournal(folder / "journal")
        self.history = ParquetHistory(folder / "history")
        self.twin = Twin()
        self.readers = Readers(self.journal, self.twin, self.history, None)
        self.executor = ThreadPoolExecutor(1)
        self.committer = Committer(self.journal, self.readers, self.executor, has_room)

    async def put(self, number, stream=STREAM):
        batch = Batch.of([1], NOW + number, [float(number)])
        record = Record(RecordKind.TELEMETRY, stream, number, NOW, "g", pack(batch))
        await self.committer.put(Waiting(Entry(record, batch), self.told.append))

    def durable(self):
        """What a hub that starts now finds."""
        again = SegmentJournal(self.folder / "journal")
        try:
            return [record.number for _, record in again.read(0)]
        finally:
            again.close()


@pytest.fixture
async def desk(tmp_path):
    desk = Desk(tmp_path)
    running = asyncio.ensure_future(desk.committer.run())
    yield desk
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    desk.executor.shutdown()
    desk.journal.close()


async def test_nothing_is_told_before_it_is_on_disk(desk, monkeypatch):
    """At the very moment of telling, the file has been synced and holds it."""
    synced, real = [], os.fdatasync

    def fdatasync(file):
        real(file)
        synced.append(desk.durable())

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    heard = []

    class Told(list):
        def append(self, number):
            heard.append((number, list(synced[-1]) if synced else []))
            super().append(number)

    desk.told = Told()
    for number in range(1, 40):
        await desk.put(number)
    await until(lambda: len(desk.told) == 39, "39 to be told")
    assert [number for number, _ in heard] == list(range(1, 40))
    assert all(number in on_disk for number, on_disk in heard)
    assert desk.committer.groups < 39, "what came meanwhile went together"


async def test_what_comes_again_is_told_and_kept_once(desk):
    for number in (1, 2, 2, 1, 3, 3):
        await desk.put(number)
    await desk.put(1, b"t" * 16)
    await until(lambda: len(desk.told) == 7, "7 to be told")
    assert desk.durable() == [1, 2, 3, 1]
    assert desk.committer.repeated == 3
    await desk.put(3)
    await until(lambda: len(desk.told) == 8, "8 to be told")
    assert desk.committer.repeated == 4
    assert desk.history.recent_samples == 4


async def test_a_disk_that_refuses_is_tried_again_and_nothing_is_told_meanwhile(
    desk, monkeypatch, capsys
):
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    monkeypatch.setattr(module, "TOLD_EVERY", 3)
    real, refuse = os.fdatasync, True

    def fdatasync(file):
        if refuse:
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    await desk.put(1)
    await until(lambda: desk.committer.failures > 3, "refusals")
    await desk.put(2)
    assert desk.told == []
    assert desk.durable() == []
    refuse = False
    await until(lambda: desk.told == [1, 2], "all to be told")
    assert desk.durable() == [1, 2]
    assert desk.twin.read([1]).value.tolist() == [2.0]
    said, refusals = capsys.readouterr().out, desk.committer.failures
    assert said.count("journal.append_failed") == -(-refusals // 3)
    assert said.count("journal.goes_on") == 1


async def test_the_queue_has_a_limit_and_who_waits_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_MAX", 5)
    desk = Desk(tmp_path)
    for number in range(1, 6):
        await desk.put(number)
    sixth = asyncio.ensure_future(desk.put(6))
    done, _ = await asyncio.wait({sixth}, timeout=0.1)
    assert not done, "a gateway waits"
    running = asyncio.ensure_future(desk.committer.run())
    await asyncio.wait_for(sixth, 10)
    await until(lambda: desk.told == [1, 2, 3, 4, 5, 6], "all to be told")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_nothing_is_taken_while_history_cannot_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    room = False
    desk = Desk(tmp_path, lambda: room)
    running = asyncio.ensure_future(desk.committer.run())
    await desk.put(1)
    await until(lambda: desk.committer.failures > 2, "refusals")
    assert desk.told == []
    assert "journal.held" in capsys.readouterr().out
    room = True
    await until(lambda: desk.told == [1], "all to be told")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
