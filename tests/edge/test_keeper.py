"""The keeper: each entry is written once, whatever is refused, cancelled or asked for at once."""

import asyncio

import pytest
from structlog.testing import capture_logs

from citytwin.errors import StoreError, StoreFull
from citytwin_edge.keeper import APPEND_ENTRIES_MAX, Keeper
from citytwin_edge.outbox import EntryKind, NewEntry, Outbox

T, A = EntryKind.TELEMETRY, EntryKind.ALARM


class Disk:
    """An outbox behind a disk that the test can slow down or break."""

    def __init__(self, folder):
        self.outbox = Outbox(folder / "outbox.db", size_bytes_max=1 << 20)
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.calls = 0

    async def __call__(self, call, *arguments):
        self.calls += 1
        self.begun.set()
        # As a thread does it: once begun, it goes on whether or not somebody still waits.
        return await asyncio.shield(asyncio.ensure_future(self._work(call, arguments)))

    async def _work(self, call, arguments):
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return call(*arguments)

    def bodies(self):
        return [entry.body for entry in self.outbox.pending(0, 10_000)]


def entries(*names, kind=T):
    return [NewEntry(kind, name.encode(), 10) for name in names]


async def test_entries_are_written_in_order_with_the_states_of_kernels(tmp_path):
    disk = Disk(tmp_path)
    keeper = Keeper(disk.outbox, disk)
    assert await keeper.keep(entries("a", "b"), {"rules": b"state"})
    assert disk.bodies() == [b"a", b"b"]
    assert disk.outbox.snapshots() == {"rules": b"state"}
    assert (keeper.accepted_samples, keeper.held_bytes, disk.calls) == (20, 0, 1)
    assert not await keeper.keep([])
    assert disk.calls == 1
    assert await keeper.keep([], {"rules": b"later"})
    assert disk.outbox.snapshots() == {"rules": b"later"}


async def test_two_at_once_write_nothing_twice(tmp_path):
    disk = Disk(tmp_path)
    keeper = Keeper(disk.outbox, disk)
    disk.gate.clear()
    both = asyncio.gather(keeper.keep(entries("a")), keeper.keep(entries("b")))
    await disk.begun.wait()
    disk.gate.set()
    await both
    assert disk.bodies() == [b"a", b"b"]


async def test_a_caller_that_is_cancelled_leaves_nothing_to_be_written_twice(tmp_path):
    disk = Disk(tmp_path)
    keeper = Keeper(disk.outbox, disk)
    disk.gate.clear()
    first = asyncio.create_task(keeper.keep(entries("a")))
    await disk.begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    last = asyncio.create_task(keeper.keep(entries("b")))
    await asyncio.sleep(0)
    disk.gate.set()
    await last
    assert disk.bodies() == [b"a", b"b"]
    assert keeper.accepted_samples == 20


@pytest.mark.parametrize("error", [StoreError("disk I/O error"), StoreFull("full of alarms")])
async def test_what_the_disk_refuses_waits_in_memory(tmp_path, error):
    disk = Disk(tmp_path)
    keeper = Keeper(disk.outbox, disk)
    disk.error = error
    with capture_logs() as logs:
        for name in "abc":
            assert not await keeper.keep(entries(name))
        assert keeper.held_bytes == 3
        disk.error = None
        assert await keeper.keep(entries("d"))
    assert disk.bodies() == [b"a", b"b", b"c", b"d"]
    assert (keeper.accepted_samples, keeper.dropped_samples, keeper.held_bytes) == (40, 0, 0)
    assert [log["event"] for log in logs] == ["outbox.refuses", "outbox.takes_again"]


async def test_when_memory_is_full_too_the_oldest_telemetry_goes_counted(tmp_path):
    disk = Disk(tmp_path)
    keeper = Keeper(disk.outbox, disk, held_bytes_max=5)
    disk.error = StoreError("disk I/O error")
    await keeper.keep(entries("A", kind=A))
    await keeper.keep(entries("O", kind=EntryKind.OUTCOME))
    with capture_logs() as logs:
        for name in "abcdef":
            await keeper.keep(entries(name))
    assert keeper.dropped_samples == 30
    assert [log["in_all"] for log in logs if log["event"] == "outbox.samples_lost"] == [10, 20, 30]
    disk.error = None
    await keeper.keep([])
    assert disk.bodies() == [b"A", b"O", b"d", b"e", b"f"]
    assert keeper.held_bytes == 0


async def test_even_alarms_are_bounded(tmp_path):
    disk = Disk(tmp_path)
    keeper = Keeper(disk.outbox, disk, held_bytes_max=2)
    disk.error = StoreError("disk I/O error")
    for name in "ABC":
        await keeper.keep(entries(name, kind=A))
    disk.error = None
    await keeper.keep([])
    assert disk.bodies() == [b"B", b"C"]


async def test_much_that_has_waited_is_written_in_parts(tmp_path):
    disk = Disk(tmp_path)
    keeper = Keeper(disk.outbox, disk)
    names = [f"{n:03}" for n in range(2 * APPEND_ENTRIES_MAX + 1)]
    await keeper.keep(entries(*names))
    assert disk.calls == 3
    assert disk.bodies() == [name.encode() for name in names]
