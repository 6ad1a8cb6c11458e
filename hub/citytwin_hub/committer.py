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
TOLD_EVERY: Final = 60
"""So many refusals on end make one line in the log: a full disk must not fill with them."""

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
        self._refusals = 0

    async def put(self, waiting: Waiting) -> None:
        """Queue an entry; waits while the queue is full."""
        await self._queue.put(waiting)

    async def run(self) -> None:
        """Commit for ever."""
        while True:
            if not self._has_room():
                reason = "history cannot be written; gateways keep their samples"
                await self._refused("journal.held", reason)
                continue
            group = [await self._queue.get()]
            while len(group) < GROUP_MAX and not self._queue.empty():
                group.append(self._queue.get_nowait())
            await self._commit(group)

    async def _refused(self, event: str, reason: str) -> None:
        if self._refusals % TOLD_EVERY == 0:
            _log.error(event, reason=reason, waiting=self._queue.qsize())
        self._refusals += 1
        self.failures += 1
        await asyncio.sleep(RETRY_S)

    async def _commit(self, group: list[Waiting]) -> None:
        fresh = self._without_repeats(group)
        if fresh:
            position = await self._append([waiting.entry for waiting in fresh])
            self._readers.take([waiting.entry for waiting in fresh], position)
            self.groups += 1
            if self._refusals:
                _log.info("journal.goes_on", refusals=self._refusals)
                self._refusals = 0
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
                await self._refused("journal.append_failed", str(error))
