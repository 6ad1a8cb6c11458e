"""Outbox: what the gateway has accepted and the hub has not yet, in one SQLite file.

An append that returned survives kill -9 and power cut (WAL, synchronous=FULL). Entries are numbered
by a counter that is never used again, also when everything was acknowledged or thinned. The file is
bounded: when it is full, telemetry is thinned oldest first and counted; alarms and outcomes stay.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from citytwin.errors import StoreError, StoreFull

SCHEMA: Final = 1
OLDEST_READER: Final = "oldest_reader"
"""A counter: the lowest schema whose agents may still read and write the file. A newer agent that
only adds tables or columns sets it, so that its predecessor can be put back in its place."""
BUSY_S_MAX: Final = 5.0
REFUSED_MAX: Final = 1000
ENTRY_OVERHEAD_BYTES: Final = 100
"""What SQLite adds to one blob: measured 88 bytes, rounded up."""
WAL_BYTES_MAX: Final = 4 * 1024 * 1024
THIN_TO: Final = 0.9
"""Thinning makes so much room at once that it is not needed at every append."""
LEVEL_MAX: Final = 6
NUMBER_MAX: Final = (1 << 63) - 1

_log = structlog.get_logger(__name__)

# AUTOINCREMENT: without it SQLite gives the number of a deleted entry again, and the hub would drop
# the new entry as a repeat.
TABLES: Final = """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, level INTEGER NOT NULL,
    samples INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX entries_thinning ON entries (kind, level, number);
CREATE TABLE refused (
    number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, samples INTEGER NOT NULL,
    reason TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE snapshots (name TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;
CREATE TABLE points (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, point BLOB NOT NULL
) STRICT;
CREATE TABLE texts (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
"""


class EntryKind(IntEnum):
    """What an entry's body is; the wire's numbers."""

    TELEMETRY = 1
    ALARM = 2
    OUTCOME = 3


class Entry(NamedTuple):
    """One entry: its number, kind, body (a block or an outcome) and how many samples it holds."""

    number: int
    kind: EntryKind
    body: bytes
    samples: int


class NewEntry(NamedTuple):
    """An entry that has no number yet."""

    kind: EntryKind
    body: bytes
    samples: int


class OutboxStats(NamedTuple):
    """What is in the outbox; ``thinned_samples`` and ``refused_entries`` since it was made."""

    entries: int
    bytes: int
    samples: int
    thinned_samples: int
    refused_entries: int
    oldest_number: int
    last_number: int


class Outbox:
    """One gateway's outbox. Synchronous; used by one thread at a time."""

    def __init__(self, path: Path, *, size_bytes_max: int) -> None:
        """Open or create.

        Args:
            path: the file; its folder is made.
            size_bytes_max: limit of all bodies with their overhead; the write-ahead log adds up
                to 4 MiB.

        Raises:
            StoreError: the file cannot be used, or a newer agent wrote it.
        """
        self._path, self.size_bytes_max = path, size_bytes_max
        with self._errors("opened"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA auto_vacuum = FULL")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
            self._migrate()
            self.stream = self._stream()
            self._bytes, self._samples, self._entries = self._measured()

    def connect(self) -> sqlite3.Connection:
        """Return a connection of its own for what lives in the same file (numbering).

        Two users of one connection would stand in each other's transactions.
        """
        with self._errors("opened"):
            connection = sqlite3.connect(self._path, timeout=BUSY_S_MAX, isolation_level=None)
            connection.execute("PRAGMA synchronous = FULL")
            return connection

    def append(self, kind: EntryKind, body: bytes, samples: int) -> int:
        """Keep one entry; return its number. See :meth:`append_many`."""
        return self.append_many([NewEntry(kind, body, samples)])[0]

    def append_many(
        self, entries: Sequence[NewEntry], snapshots: Mapping[str, bytes] | None = None
    ) -> list[int]:
        """Keep entries, and kernels' states with them, all or none; return their numbers.

        Raises:
            StoreFull: they do not fit, even when all telemetry is thinned away.
            StoreError: the disk refused; nothing of it was kept.
        """
        size = sum(len(entry.body) + ENTRY_OVERHEAD_BYTES for entry in entries)
        with self._errors("written"), self._transaction():
            if self._bytes + size > self.size_bytes_max:
                self._thin(size)
            numbers = [
                int(
                    self._db.execute(
                        "INSERT INTO entries (kind, level, samples, body) VALUES (?, 0, ?, ?)",
                        (int(entry.kind), entry.samples, entry.body),
                    ).lastrowid
                    or 0
                )
                for entry in entries
            ]
            self._db.executemany(
                "INSERT OR REPLACE INTO snapshots (name, state) VALUES (?, ?)",
                (snapshots or {}).items(),
            )
        self._bytes += size
        self._samples += sum(entry.samples for entry in entries)
        self._entries += len(entries)
        return numbers

    def pending(self, after: int, limit: int) -> list[Entry]:
        """Return the oldest entries with a number above ``after``, at most ``limit``."""
        with self._errors("read"):
            rows = self._db.execute(
                "SELECT number, kind, body, samples FROM entries WHERE number > ? "
                "ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        return [
            Entry(number, EntryKind(kind), body, samples) for number, kind, body, samples in rows
        ]

    def acknowledge(self, through: int) -> None:
        """Forget every entry up to a number: the hub has it."""
        with self._errors("written"), self._transaction():
            # Only what goes is counted: to count what stays would make a long backlog slow.
            size, samples, entries = self._measured(through)
            self._db.execute("DELETE FROM entries WHERE number <= ?", (through,))
        self._bytes -= size
        self._samples -= samples
        self._entries -= entries

    def begin_anew(self, durable_through: int) -> bool:
        """Begin a new stream if the hub has more of this one than was ever made here.

        Then the file was put back from an older copy, and numbers would be given a second time,
        which the hub takes for repeats. What waits goes on under the new stream, so that it may
        come twice, but nothing is lost. Returns whether it did.
        """
        with self._errors("written"), self._transaction():
            if durable_through <= self._last_number():
                return False
            self._db.execute("DELETE FROM counters WHERE name = 'stream'")
            self.stream = self._stream()
        return True

    def refuse(self, number: int, reason: str) -> None:
        """Set aside an entry that the hub will never store; the newest thousand are kept."""
        with self._errors("written"), self._transaction():
            moved = self._db.execute(
                "INSERT OR REPLACE INTO refused (number, kind, samples, reason, body) "
                "SELECT number, kind, samples, ?, body FROM entries WHERE number = ?",
                (reason, number),
            )
            self._count("refused", moved.rowcount)
            self._db.execute("DELETE FROM entries WHERE number = ?", (number,))
            self._db.execute(
                "DELETE FROM refused WHERE number NOT IN "
                "(SELECT number FROM refused ORDER BY number DESC LIMIT ?)",
                (REFUSED_MAX,),
            )
        self._bytes, self._samples, self._entries = self._measured()

    def snapshots(self) -> dict[str, bytes]:
        """Return the kernels' states that were kept last."""
        with self._errors("read"):
            return dict(self._db.execute("SELECT name, state FROM snapshots").fetchall())

    def stats(self) -> OutboxStats:
        """Return what is in it."""
        with self._errors("read"):
            (oldest,) = self._db.execute("SELECT coalesce(min(number), 0) FROM entries").fetchone()
            return OutboxStats(
                self._entries,
                self._bytes,
                self._samples,
                self._counter("thinned"),
                self._counter("refused"),
                oldest,
                self._last_number(),
            )

    def inspect(self, table: str, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest rows of ``entries`` or ``refused`` without their bodies, for people."""
        import sqlite_utils

        columns = "number, kind, samples, length(body) AS bytes"
        columns += ", reason" if table == "refused" else ", level"
        with self._errors("read"):
            found = sqlite_utils.Database(self._db)[table].rows_where(
                select=columns, order_by="number desc", limit=limit
            )
            return [{**row, "kind": EntryKind(row["kind"]).name.lower()} for row in found]

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def _thin(self, wanted_bytes: int) -> None:
        """Make room: of the oldest telemetry every other entry goes, level by level.

        Entries of level n have lost their neighbours n times, so that a long outage keeps its whole
        span in ever coarser steps instead of losing its beginning.
        What is on its way to the hub at that moment is counted as thinned, though it may arrive.
        """
        target = int(self.size_bytes_max * THIN_TO) - wanted_bytes
        for level in range(LEVEL_MAX + 1):
            self._thin_level(level, target)
            if self._bytes <= max(target, 0):
                return
        if self._bytes + wanted_bytes > self.size_bytes_max:
            raise StoreFull(
                f"the outbox {self._path} is full ({self.size_bytes_max} bytes) with alarms and "
                "outcomes that the hub has not taken; is the hub reachable?"
            )

    def _thin_level(self, level: int, target: int) -> None:
        rows = self._db.execute(
            "SELECT number, length(body), samples FROM entries "
            "WHERE kind = ? AND level = ? ORDER BY number",
            (int(EntryKind.TELEMETRY), level),
        ).fetchall()
        step = 1 if level == LEVEL_MAX else 2
        gone, kept, samples = [], [], 0
        for index, (number, size, count) in enumerate(rows):
            if self._bytes <= target:
                break
            if step == 1 or index % 2:
                gone.append((number,))
                self._bytes -= size + ENTRY_OVERHEAD_BYTES
                samples += count
            else:
                kept.append((level + 1, number))
        self._db.executemany("DELETE FROM entries WHERE number = ?", gone)
        self._db.executemany("UPDATE entries SET level = ? WHERE number = ?", kept)
        self._samples -= samples
        self._entries -= len(gone)
        if gone:
            self._count("thinned", samples)
            _log.warning("outbox.thinned", entries=len(gone), samples=samples, level=level)

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA and self._oldest_reader() not in range(1, SCHEMA + 1):
            raise StoreError(
                f"{self._path} was written by a newer agent (schema {version}, this one knows "
                f"{SCHEMA}); install the newer agent again"
            )
        if version == 0:
            self._db.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")

    def _oldest_reader(self) -> object:
        found = "SELECT value FROM counters WHERE name = ?"
        return next(iter(self._db.execute(found, (OLDEST_READER,)).fetchone() or ()), None)

    def _last_number(self) -> int:
        (last,) = self._db.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries'"
        ).fetchone()
        return int(last)

    def _stream(self) -> bytes:
        self._db.execute(
            "INSERT OR IGNORE INTO counters (name, value) VALUES ('stream', ?)", (os.urandom(16),)
        )
        (stream,) = self._db.execute("SELECT value FROM counters WHERE name = 'stream'").fetchone()
        return bytes(stream)

    def _measured(self, through: int = NUMBER_MAX) -> tuple[int, int, int]:
        """Return bytes, samples and entries up to a number."""
        row = self._db.execute(
            "SELECT coalesce(sum(length(body)), 0), coalesce(sum(samples), 0), count(*) "
            "FROM entries WHERE number <= ?",
            (through,),
        ).fetchone()
        return row[0] + row[2] * ENTRY_OVERHEAD_BYTES, row[1], row[2]

    def _count(self, name: str, more: int) -> None:
        self._db.execute(
            "INSERT INTO counters (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, more),
        )

    def _counter(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        sizes = (
            (self._bytes, self._samples, self._entries) if hasattr(self, "_bytes") else (0, 0, 0)
        )
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._bytes, self._samples, self._entries = sizes
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the outbox {self._path} cannot be {what}: {error}") from error
