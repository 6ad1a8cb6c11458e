"""Identities in SQLite: one file in a tenant's folder, with who changed what and when.

Nothing is ever deleted: a number is given once, a URN that is no more keeps its successors, and a
withdrawn alias stays in the journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from citytwin_hub.entities import identity
from citytwin_hub.entities.database import Database
from citytwin_hub.entities.errors import AlreadyExists, BadRequestData, ResourceNotFound
from citytwin_hub.entities.identity import SUCCESSORS_MAX, Alias, Claim, Clash, Resolved

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS identity (
    number INTEGER PRIMARY KEY AUTOINCREMENT, urn TEXT NOT NULL UNIQUE,
    retired INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS succession (
    old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (old, new)) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS alias (
    system TEXT NOT NULL, name TEXT NOT NULL, urn TEXT NOT NULL, PRIMARY KEY (system, name)
    ) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS alias_of ON alias (urn);
CREATE TABLE IF NOT EXISTS identity_journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, by TEXT NOT NULL,
    act TEXT NOT NULL, what TEXT NOT NULL) STRICT;
"""
NAME_CHARACTERS_MAX: Final = 400
JOURNAL_PAGE_MAX: Final = 1000


class Identities:
    """One tenant's identities; every method may be called on any thread."""

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used.
        """
        self._database = Database(path, SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def register(self, kind: str, where: tuple[float, float] | None, by: str, now_ns: int) -> str:
        """Return the URN of a new object of a class, first seen at (longitude, latitude)."""
        with self._database.writing() as db:
            return _new(db, kind, where, by, now_ns)

    def adopt(self, urn: str, by: str, now_ns: int) -> None:
        """Take a URN that was given elsewhere.

        Raises:
            AlreadyExists: it is known, or was once.
        """
        with self._database.writing() as db:
            if _retired(db, urn) is not None:
                raise AlreadyExists(f"{urn} is known already, or was once")
            db.execute("INSERT INTO identity (urn) VALUES (?)", (urn,))
            _note(db, by, now_ns, "adopt", [urn])

    def alias(self, alias: Alias, urn: str, by: str, now_ns: int) -> None:
        """Let a name of a source system mean an object; the same again changes nothing.

        Raises:
            AlreadyExists: the name means another object.
            BadRequestData: it is empty or too long.
            ResourceNotFound: there is no such URN.
        """
        if not all(0 < len(part) <= NAME_CHARACTERS_MAX for part in alias):
            raise BadRequestData(f"a system and a name have 1 to {NAME_CHARACTERS_MAX} characters")
        with self._database.writing() as db:
            _current(db, urn)
            row = db.execute(
                "SELECT urn FROM alias WHERE system = ? AND name = ?", tuple(alias)
            ).fetchone()
            if row is not None and row[0] != urn:
                raise AlreadyExists(
                    f"{alias.name} of {alias.system} is {row[0]}; withdraw it first"
                )
            if row is None:
                db.execute("INSERT INTO alias VALUES (?, ?, ?)", (*alias, urn))
                _note(db, by, now_ns, "alias", [*alias, urn])

    def ends(self, urns: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return what URNs mean today, those that are known."""
        db = self._database.reader
        rows = db.execute(
            "SELECT urn, retired FROM identity WHERE urn IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(list(urns)).decode(),),
        ).fetchall()
        return {one: _ends(db, one) if retired else (one,) for one, retired in rows}

    def meant(self, aliases: Collection[Alias]) -> dict[Alias, str]:
        """Return the URNs to which names were given, of those that were."""
        return _meant(self._database.reader, aliases)

    def claim(self, claims: Sequence[Claim], by: str, now_ns: int) -> list[Clash]:
        """Take URNs and names of a source in, in one transaction; what is known stays as it is.

        Returns:
            Names that mean another object already.
        """
        with self._database.writing() as db:
            return [clash for one in claims for clash in _claim(db, one, by, now_ns)]

    def withdraw(self, alias: Alias, by: str, now_ns: int) -> None:
        """Let a name mean nothing any more.

        Raises:
            ResourceNotFound: it means nothing.
        """
        with self._database.writing() as db:
            gone = db.execute(
                "DELETE FROM alias WHERE system = ? AND name = ? RETURNING urn", tuple(alias)
            ).fetchone()
            if gone is None:
                raise ResourceNotFound(f"{alias.name} of {alias.system} means no object")
            _note(db, by, now_ns, "withdraw", [*alias, gone[0]])

    def merge(self, urns: Sequence[str], into: str, by: str, now_ns: int) -> None:
        """Let several objects be one of them: the others lead to it from now on.

        Raises:
            BadRequestData: ``into`` is not one of them, or one is no more.
            ResourceNotFound: one was never there.
        """
        with self._database.writing() as db:
            identity.check_merge(urns, {one: bool(_known(db, one)) for one in urns})
            if into not in urns:
                raise BadRequestData(f"{into} is not one of those that are merged")
            for one in urns:
                if one != into:
                    _retire(db, one, [into])
            _note(db, by, now_ns, "merge", [into, *urns])

    def split(
        self,
        urn: str,
        parts: Sequence[tuple[str, tuple[float, float] | None]],
        by: str,
        now_ns: int,
    ) -> tuple[str, ...]:
        """Let an object be several new ones, given by class and place; return their URNs.

        Raises:
            BadRequestData: there are fewer than two parts or too many, or the URN is no more.
            ResourceNotFound: it was never there.
        """
        if not 2 <= len(parts) <= SUCCESSORS_MAX:
            raise BadRequestData(f"a split has 2 to {SUCCESSORS_MAX} parts")
        with self._database.writing() as db:
            _current(db, urn)
            made = tuple(_new(db, kind, where, by, now_ns) for kind, where in parts)
            _retire(db, urn, made)
            _note(db, by, now_ns, "split", [urn, *made])
        return made

    def resolve(self, urn: str) -> Resolved:
        """Return what a URN means today.

        Raises:
            ResourceNotFound: it was never there.
        """
        db = self._database.reader
        retired = _known(db, urn)
        return Resolved(urn, _ends(db, urn), not retired)

    def resolve_alias(self, alias: Alias) -> Resolved:
        """Return what a name of a source system means today.

        Raises:
            ResourceNotFound: it means nothing.
        """
        row = self._database.reader.execute(
            "SELECT urn FROM alias WHERE system = ? AND name = ?", tuple(alias)
        ).fetchone()
        if row is None:
            raise ResourceNotFound(f"{alias.name} of {alias.system} means no object")
        return self.resolve(row[0])

    def aliases(self, urn: str) -> tuple[Alias, ...]:
        """Return the names of an object, those of what was merged into it among them."""
        rows = self._database.reader.execute(
            "WITH RECURSIVE before (urn) AS (VALUES (?) UNION "
            "SELECT old FROM before JOIN succession ON new = before.urn) "
            "SELECT system, name FROM alias JOIN before USING (urn) ORDER BY system, name",
            (urn,),
        )
        return tuple(Alias(system, name) for system, name in rows)

    def journal(self, after: int = 0) -> list[dict[str, Any]]:
        """Return who did what and when, a page after a number."""
        rows = self._database.reader.execute(
            "SELECT number, at, by, act, what FROM identity_journal WHERE number > ? "
            "ORDER BY number LIMIT ?",
            (after, JOURNAL_PAGE_MAX),
        )
        return [
            {"number": number, "at_ns": at, "by": by, "act": act, "what": msgspec.json.decode(what)}
            for number, at, by, act, what in rows
        ]


def _ends(db: sqlite3.Connection, urn: str) -> tuple[str, ...]:
    def following(one: str) -> list[str]:
        rows = db.execute("SELECT new FROM succession WHERE old = ? ORDER BY new", (one,))
        return [new for (new,) in rows]

    return identity.ends_of(urn, following)


def _meant(db: sqlite3.Connection, aliases: Collection[Alias]) -> dict[Alias, str]:
    rows = db.execute(
        "SELECT system, name, urn FROM json_each(?) AS one JOIN alias "
        "ON system = json_extract(one.value, '$[0]') AND name = json_extract(one.value, '$[1]')",
        (msgspec.json.encode(list(aliases)).decode(),),
    )
    return {Alias(system, name): urn for system, name, urn in rows}


def _claim(db: sqlite3.Connection, claim: Claim, by: str, now_ns: int) -> Iterator[Clash]:
    """Take one object in; yield its names that mean another one."""
    noted = []
    for one in dict.fromkeys((claim.into, claim.urn)):
        if _retired(db, one) is None:
            db.execute("INSERT INTO identity (urn) VALUES (?)", (one,))
            noted.append(one)
    if claim.urn in noted and claim.urn != claim.into:
        _retire(db, claim.urn, [claim.into])
        _note(db, by, now_ns, "merge", [claim.into, claim.urn])
    known = _meant(db, (*claim.own, *claim.aliases))

    def is_ours(alias: Alias) -> bool:
        return alias not in known or claim.into in _ends(db, known[alias])

    own = next((one for one in claim.own if is_ours(one)), None)
    for alias in (*((own,) if own else ()), *claim.aliases):
        if not is_ours(alias):
            yield Clash(claim.urn, alias, known[alias])
        elif alias not in known:
            db.execute("INSERT INTO alias VALUES (?, ?, ?)", (*alias, claim.into))
            noted += alias
    if noted:
        _note(db, by, now_ns, "import", [claim.into, *noted])


def _new(
    db: sqlite3.Connection, kind: str, where: tuple[float, float] | None, by: str, now_ns: int
) -> str:
    (last,) = db.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'identity'"
    ).fetchone()
    number = last + 1
    made = identity.urn(kind, where, number)
    while _retired(db, made) is not None:  # adopted from elsewhere
        number += 1
        made = identity.urn(kind, where, number)
    db.execute("INSERT INTO identity (number, urn) VALUES (?, ?)", (number, made))
    _note(db, by, now_ns, "register", [made])
    return made


def _retired(db: sqlite3.Connection, urn: str) -> int | None:
    row = db.execute("SELECT retired FROM identity WHERE urn = ?", (urn,)).fetchone()
    return None if row is None else int(row[0])


def _known(db: sqlite3.Connection, urn: str) -> int:
    retired = _retired(db, urn)
    if retired is None:
        raise ResourceNotFound(f"{urn[:200]} was never registered")
    return retired


def _current(db: sqlite3.Connection, urn: str) -> None:
    if _known(db, urn):
        raise BadRequestData(f"{urn} was merged or split; name what it has become")


def _retire(db: sqlite3.Connection, urn: str, into: Sequence[str]) -> None:
    db.execute("UPDATE identity SET retired = 1 WHERE urn = ?", (urn,))
    db.executemany("INSERT INTO succession VALUES (?, ?)", ((urn, one) for one in into))


def _note(db: sqlite3.Connection, by: str, now_ns: int, act: str, what: list[str]) -> None:
    text = msgspec.json.encode(what).decode()
    db.execute(
        "INSERT INTO identity_journal (at, by, act, what) VALUES (?, ?, ?, ?)",
        (now_ns, by, act, text),
    )
