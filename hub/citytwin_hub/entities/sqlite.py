"""SqliteEntities: the entities of one tenant in one SQLite file, with their evolution.

An entity's row holds all of it; beside it lie what a query is narrowed down by: types, attributes
and the boxes of its geometries (R*Tree). Numbers stand for identifiers and names, and are never
given twice: an identifier that comes again after a deletion continues its evolution.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from citytwin.errors import StoreLimit
from citytwin_hub.entities import relations, sqlite_relations, sqlite_values
from citytwin_hub.entities.boxes import box_of, geometries_of
from citytwin_hub.entities.database import Database
from citytwin_hub.entities.evolution import EVER_TYPED, RECORD, steps
from citytwin_hub.entities.evolution import SCHEMA as EVOLUTION_SCHEMA
from citytwin_hub.entities.model import AttributeKind, Entity
from citytwin_hub.entities.store import Change, Hints

NAME_BITS: Final = 20
"""The number of a place is its entity's with as many bits below it for its attribute's."""
NAMES_MAX: Final = (1 << NAME_BITS) - 1
RELATIONS_MAX: Final = 5_000_000
"""Present and past ones: a graph in memory takes about 70 bytes for each."""
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS identifier (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS name (
    number INTEGER PRIMARY KEY AUTOINCREMENT, iri TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS entity (
    number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS typed (
    type INTEGER NOT NULL, entity INTEGER NOT NULL, PRIMARY KEY (type, entity)
    ) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS having_attribute (
    attribute INTEGER NOT NULL, entity INTEGER NOT NULL, PRIMARY KEY (attribute, entity)
    ) WITHOUT ROWID, STRICT;
CREATE VIRTUAL TABLE IF NOT EXISTS place USING rtree(number, west, east, south, north);
"""

_WITH_ID: Final = (
    "number IN (SELECT number FROM identifier WHERE id IN (SELECT value FROM json_each(?)))"
)
_WITH_TYPE: Final = (
    "number IN (SELECT entity FROM typed WHERE type IN (SELECT value FROM json_each(?)))"
)
_OF_TYPE: Final = "EXISTS (SELECT 1 FROM typed WHERE type = ? AND entity = number)"
_WITH_ATTRIBUTE: Final = (
    "number IN (SELECT entity FROM having_attribute "
    "WHERE attribute IN (SELECT value FROM json_each(?)))"
)
_IN_BOX: Final = (
    "number IN (SELECT number >> 20 FROM place WHERE "
    "west <= ? AND east >= ? AND south <= ? AND north >= ? AND (number & 1048575) = ?)"
)

_decode: Final = msgspec.json.Decoder(Entity).decode
_encode: Final = msgspec.json.Encoder().encode


class SqliteEntities:
    """An ``EntityStore``."""

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used.
        """
        schemas = (SCHEMA, EVOLUTION_SCHEMA, sqlite_relations.SCHEMA, sqlite_values.SCHEMA)
        self.database = Database(path, "".join(schemas))
        self._names: dict[str, int] = {
            iri: number
            for number, iri in self.database.reader.execute("SELECT number, iri FROM name")
        }
        self._fill_values()

    def close(self) -> None:
        """Release the file."""
        self.database.close()

    def _fill_values(self) -> None:
        """Fill the index of values in a file that was written before there was one."""
        if self.database.reader.execute("SELECT 1 FROM valued LIMIT 1").fetchone() is None:
            with self.transaction() as (db, names):
                rows = db.execute("SELECT number, body FROM entity")
                bodies = ((number, _decode(body)) for number, body in rows)
                net = [(number, Change(None, entity)) for number, entity in bodies]
                sqlite_values.write(db, net, names.of)
                sqlite_values.write_expiring(db, net)

    def get(self, entity_id: str) -> Entity | None:
        """Return an entity."""
        row = self.database.reader.execute(
            "SELECT body FROM entity WHERE number = (SELECT number FROM identifier WHERE id = ?)",
            (entity_id,),
        ).fetchone()
        return None if row is None else _decode(row[0])

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there are."""
        rows = self.database.reader.execute(
            "SELECT body FROM identifier JOIN entity USING (number) "
            "WHERE id IN (SELECT value FROM json_each(?))",
            (_listed(ids),),
        )
        return {entity.id: entity for entity in (_decode(body) for (body,) in rows)}

    def candidates(self, hints: Hints) -> Iterator[Entity]:
        """Yield the entities that hints do not rule out, in the order of their first creation."""
        where, values = self._where(hints)
        rows = self.database.reader.execute(
            "SELECT body FROM entity WHERE " + where + " ORDER BY number",  # noqa: S608  # our words
            values,
        )
        try:
            for (body,) in rows:
                yield _decode(body)
        finally:
            rows.close()

    def count(self, hints: Hints) -> int:
        """Return how many ``candidates`` would yield."""
        if hints.types is not None and hints == Hints(types=hints.types) and len(hints.types) == 1:
            types = [self.number_of(iri) for iri in hints.types]
            sql = "SELECT count(*) FROM typed WHERE type = ?"
            return int(self.database.reader.execute(sql, types).fetchone()[0])
        where, values = self._where(hints)
        (number,) = self.database.reader.execute(
            "SELECT count(*) FROM entity WHERE " + where,  # noqa: S608  # our words
            values,
        ).fetchone()
        return int(number)

    def has_expiring(self) -> bool:
        """Tell whether something may have expired, which is still counted."""
        return self.database.reader.execute("SELECT 1 FROM expiring LIMIT 1").fetchone() is not None

    def types(self) -> Mapping[str, int]:
        """Return how many entities there are of each type."""
        return dict(
            self.database.reader.execute(
                "SELECT iri, count(*) FROM typed JOIN name ON number = type GROUP BY type"
            )
        )

    def attributes(self) -> Mapping[str, int]:
        """Return how many entities have each attribute."""
        return dict(
            self.database.reader.execute(
                "SELECT iri, count(*) FROM having_attribute JOIN name ON number = attribute "
                "GROUP BY attribute"
            )
        )

    def attributes_of_types(self) -> Mapping[str, Collection[str]]:
        """Return the attributes that entities of each type have."""
        found: dict[str, list[str]] = {one: [] for one in self.types()}
        for kind, attribute in self.database.reader.execute(
            "SELECT kind.iri, part.iri FROM "
            "(SELECT DISTINCT type, attribute FROM typed JOIN having_attribute USING (entity)) "
            "JOIN name AS kind ON kind.number = type JOIN name AS part ON part.number = attribute"
        ):
            found[kind].append(attribute)
        return found

    def write(self, changes: Sequence[Change], now_ns: int) -> int:
        """Keep changes, with their evolution; return the number of the last one in the log."""
        with self.transaction() as (db, names):
            numbers = numbers_of(db, [change.id for change in changes])
            net = [(numbers[change.id], change) for change in _net(changes)]
            _write_bodies(db, net)
            sqlite_values.write_expiring(db, net)
            for sets in (_TYPES, _ATTRIBUTES):
                _write_sets(db, sets, net, names)
            _write_places(db, net, names)
            sqlite_values.write(db, net, names.of)
            ties = [step for _, change in net for step in relations.steps(change, now_ns)]
            sqlite_relations.write(db, ties, names.of)
            db.executemany(
                RECORD,
                (
                    (numbers[change.id], names.of(name) if name else 0, *record)
                    for change in changes
                    for name, record in steps(change, now_ns)
                ),
            )
            db.executemany(
                EVER_TYPED,
                (
                    (names.of(iri), numbers[change.id])
                    for change in changes
                    if change.after is not None
                    and (change.before is None or change.before.types != change.after.types)
                    for iri in change.after.types
                ),
            )
            (last,) = db.execute("SELECT coalesce(max(number), 0) FROM evolution").fetchone()
        return int(last)

    def relations(self) -> Iterator[tuple[str, str, str, int, int | None]]:
        """Yield every relation that holds or held: source, name, target, since, until.

        Raises:
            StoreLimit: there are more than a graph may have.
        """
        db = self.database.reader
        if sqlite_relations.count(db) > RELATIONS_MAX:
            raise StoreLimit(f"there are more than {RELATIONS_MAX} relations, past ones counted")
        return sqlite_relations.read(db)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[tuple[sqlite3.Connection, Naming]]:
        """Give the writer and the numbers of names, as ``Database.writing`` does."""
        with self.database.writing() as db:
            known = dict(self._names)
            yield db, Naming(db, known)
            added = known
        self._names = added

    def number_of(self, iri: str) -> int:
        """Return the number of a name; 0 if it was never written."""
        return self._names.get(iri, 0)

    def _where(self, hints: Hints) -> tuple[str, list[Any]]:
        parts, values = ["true"], list[Any]()
        if hints.ids is not None:
            parts.append(_WITH_ID)
            values.append(_listed(hints.ids))
        is_narrow = bool(hints.values) or hints.box is not None
        if hints.types is not None:
            numbers = list(filter(None, map(self.number_of, hints.types)))
            if is_narrow and len(numbers) == 1:
                # Asked of what the other indexes find, instead of listing all of the type.
                parts.append(_OF_TYPE)
                values += numbers
            else:
                parts.append(_WITH_TYPE)
                values.append(_listed(numbers))
        if hints.attributes is not None and not is_narrow:
            parts.append(_WITH_ATTRIBUTE)
            values.append(_listed(filter(None, map(self.number_of, hints.attributes))))
        if (box := hints.box) is not None:
            parts.append(_IN_BOX)
            values += (box.east, box.west, box.north, box.south, self.number_of(box.attribute))
        for need in hints.values:
            part, given = sqlite_values.where(need, self.number_of)
            parts.append(part)
            values += given
        return " AND ".join(parts), values


class _Sets(NamedTuple):
    """A set of names that each entity has, and how it is kept."""

    members: Callable[[Entity], Iterable[str]]
    add: str
    remove: str


_TYPES: Final = _Sets(
    lambda one: one.types,
    "INSERT OR IGNORE INTO typed (type, entity) VALUES (?, ?)",
    "DELETE FROM typed WHERE type = ? AND entity = ?",
)
_ATTRIBUTES: Final = _Sets(
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


def _net(changes: Sequence[Change]) -> list[Change]:
    """Return one change for each entity: from before its first one to after its last."""
    net: dict[str, Change] = {}
    for change in changes:
        first = net.get(change.id)
        net[change.id] = Change(first.before, change.after) if first else change
    return [change for change in net.values() if change.before or change.after]


_Numbered = Sequence[tuple[int, Change]]


def _write_bodies(db: sqlite3.Connection, net: _Numbered) -> None:
    db.executemany(
        "INSERT INTO entity (number, body) VALUES (?, ?) "
        "ON CONFLICT (number) DO UPDATE SET body = excluded.body",
        ((number, _encode(one.after)) for number, one in net if one.after is not None),
    )
    db.executemany(
        "DELETE FROM entity WHERE number = ?",
        ((number,) for number, one in net if one.after is None),
    )


def _write_sets(db: sqlite3.Connection, sets: _Sets, net: _Numbered, names: Naming) -> None:
    added: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    for number, change in net:
        before = set(sets.members(change.before)) if change.before else set[str]()
        after = set(sets.members(change.after)) if change.after else set[str]()
        if before != after:
            added += ((names.of(iri), number) for iri in after - before)
            gone += ((names.of(iri), number) for iri in before - after)
    db.executemany(sets.remove, gone)
    db.executemany(sets.add, added)


def _write_places(db: sqlite3.Connection, net: _Numbered, names: Naming) -> None:
    added: list[tuple[int, float, float, float, float]] = []
    gone: list[tuple[int]] = []
    for number, change in net:
        if geometries_of(change.before) == geometries_of(change.after):
            continue
        before, after = _boxes(change.before), _boxes(change.after)
        if before != after:
            base = number << NAME_BITS
            gone += ((base | names.of(iri),) for iri in before.keys() - after.keys())
            added += (
                (base | names.of(iri), *box) for iri, box in after.items() if before.get(iri) != box
            )
    db.executemany("DELETE FROM place WHERE number = ?", gone)
    db.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?, ?)", added)


def _boxes(entity: Entity | None) -> dict[str, tuple[float, float, float, float]]:
    """Return (west, east, south, north) around the geometries of each attribute."""
    found: dict[str, tuple[float, float, float, float]] = {}
    for iri, instances in entity.attributes.items() if entity else ():
        shapes = [one.value for one in instances if one.kind is AttributeKind.GEO]
        box = box_of(shapes)
        if box is not None:
            found[iri] = box
    return found


def _listed(items: Iterable[Any]) -> bytes:
    return _encode(list(items))
