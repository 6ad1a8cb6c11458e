"""Versions: the configurations of gateways on disk, with every step of every push.

The file is for its owner alone (0600): configurations hold passwords and keys.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from citytwin.errors import StoreError
from citytwin_protos.session import ConfigReported

BUSY_S_MAX: Final = 5.0
VERSIONS_MAX: Final = 200
"""Of one gateway; the oldest go, but not the one that it shall run."""
_OPEN: Final = "('submitted', 'sent', 'applied')"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS versions (
    gateway TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL, text BLOB NOT NULL,
    made_by TEXT NOT NULL, why TEXT NOT NULL, at_ns INTEGER NOT NULL,
    PRIMARY KEY (gateway, number)
) STRICT;
CREATE TABLE IF NOT EXISTS pushes (
    gateway TEXT NOT NULL, number INTEGER NOT NULL, base TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'submitted', PRIMARY KEY (gateway, number)
) STRICT;
CREATE TABLE IF NOT EXISTS steps (
    gateway TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, at_ns INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS steps_of ON steps (gateway, number);
CREATE TABLE IF NOT EXISTS gateways (
    name TEXT PRIMARY KEY, wanted INTEGER NOT NULL DEFAULT 0, digest TEXT NOT NULL DEFAULT '',
    remote TEXT NOT NULL DEFAULT '', push INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


class Version(NamedTuple):
    """One configuration of a gateway; ``text`` is deflated, ``digest`` that of the file."""

    gateway: str
    number: int
    digest: str
    text: bytes
    by: str
    why: str
    at_ns: int


class Step(NamedTuple):
    """One state of a push, since when (UTC), and why."""

    state: str
    at_ns: int
    reason: str


class Push(NamedTuple):
    """A version on its way; ``base`` is the digest of what it replaces, empty for whatever runs."""

    gateway: str
    number: int
    base: str
    state: str
    steps: tuple[Step, ...]

    @property
    def submitted_ns(self) -> int:
        """When somebody asked for it."""
        return self.steps[0].at_ns


class Versions:
    """One SQLite file; used from one thread. Errors of SQLite become StoreError."""

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives its own files the rights of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
            self._db = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the configurations in {path} cannot be read: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    # ---- versions
    def add(self, version: Version, base: str | None) -> None:
        """Keep a version; with a ``base`` as the beginning of a push."""
        with self._transaction():
            self._db.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?)", version)
            if base is not None:
                self._db.execute(
                    "INSERT INTO pushes (gateway, number, base) VALUES (?, ?, ?)",
                    (version.gateway, version.number, base),
                )
            self._db.execute(
                "INSERT INTO gateways (name, last) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET last = excluded.last",
                (version.gateway, version.number),
            )
            self._forget(version.gateway)

    def _forget(self, gateway: str) -> None:
        for table in ("steps", "pushes", "versions"):
            self._db.execute(
                f"DELETE FROM {table} WHERE gateway = ?1 AND number NOT IN (SELECT number FROM "  # noqa: S608  # constants
                "versions WHERE gateway = ?1 ORDER BY number DESC LIMIT ?2) "
                "AND number != (SELECT wanted FROM gateways WHERE name = ?1)",
                (gateway, VERSIONS_MAX),
            )

    def version(self, gateway: str, number: int) -> Version | None:
        """Return one version."""
        rows = self._all("SELECT * FROM versions WHERE gateway = ? AND number = ?", gateway, number)
        return Version(*rows[0]) if rows else None

    def versions(self, gateway: str) -> list[Version]:
        """Return every version without its text, the newest first."""
        rows = self._all(
            "SELECT gateway, number, digest, x'', made_by, why, at_ns FROM versions "
            "WHERE gateway = ? ORDER BY number DESC",
            gateway,
        )
        return [Version(*row) for row in rows]

    def number_of(self, gateway: str, digest: str) -> int:
        """Return the newest version with a digest; 0 when there is none."""
        return self._number(
            "SELECT max(number) FROM versions WHERE gateway = ? AND digest = ?", gateway, digest
        )

    def last(self, gateway: str) -> int:
        """Return the highest number that was ever given."""
        return self._number("SELECT last FROM gateways WHERE name = ?", gateway)

    def before(self, gateway: str, number: int) -> int:
        """Return the newest confirmed or found version below a number, of another text."""
        return self._number(
            "SELECT max(v.number) FROM versions v LEFT JOIN pushes p USING (gateway, number) "
            "WHERE v.gateway = ?1 AND v.number < ?2 AND coalesce(p.state, 'confirmed') = "
            "'confirmed' AND v.digest != coalesce((SELECT digest FROM versions WHERE gateway = ?1 "
            "AND number = ?2), '')",
            gateway,
            number,
        )

    def wanted(self, gateway: str) -> int:
        """Return the version that a gateway shall run; 0 when nobody has said so."""
        return self._number("SELECT wanted FROM gateways WHERE name = ?", gateway)

    def want(self, gateway: str, number: int) -> None:
        """Note which version a gateway shall run."""
        with self._transaction():
            self._db.execute("UPDATE gateways SET wanted = ? WHERE name = ?", (number, gateway))

    # ---- pushes
    def push(self, gateway: str, number: int) -> Push | None:
        """Return the push of a version, if it was pushed."""
        return next(iter(self._pushes("WHERE gateway = ? AND number = ?", gateway, number)), None)

    def open_push(self, gateway: str) -> Push | None:
        """Return the push of a gateway that has not come to its end."""
        return next(iter(self._pushes(f"WHERE gateway = ? AND state IN {_OPEN}", gateway)), None)

    def newest_push(self, gateway: str) -> Push | None:
        """Return the newest push of a gateway."""
        found = self._pushes("WHERE gateway = ? ORDER BY number DESC LIMIT 1", gateway)
        return next(iter(found), None)

    def open_pushes(self) -> list[Push]:
        """Return every push that has not come to its end."""
        return self._pushes(f"WHERE state IN {_OPEN}")

    def step(self, gateway: str, number: int, state: str, at_ns: int, reason: str) -> None:
        """Note a new state of a push."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO steps VALUES (?, ?, ?, ?, ?)", (gateway, number, state, at_ns, reason)
            )
            self._db.execute(
                "UPDATE pushes SET state = ? WHERE gateway = ? AND number = ?",
                (state, gateway, number),
            )

    def _pushes(self, clause: str, *given: object) -> list[Push]:
        rows = self._all(f"SELECT gateway, number, base, state FROM pushes {clause}", *given)  # noqa: S608  # constants
        return [
            Push(gateway, number, base, state, self._steps(gateway, number))
            for gateway, number, base, state in rows
        ]

    def _steps(self, gateway: str, number: int) -> tuple[Step, ...]:
        rows = self._all(
            "SELECT state, at_ns, reason FROM steps WHERE gateway = ? AND number = ? "
            "ORDER BY rowid",
            gateway,
            number,
        )
        return tuple(Step(*row) for row in rows)

    # ---- reports
    def reports(self) -> dict[str, ConfigReported]:
        """Return what gateways said last that they run, by name."""
        rows = self._all("SELECT name, digest, remote, push FROM gateways WHERE digest != ''")
        return {name: ConfigReported(digest, remote, push) for name, digest, remote, push in rows}

    def note_report(self, gateway: str, report: ConfigReported) -> None:
        """Note what a gateway says that it runs."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO gateways (name, digest, remote, push) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, "
                "remote = excluded.remote, push = excluded.push",
                (gateway, report.digest, report.remote, report.push),
            )

    def _number(self, sql: str, *given: object) -> int:
        rows = self._all(sql, *given)
        return int(rows[0][0] or 0) if rows else 0

    def _all(self, sql: str, *given: object) -> Sequence[Any]:
        try:
            return self._db.execute(sql, given).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the configurations {self._path} cannot be read: {error}") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.Error as error:
            raise StoreError(f"the configurations {self._path} cannot be kept: {error}") from error
