"""Keeper: brings entries into the outbox; what the disk will not take waits in memory, bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import structlog

from citytwin.errors import StoreError
from citytwin_edge.gateway import MIB
from citytwin_edge.outbox import EntryKind, NewEntry, Outbox
from citytwin_edge.uplink import Disk

HELD_BYTES_MAX: Final = 32 * MIB
"""What the disk refuses waits up to here: hours, at a kilobyte a second."""
APPEND_ENTRIES_MAX: Final = 64
"""In one transaction: when much has waited, a part of it is kept before all of it could be."""

_log = structlog.get_logger(__name__)


class Keeper:
    """The one way into the outbox; belongs to the event loop.

    Attributes:
        accepted_samples: how many the outbox has taken.
        dropped_samples: how many were lost because neither disk nor memory had room.
    """

    def __init__(self, outbox: Outbox, disk: Disk, *, held_bytes_max: int = HELD_BYTES_MAX) -> None:
        """Append to ``outbox`` through ``disk``."""
        self._outbox, self._disk, self._held_bytes_max = outbox, disk, held_bytes_max
        self._held: deque[NewEntry] = deque()
        self._held_bytes = 0
        self._turn = asyncio.Lock()
        self._appending: set[asyncio.Future[bool]] = set()
        self._trouble = ""
        self.accepted_samples = 0
        self.dropped_samples = 0

    @property
    def held_bytes(self) -> int:
        """How much waits in memory."""
        return self._held_bytes

    async def keep(
        self, entries: Iterable[NewEntry], snapshots: Mapping[str, bytes] | None = None
    ) -> bool:
        """Append entries after those that wait; return whether anything was written.

        Never raises StoreError: what cannot be written waits for the next call. Two calls at once
        take turns. ``snapshots`` that cannot be written are left to a later call of the caller's.
        """
        for entry in entries:
            self._held.append(entry)
            self._held_bytes += len(entry.body)
        if not self._held and not snapshots:
            return False
        # A caller that is cancelled must not leave entries both written and waiting: the append
        # goes on to its end, and whoever keeps next waits for its turn.
        appending = asyncio.ensure_future(self._in_turn(snapshots))
        self._appending.add(appending)
        appending.add_done_callback(self._appending.discard)
        return await asyncio.shield(appending)

    async def _in_turn(self, snapshots: Mapping[str, bytes] | None) -> bool:
        async with self._turn:
            return await self._append(snapshots)

    async def _append(self, snapshots: Mapping[str, bytes] | None) -> bool:
        written = False
        try:
            while self._held or snapshots:
                part = [self._held[n] for n in range(min(len(self._held), APPEND_ENTRIES_MAX))]
                await self._disk(self._outbox.append_many, part, snapshots)
                written, snapshots = True, None
                for entry in part:
                    self._held.popleft()
                    self._held_bytes -= len(entry.body)
                    self.accepted_samples += entry.samples
        except StoreError as error:
            self._refused(str(error))
            return written
        if self._trouble:
            _log.info("outbox.takes_again", dropped_samples=self.dropped_samples)
            self._trouble = ""
        return written

    def _refused(self, reason: str) -> None:
        if reason != self._trouble:
            _log.error("outbox.refuses", reason=reason, held_entries=len(self._held))
            self._trouble = reason
        if self._held_bytes > self._held_bytes_max:
            self._drop_surplus()

    def _drop_surplus(self) -> None:
        """Drop the oldest telemetry, and only when there is none left the oldest of the rest."""
        lost = 0
        for spared in ({EntryKind.ALARM, EntryKind.OUTCOME}, set[EntryKind]()):
            stays: deque[NewEntry] = deque()
            for entry in self._held:
                if self._held_bytes <= self._held_bytes_max or entry.kind in spared:
                    stays.append(entry)
                else:
                    self._held_bytes -= len(entry.body)
                    lost += max(entry.samples, 1)
            self._held = stays
        self.dropped_samples += lost
        _log.error("outbox.samples_lost", samples=lost, in_all=self.dropped_samples)
