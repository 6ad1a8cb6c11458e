"""Rows of ``SqliteEntities``: what is written for changes beside the log, and numbers for names."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from citytwin.errors import StoreLimit
from citytwin_hub.entities.boxes import boxes_of, geometries_of
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.store import Change

NAME_BITS: Final = 20
"""The number of a place is its entity's with as many bits below it for its attribute's."""
NAMES_MAX: Final = (1 << NAME_BITS) - 1

_encode: Final = msgspec.json.Encoder().encode


class Sets(NamedTuple):
    """A set of names that each entity has, and how it is kept."""

    members: Callable[[Entity], Iterable[str]]
    add: str
    remove: str


TYPES: Final = Sets(
    lambda one: one.types,
    "INSERT OR IGNORE INTO typed (type, entity) VALUES (?, ?)",
    "DELETE FROM typed WHERE type = ? AND entity = ?",
)
ATTRIBUTES: Final = Sets(
    lambda one: one.attributes,
    "INSERT OR IGNORE INTO having_attribute (attribute, entity) VALUES (?, ?)",
    "DELETE FROM having_attribute WHERE attribute = ? AND entity = ?",
)


class Naming:
    """Numbers of names, given as they come up, within one transaction.

    Raises:
        StoreLimit: there are as many as there may be.
    """

    def __init__(self, db: sqlite3.Connection, known: dict[str, int]) -> None:
        self._db, self._known = db, known

    def of(self, iri: str) -> int:
        """Return the number of a name."""
        number = self._known.get(iri)
        if number is None:
            row = self._db.execute("INSERT INTO name (iri) VALUES (?) RETURNING number", (iri,))
            number = int(row.fetchone()[0])
            if number > NAMES_MAX:
                raise StoreLimit(f"there are {NAMES_MAX} names of types and attributes already")
            self._known[iri] = number
        return number


def numbers_of(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return the numbers of identifiers; new ones are given one."""
    db.executemany("INSERT OR IGNORE INTO identifier (id) VALUES (?)", ((one,) for one in ids))
    rows = db.execute(
        "SELECT id, number FROM identifier WHERE id IN (SELECT value FROM json_each(?))",
        (_listed(ids),),
    )
    return dict(rows.fetchall())


def taken_together(changes: Sequence[Change]) -> list[Change]:
    """Return one change for each entity: from before its first one to after its last."""
    found: dict[str, Change] = {}
    for change in changes:
        first = found.get(change.id)
        found[change.id] = Change(first.before, change.after) if first else change
    return [change for change in found.values() if change.before or change.after]


Numbered = Sequence[tuple[int, Change]]


def write_bodies(db: sqlite3.Connection, numbered: Numbered) -> None:
    """Keep entities as they are afterwards, by their numbers."""
    db.executemany(
        "INSERT INTO entity (number, body) VALUES (?, ?) "
        "ON CONFLICT (number) DO UPDATE SET body = excluded.body",
        ((number, _encode(one.after)) for number, one in numbered if one.after is not None),
    )
    db.executemany(
        "DELETE FROM entity WHERE number = ?",
        ((number,) for number, one in numbered if one.after is None),
    )


def write_sets(db: sqlite3.Connection, sets: Sets, numbered: Numbered, names: Naming) -> None:
    """Keep which names each entity has."""
    added: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    for number, change in numbered:
        before = set(sets.members(change.before)) if change.before else set[str]()
        after = set(sets.members(change.after)) if change.after else set[str]()
        if before != after:
            added += ((names.of(iri), number) for iri in after - before)
            gone += ((names.of(iri), number) for iri in before - after)
    db.executemany(sets.remove, gone)
    db.executemany(sets.add, added)


def write_places(db: sqlite3.Connection, numbered: Numbered, names: Naming) -> None:
    """Keep the boxes around what each entity has of geometry."""
    added: list[tuple[int, float, float, float, float]] = []
    gone: list[tuple[int]] = []
    for number, change in numbered:
        if geometries_of(change.before) == geometries_of(change.after):
            continue
        before, after = boxes_of(change.before), boxes_of(change.after)
        if before != after:
            base = number << NAME_BITS
            gone += ((base | names.of(iri),) for iri in before.keys() - after.keys())
            added += (
                (base | names.of(iri), *box) for iri, box in after.items() if before.get(iri) != box
            )
    db.executemany("DELETE FROM place WHERE number = ?", gone)
    db.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?, ?)", added)


def _listed(items: Iterable[Any]) -> bytes:
    return _encode(list(items))
