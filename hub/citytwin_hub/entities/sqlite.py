"""SqliteEntities: the entities of one tenant in one SQLite file, with their evolution.

An entity's row holds all of it; beside it lie what a query is narrowed down by: types, attributes
and the boxes of its geometries (R*Tree). Numbers stand for identifiers and names, and are never
given twice: an identifier that comes again after a deletion continues its evolution.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from citytwin.errors import StoreLimit
from citytwin_hub.entities import relations, sqlite_relations, sqlite_values
from citytwin_hub.entities.database import Database
from citytwin_hub.entities.evolution import EVER_TYPED, RECORD, steps
from citytwin_hub.entities.evolution import SCHEMA as EVOLUTION_SCHEMA
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.sqlite_rows import (
    ATTRIBUTES,
    TYPES,
    Naming,
    numbers_of,
    taken_together,
    write_bodies,
    write_places,
    write_sets,
)
from citytwin_hub.entities.store import Change, Hints

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
_THINNED: Final = (
    "number IN (SELECT min(number) >> 20 FROM (SELECT number, west, south, "
    "max(east - west, north - south) >= ? AS large FROM place WHERE "
    "west <= ? AND east >= ? AND south <= ? AND north >= ? AND (number & 1048575) = ? AND "
    "(? IS NULL OR number >> 20 IN (SELECT entity FROM typed WHERE type IN "
    "(SELECT value FROM json_each(?))))) "
    "GROUP BY CASE WHEN large THEN number END, CASE WHEN NOT large THEN CAST(west / ? AS INTEGER) "
    "END, CASE WHEN NOT large THEN CAST(south / ? AS INTEGER) END)"
)
_AFTER: Final = "number > (SELECT number FROM identifier WHERE id = ?)"

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

    def known_ids(self) -> list[str]:
        """Return the identifiers of all entities that there are or were."""
        return [one for (one,) in self.database.reader.execute("SELECT id FROM identifier")]

    def changed_ids(self) -> list[str]:
        """Return the identifiers of entities of which something was written after moment 0."""
        rows = self.database.reader.execute(
            "SELECT id FROM identifier WHERE number IN "
            "(SELECT entity FROM evolution WHERE modified > 0)"
        )
        return [one for (one,) in rows]

    def extents(self, attribute: str) -> Mapping[str, tuple[float, float, float, float]]:
        """Return west, south, east, north around the geometries of an attribute, by type."""
        rows = self.database.reader.execute(
            # Place by place of each type: the R*Tree is found by number, typed not by entity.
            "SELECT iri, min(west), min(south), max(east), max(north) FROM typed "
            "CROSS JOIN place ON place.number = (entity << 20 | ?) "
            "JOIN name ON name.number = type GROUP BY type",
            (self.number_of(attribute),),
        )
        return {iri: tuple(box) for iri, *box in rows}

    def changed(self) -> int:
        """Return the number of the last record in the log, also when that was deleted since."""
        row = self.database.reader.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'evolution'"
        ).fetchone()
        return 0 if row is None else int(row[0])

    def write(self, changes: Sequence[Change], now_ns: int) -> int:
        """Keep changes, with their evolution; return the number of the last one in the log."""
        with self.transaction() as (db, names):
            numbers = numbers_of(db, [change.id for change in changes])
            net = [(numbers[change.id], change) for change in taken_together(changes)]
            write_bodies(db, net)
            sqlite_values.write_expiring(db, net)
            for sets in (TYPES, ATTRIBUTES):
                write_sets(db, sets, net, names)
            write_places(db, net, names)
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

    def _numbers(self, iris: Iterable[str]) -> bytes:
        return _listed(filter(None, map(self.number_of, iris)))

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
            values.append(self._numbers(hints.attributes))
        if (box := hints.box) is not None:
            inside = (box.east, box.west, box.north, box.south, self.number_of(box.attribute))
            if hints.cell:
                parts.append(_THINNED)
                # Among those of the types that are wanted: else another's could stand for a cell.
                types = None if hints.types is None else self._numbers(hints.types)
                values += (hints.cell, *inside, types, types, hints.cell, hints.cell)
            else:
                parts.append(_IN_BOX)
                values += inside
        for need in hints.values:
            part, given = sqlite_values.where(need, self.number_of)
            parts.append(part)
            values += given
        if hints.after:
            parts.append(_AFTER)
            values.append(hints.after)
        return " AND ".join(parts), values


def _listed(items: Iterable[Any]) -> bytes:
    return _encode(list(items))
