"""Readers: what follows the journal. Twin and history take every record behind their own position.

While the hub runs, records are handed on from memory as soon as they are durable; after a crash
they are read from the journal again, and each reader drops what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from citytwin.batch import Batch
from citytwin.command import Outcome
from citytwin.errors import StoreError, WireError
from citytwin.history import Block, HistoryStore
from citytwin_hub.journal.contract import Journal, Record, RecordKind
from citytwin_hub.twin import Twin

_log = structlog.get_logger(__name__)


class Entry(NamedTuple):
    """A durable record with its samples already decoded; ``batch`` is empty for an outcome."""

    record: Record
    batch: Batch


Listener = Callable[[Entry], None]


class Readers:
    """Hands durable records to twin, history and listeners, in the journal's order.

    Called from one thread. A listener is quick and raises nothing; at a replay, and when the
    journal was read again, it sees records that it may know.
    """

    def __init__(
        self, journal: Journal, twin: Twin, history: HistoryStore, snapshot: Path | None
    ) -> None:
        """Follow ``journal``; the twin is saved to ``snapshot``."""
        self._journal = journal
        self._twin = twin
        self._history = history
        self._snapshot = snapshot
        self._listeners: list[Listener] = []
        self.position = 0

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` for every record from now on."""
        self._listeners.append(listener)

    def replay(self, history_position: int) -> int:
        """Bring twin and history up to the journal's end; return how many records were read.

        Raises:
            StoreError: the journal is damaged where it is needed, or cannot be written.
        """
        twin_position = 0
        if self._snapshot is not None:
            try:
                twin_position = self._twin.load(self._snapshot)
            except StoreError as error:
                _log.warning("twin.snapshot_unusable", reason=str(error))
        known, count, behind = max(history_position, twin_position), 0, False
        if self._journal.end < known:
            # Another journal than the one they followed: all that it has is new to them, and what
            # comes must lie behind what they know. History drops what it has by number.
            _log.error("journal.behind", end=self._journal.end, known=known)
            behind = True
            history_position = twin_position = 0
        self.position = known
        for position, record in self._journal.read(min(history_position, twin_position)):
            entry = entry_of(record)
            if entry is not None:
                if position > twin_position:
                    self._twin.apply(entry.batch, record.received_ns)
                if position > history_position:
                    self._history.append(_blocks([entry]))
                for listener in self._listeners:
                    listener(entry)
            self.position = max(self.position, position)
            count += 1
        if behind:
            self._history.flush()  # a crash must not need these records again: they lie too low
        self._journal.skip(known)
        return count

    def take(self, entries: Sequence[Entry], position: int) -> None:
        """Hand on records that have just become durable up to ``position``."""
        self._history.append(_blocks(entries))
        for entry in entries:
            self._twin.apply(entry.batch, entry.record.received_ns)
        self.position = position
        for listener in self._listeners:
            for entry in entries:
                listener(entry)

    def saving(self) -> Callable[[], None]:
        """Return what saves the twin as it is now with its position, to be called on any thread.

        It raises StoreError when that cannot be written; the last snapshot stays.
        """
        if self._snapshot is None:
            return lambda: None
        return self._twin.saving(self._snapshot, self.position)


def entry_of(record: Record) -> Entry | None:
    """Return a record with its samples; None, logged, for one that this version cannot read."""
    if record.kind == RecordKind.OUTCOME:
        return Entry(record, Batch.empty())
    try:
        return Entry(record, record.batch())
    except WireError as error:
        _log.error(
            "journal.unreadable", gateway=record.gateway, number=record.number, why=str(error)
        )
        return None


def outcome_of(entry: Entry) -> Outcome | None:
    """Return what a record says of a command; None when it says nothing readable."""
    if entry.record.kind != RecordKind.OUTCOME:
        return None
    try:
        return entry.record.outcome()
    except WireError as error:
        _log.error("journal.unreadable", gateway=entry.record.gateway, why=str(error))
        return None


def _blocks(entries: Sequence[Entry]) -> list[Block]:
    return [
        Block(entry.record.stream, entry.record.number, entry.record.received_ns, entry.batch)
        for entry in entries
        if len(entry.batch)
    ]
