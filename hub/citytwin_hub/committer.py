"""Committer: collects what all gateways sent, makes it durable in one go, and lets it be known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, NamedTuple

import structlog

from citytwin.errors import StoreError
from citytwin_hub.journal.contract import Journal
from citytwin_hub.readers import Entry, Readers

QUEUE_MAX: Final = 4096
"""Entries that wait to be durable; gateways wait when it is full."""
GROUP_MAX: Final = 1024
RETRY_S: Final = 1.0
"""After the disk refused: gateways keep what is not acknowledged, so waiting loses nothing."""

_log = structlog.get_logger(__name__)


class Waiting(NamedTuple):
    """An entry on its way into the journal; ``done`` is called when it is durable."""

    entry: Entry
    done: Callable[[int], None]


class Committer:
    """Group commit: one append for whatever has come meanwhile."""

    def __init__(
        self,
        journal: Journal,
        readers: Readers,
        executor: Executor | None,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        """Append on ``executor`` (one thread), hand on to ``readers`` on the loop.

        Nothing is taken while ``has_room`` says no: then the readers cannot write what they have.
        """
        self._journal = journal
        self._readers = readers
        self._executor = executor
        self._has_room = has_room
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(maxsize=QUEUE_MAX)
        self.repeated = 0
        self.groups = 0
        self.failures = 0

    async def put(self, waiting: Waiting) -> None:
        """Queue an entry; waits while the queue is full."""
        await self._queue.put(waiting)

    async def run(self) -> None:
        """Commit for ever."""
        while True:
            if not self._has_room():
                await self._held()
                continue
            group = [await self._queue.get()]
            while len(group) < GROUP_MAX and not self._queue.empty():
                group.append(self._queue.get_nowait())
            await self._commit(group)

    async def _held(self) -> None:
        self.failures += 1
        _log.error("journal.held", reason="history cannot be written; gateways keep their samples")
        await asyncio.sleep(RETRY_S)

    async def _commit(self, group: list[Waiting]) -> None:
        fresh = self._without_repeats(group)
        if fresh:
            position = await self._append([waiting.entry for waiting in fresh])
            self._readers.take([waiting.entry for waiting in fresh], position)
            self.groups += 1
        for waiting in group:
            waiting.done(waiting.entry.record.number)

    def _without_repeats(self, group: list[Waiting]) -> list[Waiting]:
        """Drop what is in the journal already.

        An entry may come again over a new line while the one from the old line still waits here.
        """
        heads: dict[bytes, int] = {}
        fresh = []
        for waiting in group:
            stream, number = waiting.entry.record.stream, waiting.entry.record.number
            head = heads.get(stream) or self._journal.durable_through(stream)
            if number > head:
                heads[stream] = number
                fresh.append(waiting)
            else:
                self.repeated += 1
        return fresh

    async def _append(self, entries: list[Entry]) -> int:
        loop = asyncio.get_running_loop()
        records = [entry.record for entry in entries]
        while True:
            try:
                return await loop.run_in_executor(self._executor, self._journal.append, records)
            except StoreError as error:
                self.failures += 1
                _log.error("journal.append_failed", reason=str(error), entries=len(entries))
                await asyncio.sleep(RETRY_S)
