"""Registry: gateways, enrolment tokens, the rows of points and the dictionary of texts, in SQLite.

The command line opens the same file while the hub runs: a token that is made or a gateway that is
revoked there counts at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from citytwin.batch import SECOND_NS, Int32
from citytwin.errors import EnrolmentError, StoreError, WireError
from citytwin.identity import segment
from citytwin.point import Kind, Point
from citytwin_protos.codec import point_from_bytes, point_to_bytes
from citytwin_protos.token import SECRET_BYTES, make_token

SCHEMA: Final = 3
TOKEN_LIFE_NS: Final = 3600 * SECOND_NS
TOKENS_MAX: Final = 10_000
BUSY_S_MAX: Final = 5.0
POINTS_MAX: Final = 10_000_000
TEXTS_MAX: Final = 1_000_000
"""The points and texts of a city: a gateway that makes new names for ever is stopped here."""

_STEPS: Final = (
    """
CREATE TABLE gateways (
    name TEXT PRIMARY KEY, serial TEXT NOT NULL, state TEXT NOT NULL,
    enrolled_ns INTEGER NOT NULL, software TEXT NOT NULL DEFAULT '',
    address TEXT NOT NULL DEFAULT '', seen_ns INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY, gateway TEXT NOT NULL, expires_ns INTEGER NOT NULL,
    used_ns INTEGER NOT NULL DEFAULT 0, replaces INTEGER NOT NULL
) STRICT;
CREATE TABLE points (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, point BLOB NOT NULL
) STRICT;
CREATE TABLE texts (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL UNIQUE) STRICT;
""",
    """
ALTER TABLE gateways ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gateways ADD COLUMN refused_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gateways ADD COLUMN refused_reason TEXT NOT NULL DEFAULT '';
""",
    # A point whose unit or kind changes has a new row. The row before keeps its history; behind its
    # id in this column stands its number, the point itself has it as it was.
    "ALTER TABLE points ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;",
)
"""What leads from each schema to the next."""


class Gateway(NamedTuple):
    """A gateway as the registry knows it; ``state`` is enrolled or revoked, times are UTC ns.

    Attributes:
        refused: how many of its entries the hub has refused, ever; ``refused_ns`` and
            ``refused_reason``: the latest.
    """

    name: str
    serial: str
    state: str
    enrolled_ns: int
    software: str
    address: str
    seen_ns: int
    refused: int
    refused_ns: int
    refused_reason: str


class Registry:
    """One SQLite file; used from one thread of each process.

    Attributes:
        gone: rows of points that their gateways have no more; their history stays.
        version: grows whenever a point is added or changed.
    """

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used, or a newer hub wrote it.
        """
        self._path = path
        self._points: dict[int, Point] = {}
        self._rows: dict[str, int] = {}
        self._meanings: dict[tuple[str, str, Kind], int] = {}
        self.gone: set[int] = set()
        self._texts: dict[int, str] = {}
        self._text_numbers: dict[str, int] = {}
        self.version = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate()
            self._load()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the registry {path} cannot be opened: {error}") from error
        except WireError as error:
            raise StoreError(
                f"the registry {path} is damaged ({error}); restore it from a backup"
            ) from None

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    # ---- enrolment
    def issue_token(
        self,
        gateway: str,
        fingerprint: bytes,
        now_ns: int,
        *,
        life_ns: int = TOKEN_LIFE_NS,
        replace: bool = False,
    ) -> str:
        """Return a new one-time token for a gateway; only its hash is kept.

        Raises:
            EnrolmentError: the name is taken and ``replace`` was not asked for.
        """
        segment(gateway, "gateway")
        self._refuse_taken(gateway, replace)
        secret = secrets.token_bytes(SECRET_BYTES)
        with self._transaction():
            self._db.execute("DELETE FROM tokens WHERE expires_ns < ?", (now_ns - 30 * life_ns,))
            if self._db.execute("SELECT count(*) FROM tokens").fetchone()[0] >= TOKENS_MAX:
                raise EnrolmentError(f"{TOKENS_MAX} tokens are open; wait until some expire")
            self._db.execute(
                "INSERT INTO tokens (hash, gateway, expires_ns, replaces) VALUES (?, ?, ?, ?)",
                (_hash(secret), gateway, now_ns + life_ns, int(replace)),
            )
        return make_token(secret, fingerprint)

    def check_token(self, gateway: str, secret: bytes, now_ns: int) -> None:
        """Refuse a token that does not let this gateway in.

        Raises:
            EnrolmentError: it is wrong, used, expired, for another gateway, or the name is taken.
        """
        found = self._one(
            "SELECT gateway, expires_ns, used_ns, replaces FROM tokens WHERE hash = ?",
            _hash(secret),
        )
        if found is None:
            raise EnrolmentError("this token was never issued here; ask for a new one")
        named, expires_ns, used_ns, replaces = found
        if named != gateway:
            raise EnrolmentError(f"this token was issued for gateway {named!r}, not {gateway!r}")
        if used_ns:
            raise EnrolmentError("this token has been used; a token serves once")
        if now_ns >= expires_ns:
            raise EnrolmentError("this token has expired; ask for a new one")
        self._refuse_taken(gateway, bool(replaces))

    def enrol(self, gateway: str, secret: bytes, serial: str, now_ns: int) -> None:
        """Spend a checked token: the gateway is known by this certificate from now on.

        Raises:
            EnrolmentError: the token was spent meanwhile.
        """
        with self._transaction():
            spent = self._db.execute(
                "UPDATE tokens SET used_ns = ? WHERE hash = ? AND used_ns = 0",
                (now_ns, _hash(secret)),
            )
            if spent.rowcount != 1:
                raise EnrolmentError("this token has been used; a token serves once")
            self._db.execute(
                "INSERT INTO gateways (name, serial, state, enrolled_ns) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET serial = excluded.serial, "
                "state = excluded.state, enrolled_ns = excluded.enrolled_ns",
                (gateway, serial, "enrolled", now_ns),
            )

    def refusal(self, gateway: str, serial: str) -> str:
        """Return why this certificate may not connect; empty when it may."""
        found = self._one("SELECT serial, state FROM gateways WHERE name = ?", gateway)
        if found is None:
            return f"gateway {gateway!r} is not enrolled at this hub"
        if found[1] != "enrolled":
            return f"gateway {gateway!r} was revoked"
        if found[0] != serial:
            return f"gateway {gateway!r} was enrolled anew; this certificate no longer counts"
        return ""

    def revoke(self, gateway: str) -> None:
        """Let a gateway connect no more.

        Raises:
            EnrolmentError: there is no such gateway.
        """
        with self._transaction():
            changed = self._db.execute(
                "UPDATE gateways SET state = 'revoked' WHERE name = ?", (gateway,)
            )
        if changed.rowcount != 1:
            raise EnrolmentError(f"there is no gateway {gateway!r}")

    def seen(self, gateway: str, software: str, address: str, now_ns: int) -> None:
        """Note that a gateway was heard."""
        with self._transaction():
            self._db.execute(
                "UPDATE gateways SET software = ?, address = ?, seen_ns = ? WHERE name = ?",
                (software, address, now_ns, gateway),
            )

    def refused(self, gateway: str, entries: int, reason: str, now_ns: int) -> None:
        """Note that entries of a gateway were refused: the gateway may never hear of it."""
        with self._transaction():
            self._db.execute(
                "UPDATE gateways SET refused = refused + ?, refused_ns = ?, refused_reason = ? "
                "WHERE name = ?",
                (entries, now_ns, reason, gateway),
            )

    def gateways(self) -> list[Gateway]:
        """Return every gateway, by name."""
        rows = self._all(
            "SELECT name, serial, state, enrolled_ns, software, address, seen_ns, refused, "
            "refused_ns, refused_reason FROM gateways ORDER BY name"
        )
        return [Gateway(*row) for row in rows]

    # ---- points and texts
    @property
    def points(self) -> Mapping[int, Point]:
        """Every point by its row."""
        return self._points

    def row(self, point_id: str) -> int | None:
        """Return a point's row; None when it is not known, or its gateway has it no more."""
        row = self._rows.get(point_id)
        return None if row in self.gone else row

    def rows(self, points: Sequence[Point], gone: Container[int] = ()) -> Int32:
        """Return the rows of points, new ones side by side; changed descriptors are kept.

        A point of another unit or kind than the one that had its id has another row.

        Args:
            points: as their gateway announces them.
            gone: indexes of those that it has no more.

        Raises:
            StoreError: the file cannot be written.
        """
        fresh = {
            index: point
            for index, point in enumerate(points)
            if (row := self._meanings.get(_meaning(point))) is None
            or self._points[row] != point
            or (row in self.gone) != (index in gone)
        }
        new = sum(_meaning(point) not in self._meanings for point in fresh.values())
        if new and len(self._points) + new > POINTS_MAX:
            raise StoreError(f"the registry {self._path} holds {POINTS_MAX} points; no more fit")
        if fresh:
            with self._transaction():
                found = [self._keep(point, index in gone) for index, point in fresh.items()]
            self.version += 1
            for row, (index, point) in zip(found, fresh.items(), strict=True):
                self._note(row, point, gone=index in gone)
        return np.array([self._meanings[_meaning(point)] for point in points], np.int32)

    def _keep(self, point: Point, gone: bool) -> int:
        """Write a point down, within a transaction; return its row."""
        row = self._meanings.get(_meaning(point))
        if not gone:
            self._db.execute(
                "UPDATE points SET gone = 1 WHERE row = ? AND row IS NOT ?",
                (self._rows.get(point.id), row),
            )
        if row is not None:
            self._db.execute(
                "UPDATE points SET point = ?, gone = ? WHERE row = ?",
                (point_to_bytes(point), int(gone), row),
            )
            return row
        self._db.execute("UPDATE points SET id = id || '#' || row WHERE id = ?", (point.id,))
        inserted = self._db.execute(
            "INSERT INTO points (id, point, gone) VALUES (?, ?, ?)",
            (point.id, point_to_bytes(point), int(gone)),
        )
        return int(inserted.lastrowid or 0)

    def _note(self, row: int, point: Point, *, gone: bool) -> None:
        """Take in what the file has of a row."""
        self._points[row] = point
        self._meanings[_meaning(point)] = row
        if gone:
            self.gone.add(row)
            self._rows.setdefault(point.id, row)
            return
        self.gone.discard(row)
        before = self._rows.get(point.id, row)
        if before != row:
            self.gone.add(before)
        self._rows[point.id] = row

    def text(self, number: int) -> str | None:
        """Return a text of the hub's dictionary."""
        return self._texts.get(number)

    def text_numbers(self, texts: Iterable[str]) -> list[int]:
        """Return the hub's numbers of texts, new ones noted.

        Raises:
            StoreError: the file cannot be written.
        """
        wanted = list(texts)
        fresh = list(dict.fromkeys(text for text in wanted if text not in self._text_numbers))
        if fresh and len(self._texts) + len(fresh) > TEXTS_MAX:
            raise StoreError(f"the registry {self._path} holds {TEXTS_MAX} texts; no more fit")
        with self._transaction():
            numbers = [
                int(self._db.execute("INSERT INTO texts (text) VALUES (?)", (text,)).lastrowid or 0)
                for text in fresh
            ]
        for number, text in zip(numbers, fresh, strict=True):
            self._texts[number], self._text_numbers[text] = text, number
        return [self._text_numbers[text] for text in wanted]

    def _refuse_taken(self, gateway: str, replace: bool) -> None:
        found = self._one("SELECT 1 FROM gateways WHERE name = ? AND state = 'enrolled'", gateway)
        if found and not replace:
            raise EnrolmentError(
                f"a gateway named {gateway!r} is enrolled already; choose another name, revoke it, "
                "or make the token with --replace"
            )

    def _all(self, sql: str, *given: object) -> list[Any]:
        try:
            return self._db.execute(sql, given).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the registry {self._path} cannot be read: {error}") from error

    def _one(self, sql: str, *given: object) -> Any:
        return next(iter(self._all(sql, *given)), None)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do all of it or none; SQLite's errors become StoreError."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.Error as error:
            raise StoreError(f"the registry {self._path} cannot be written: {error}") from error

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise StoreError(f"{self._path} was written by a newer hub (schema {version})")
        for number in range(version, SCHEMA):
            step = f"BEGIN IMMEDIATE; {_STEPS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
            self._db.executescript(step)

    def _load(self) -> None:
        rows = self._db.execute("SELECT row, point, gone FROM points ORDER BY gone DESC, row DESC")
        for row, data, gone in rows:
            self._note(row, point_from_bytes(data), gone=bool(gone))
        self._points = dict(sorted(self._points.items()))
        for number, text in self._db.execute("SELECT number, text FROM texts"):
            self._texts[number], self._text_numbers[text] = text, number


def _meaning(point: Point) -> tuple[str, str, Kind]:
    """Return what the samples of a row have in common."""
    return (point.id, point.unit, point.kind)


def _hash(secret: bytes) -> bytes:
    # A random secret of 128 bits needs no slow hash; looking it up by hash takes constant time.
    return hashlib.sha256(secret).digest()
