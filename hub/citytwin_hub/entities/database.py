"""Database: one SQLite file with one writer and a reader for each thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from citytwin.errors import StoreError

BUSY_S_MAX: Final = 10.0
CACHE_KIB: Final = 32 * 1024
"""Pages in memory for each connection; the hub has few threads that read."""
CHECKPOINT_PAGES: Final = 4_000
"""Pages of 4 KiB in the log before they go to their places: many change again and again."""


class Database:
    """Write-ahead log, synced at each commit; readers never wait for the writer."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used.
        """
        self._path, self._lock = path, threading.RLock()
        self._listing = threading.Lock()
        self._local, self._opened = threading.local(), list[sqlite3.Connection]()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            self._writer.executescript(schema)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path} cannot be used: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        with self._listing:
            self._opened.append(connection)
        return connection

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = self._local.connection = self._connect()
            except sqlite3.Error as error:
                raise StoreError(f"{self._path} cannot be read: {error}") from error
        return connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the writer in a transaction that is durable at the end of the block, or undone.

        Raises:
            StoreError: the file cannot be written.
        """
        with self._lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                except BaseException:
                    self._writer.execute("ROLLBACK")
                    raise
                self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                if self._writer.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._writer.execute("ROLLBACK")
                raise StoreError(f"{self._path} cannot be written: {error}") from error

    def copy_to(self, path: Path) -> None:
        """Write what is committed to a new file.

        Raises:
            StoreError: it cannot be written.
        """
        with self._lock:
            try:
                self._writer.execute("VACUUM INTO ?", (str(path),))
            except sqlite3.Error as error:
                raise StoreError(f"{path} cannot be written: {error}") from error

    def close(self) -> None:
        """Close every connection."""
        with self._lock, self._listing:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
