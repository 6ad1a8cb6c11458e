"""SqliteReplay: changes of entities once more, out of their evolution.

Who was away is told what he missed: for each entity what changed since, and the entity as it is
now. What it was before is looked up, so that what is told is what would have been told, with
several changes of an attribute taken as one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from citytwin_hub.entities.evolution import Role
from citytwin_hub.entities.model import Attribute, Entity
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Change

RECORDS_MAX: Final = 1000
"""Records that are read at a time, and what else belongs to the last one's moment."""
EARLIER_MAX: Final = 100
"""Earlier records of an attribute that are looked through for the instance of a dataset."""

# What was provided as evolution is no change of an entity, so nobody is told.
_CHANGES: Final = f"role <> {Role.GIVEN:d}"
_NEXT: Final = f"""
SELECT evolution.number, identifier.number, identifier.id, attribute, iri, modified, body
FROM evolution JOIN identifier ON identifier.number = entity
LEFT JOIN name ON name.number = attribute
WHERE evolution.number > ? AND evolution.number <= ? AND {_CHANGES}
ORDER BY evolution.number
"""  # noqa: S608  # our words
_EARLIER: Final = f"""
SELECT body FROM evolution WHERE entity = ? AND attribute = ? AND number <= ? AND {_CHANGES}
ORDER BY number DESC LIMIT ?
"""  # noqa: S608  # our words
_attribute: Final = msgspec.json.Decoder(Attribute).decode
_head: Final = msgspec.json.Decoder(Entity).decode


class Missed(NamedTuple):
    """Changes, and the number of the last record that they come of."""

    changes: list[Change]
    number: int


class _Row(NamedTuple):
    number: int
    entity: int
    id: str
    attribute: int
    name: str | None
    modified: int
    body: bytes


class SqliteReplay:
    """Reads the evolution that ``SqliteEntities`` keeps; on any thread."""

    def __init__(self, store: SqliteEntities) -> None:
        """Read a store."""
        self._store = store

    def head(self) -> int:
        """Return the number of the last record; 0 before the first one."""
        (number,) = self._reader.execute(
            "SELECT coalesce(max(number), 0) FROM evolution"
        ).fetchone()
        return int(number)

    def after(self, number: int, records_max: int = RECORDS_MAX) -> Missed:
        """Return the changes that come after a number; ``number`` itself when there are none."""
        until = self._until(number, records_max)
        rows = [_Row(*row) for row in self._reader.execute(_NEXT, (number, until))]
        if not rows:
            return Missed([], max(number, until))
        by_entity = sorted(rows, key=lambda row: (row.entity, row.number))
        now = self._store.find({row.id for row in rows})
        changes: list[Change] = []
        for (_, entity_id), group in groupby(by_entity, key=lambda row: (row.entity, row.id)):
            change = self._change(list(group), now.get(entity_id), number)
            if change is not None:
                changes.append(change)
        return Missed(changes, until)

    def _until(self, number: int, records_max: int) -> int:
        """Return where to stop: what was written together has one moment and stays together."""
        last = self._reader.execute(
            "SELECT number, modified FROM evolution WHERE number > ? "
            "ORDER BY number LIMIT 1 OFFSET ?",
            (number, records_max - 1),
        ).fetchone()
        if last is None:
            return self.head()
        beyond = self._reader.execute(
            "SELECT number FROM evolution WHERE number > ? AND modified <> ? "
            "ORDER BY number LIMIT 1",
            last,
        ).fetchone()
        return self.head() if beyond is None else int(beyond[0]) - 1

    @property
    def _reader(self) -> sqlite3.Connection:
        return self._store.database.reader

    def _change(self, rows: list[_Row], after: Entity | None, number: int) -> Change | None:
        heads = [row for row in rows if not row.attribute]
        if after is None:
            return _gone(rows, heads)
        if heads:
            first = _head(heads[0].body)
            if first.deleted_ns is None and first.created_ns == heads[0].modified:
                return Change(None, after)
        before = dict(after.attributes)
        key = lambda row: row.name or ""  # noqa: E731
        for name, group in groupby(sorted(rows, key=key), key=key):
            if name:
                self._put_back(before, name, list(group), number)
        return Change(replace(after, attributes=before), after)

    def _put_back(
        self,
        before: dict[str, tuple[Attribute, ...]],
        name: str,
        rows: list[_Row],
        number: int,
    ) -> None:
        """Make the instances of an attribute what they were after the record ``number``."""
        instances = {one.dataset: one for one in before.get(name, ())}
        for dataset, (first, row) in _first_of_each(rows).items():
            instances.pop(dataset, None)
            new = first.deleted_ns is None and first.created_ns == row.modified
            was = None if new else self._earlier(row, number, dataset)
            if was is not None:
                instances[dataset] = was
            elif first.deleted_ns is not None:
                instances[dataset] = replace(first, deleted_ns=None)
        if instances:
            before[name] = tuple(instances.values())
        else:
            before.pop(name, None)

    def _earlier(self, row: _Row, number: int, dataset: str) -> Attribute | None:
        found = self._reader.execute(_EARLIER, (row.entity, row.attribute, number, EARLIER_MAX))
        for (body,) in found:
            attribute = _attribute(body)
            if attribute.dataset == dataset:
                return None if attribute.deleted_ns is not None else attribute
        return None


def _first_of_each(rows: Iterable[_Row]) -> Mapping[str, tuple[Attribute, _Row]]:
    found: dict[str, tuple[Attribute, _Row]] = {}
    for row in rows:
        attribute = _attribute(row.body)
        found.setdefault(attribute.dataset, (attribute, row))
    return found


def _gone(rows: list[_Row], heads: list[_Row]) -> Change | None:
    """Return the deletion of an entity; None where it was made and deleted meanwhile."""
    deleted = _head(heads[-1].body) if heads else None
    if deleted is None or deleted.deleted_ns is None:
        return None  # its deletion comes later
    attributes: dict[str, dict[str, Attribute]] = {}
    for row in rows:
        if row.name and row.modified == heads[-1].modified:
            one = replace(_attribute(row.body), deleted_ns=None)
            attributes.setdefault(row.name, {})[one.dataset] = one
    kept = {name: tuple(instances.values()) for name, instances in attributes.items()}
    return Change(replace(deleted, deleted_ns=None, attributes=kept), None)
