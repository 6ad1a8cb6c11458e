"""EvolutionWriter: what is provided as evolution, and what of it is deleted, in SQLite.

What was provided is never part of an entity's state, so it can go. A change of the entity that is
deleted from its evolution stays where states of the past need it (``Role.STATE``); only when the
whole evolution is deleted, past states go with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from citytwin_hub.entities.changes import patched
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.evolution import EVER_TYPED, Role
from citytwin_hub.entities.evolution_store import INSTANCE
from citytwin_hub.entities.fragment import Patch
from citytwin_hub.entities.model import NULL, Attribute, Entity
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_rows import numbers_of

TRIM_RECORDS_MAX: Final = 10_000
"""Looked at in one transaction, so that no writer waits long."""

_INSERT: Final = (
    "INSERT INTO evolution (entity, attribute, dataset, role, observed, modified, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SEEN: Final = f"role <> {Role.STATE:d}"
_STATE: Final = f"role <> {Role.GIVEN:d}"
_TRIM: Final = (
    "DELETE FROM evolution WHERE number IN (SELECT number FROM evolution AS old "  # noqa: S608
    "WHERE number > :after AND number <= :upto AND modified < :before AND ("
    # Without a head nothing else of an entity can be found.
    f"(NOT {_STATE} AND (attribute > 0 OR NOT EXISTS (SELECT 1 FROM evolution AS later "
    "WHERE later.entity = old.entity AND later.modified >= :before))) "
    "OR EXISTS (SELECT 1 FROM evolution AS new WHERE new.entity = old.entity "
    "AND new.attribute = old.attribute AND new.dataset = old.dataset AND "
    f"new.{_STATE} AND new.modified >= old.modified AND new.modified <= :before "
    "AND new.number > old.number) "
    "OR EXISTS (SELECT 1 FROM evolution AS head WHERE head.number = (SELECT max(number) "
    f"FROM evolution WHERE entity = old.entity AND attribute = 0 AND {_STATE} "
    "AND modified <= :before) AND json_extract(CAST(head.body AS TEXT), '$.x') IS NOT NULL)))"
)

_attribute: Final = msgspec.json.Decoder(Attribute).decode
_entity: Final = msgspec.json.Decoder(Entity).decode
_encode: Final = msgspec.json.Encoder().encode


class EvolutionWriter:
    """The writing half of ``SqliteEvolution``."""

    def __init__(self, entities: SqliteEntities) -> None:
        """Stand on the file of a tenant's entities, which closes it."""
        self._entities = entities

    @property
    def _reader(self) -> sqlite3.Connection:
        return self._entities.database.reader

    def _name(self, iri: str) -> int:
        """Return the number of an attribute's name; a number that no record has if it has none."""
        return self._entities.number_of(iri) or -1

    def give(self, entity: Entity, scopes: Sequence[Attribute], now_ns: int) -> bool:
        """Add to an entity's evolution; return whether it had none."""
        entity = replace(entity, created_ns=now_ns, modified_ns=now_ns)
        with self._entities.transaction() as (db, names):
            number = numbers_of(db, [entity.id])[entity.id]
            known = [
                _entity(body)
                for (body,) in db.execute(
                    "SELECT body FROM evolution "  # noqa: S608  # our words
                    f"WHERE entity = ? AND attribute = 0 AND {_SEEN}",
                    (number,),
                )
            ]
            types = {iri for head in known for iri in head.types}
            if not known or not types.issuperset(entity.types):
                head = replace(entity, scopes=(), attributes={})
                _insert(db, (number, 0, "", Role.GIVEN, None, now_ns, _encode(head)))
                db.executemany(EVER_TYPED, [(names.of(iri), number) for iri in entity.types])
            for scope in scopes:
                head = replace(entity, scopes=tuple(scope.value), attributes={})
                body = _encode(head)
                _insert(db, (number, 0, "", Role.GIVEN, scope.observed_ns, now_ns, body))
            for name, instances in entity.attributes.items():
                for instance in instances:
                    _give(db, number, names.of(name), instance, now_ns)
        return not known

    def forget(self, entity_id: str, now_ns: int) -> bool:
        """Delete an entity's evolution but for what it is now; return whether there was one."""
        with self._entities.transaction() as (db, _):
            number = _number(db, entity_id)
            if not db.execute(
                f"SELECT 1 FROM evolution WHERE entity = ? AND {_SEEN} LIMIT 1",  # noqa: S608
                (number,),
            ).fetchone():
                return False
            lives = db.execute("SELECT 1 FROM entity WHERE number = ?", (number,)).fetchone()
            kept = (
                "SELECT max(number) FROM evolution "  # noqa: S608  # our words
                f"WHERE entity = ? AND {_STATE} GROUP BY attribute, dataset"
                if lives
                else "SELECT 0 WHERE ? < 0"
            )
            db.execute(
                "DELETE FROM evolution WHERE entity = ? "  # noqa: S608  # our words
                f"AND number NOT IN ({kept})",
                (number, number),
            )
            db.execute("UPDATE evolution SET role = ? WHERE entity = ?", (Role.STATE, number))
            db.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (number, now_ns))
        return True

    def forget_attribute(self, entity_id: str, attribute: str, dataset: str | None) -> bool:
        """Delete the instances of an attribute, of one dataset or of all (None)."""
        with self._entities.transaction() as (db, _):
            key = (_number(db, entity_id), self._name(attribute), dataset)
            return _forget(
                db, "entity = ?1 AND attribute = ?2 AND (?3 IS NULL OR dataset = ?3)", key
            )

    def forget_instance(self, entity_id: str, attribute: str, instance: str) -> bool:
        """Delete one instance."""
        with self._entities.transaction() as (db, _):
            found = self._find(db, entity_id, attribute, instance)
            return found is not None and _forget(db, "number = ?", (found,))

    def change_instance(
        self, entity_id: str, attribute: str, instance: str, patch: Patch, now_ns: int
    ) -> bool:
        """Change one instance, which keeps its identifier."""
        with self._entities.transaction() as (db, _):
            found = self._find(db, entity_id, attribute, instance)
            if found is None:
                return False
            role, body, key = db.execute(
                "SELECT role, body, entity FROM evolution WHERE number = ?", (found,)
            ).fetchone()
            before = _attribute(body)
            if patch.kind not in {None, before.kind}:
                raise BadRequestData(f"{instance} is a {before.kind}; it cannot become another")
            after = patched(before, replace(patch, dataset=before.dataset), now_ns)
            if role == Role.GIVEN:
                _update(db, found, after, now_ns)
            else:
                # What the entity was stays what it was.
                _forget(db, "number = ?", (found,))
                after = replace(after, instance=instance)
                name = self._name(attribute)
                _insert(db, _given(key, name, after, now_ns))
        return True

    def end_attribute(
        self, entity_id: str, attribute: str, dataset: str | None, now_ns: int
    ) -> bool:
        """Note the deletion of an attribute that only evolution has; '' is the scope."""
        with self._entities.transaction() as (db, _):
            number = _number(db, entity_id)
            name = self._name(attribute) if attribute else 0
            latest = db.execute(
                "SELECT body FROM evolution WHERE number IN "  # noqa: S608  # our words
                f"(SELECT max(number) FROM evolution WHERE entity = ?1 AND attribute = ?2 AND "
                f"{_SEEN} AND (?3 IS NULL OR dataset = ?3) GROUP BY dataset)",
                (number, name, dataset),
            ).fetchall()
            if not attribute:
                return _end_scope(db, number, latest, now_ns)
            ended = [one for one in (_attribute(body) for (body,) in latest) if not one.deleted_ns]
            for one in ended:
                gone = Attribute(
                    kind=one.kind, value=NULL, dataset=one.dataset, created_ns=one.created_ns,
                    modified_ns=now_ns, deleted_ns=now_ns,
                )  # fmt: skip
                _insert(db, _given(number, name, gone, now_ns))
        return bool(ended)

    def trim(self, before_ns: int) -> int:
        """Delete what is older, apart from what states since then need; return how many records."""
        deleted = after = 0
        while True:
            with self._entities.transaction() as (db, _):
                (upto,) = db.execute(
                    "SELECT max(number) FROM (SELECT number FROM evolution WHERE number > ? "
                    "AND modified < ? ORDER BY number LIMIT ?)",
                    (after, before_ns, TRIM_RECORDS_MAX),
                ).fetchone()
                if upto is None:
                    return deleted
                bounds = {"after": after, "upto": upto, "before": before_ns}
                deleted += db.execute(_TRIM, bounds).rowcount
                db.execute(
                    "INSERT INTO forgotten VALUES (0, ?) ON CONFLICT (entity) "
                    "DO UPDATE SET before = max(before, excluded.before)",
                    (before_ns,),
                )
            after = upto

    def _find(
        self, db: sqlite3.Connection, entity_id: str, attribute: str, instance: str
    ) -> int | None:
        """Return the number of the record that is an instance now."""
        key = (_number(db, entity_id), self._name(attribute))
        given = instance.removeprefix(INSTANCE)
        number = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
        row = db.execute(
            "SELECT number FROM evolution WHERE entity = ?1 AND attribute = ?2 "  # noqa: S608
            f"AND {_SEEN} AND number = ?3",
            (*key, number),
        ).fetchone()
        if row is None and number:
            row = db.execute(
                "SELECT number FROM evolution WHERE entity = ? AND attribute = ? AND role = ? "
                "AND json_extract(CAST(body AS TEXT), '$.i') = ?",
                (*key, Role.GIVEN, instance),
            ).fetchone()
        return None if row is None else int(row[0])


def _number(db: sqlite3.Connection, entity_id: str) -> int:
    row = db.execute("SELECT number FROM identifier WHERE id = ?", (entity_id,)).fetchone()
    return -1 if row is None else int(row[0])


def _insert(db: sqlite3.Connection, record: tuple[Any, ...]) -> None:
    db.execute(_INSERT, record)


def _given(entity: int, name: int, instance: Attribute, now_ns: int) -> tuple[Any, ...]:
    body = _encode(instance)
    return entity, name, instance.dataset, Role.GIVEN, instance.observed_ns, now_ns, body


def _update(db: sqlite3.Connection, number: int, instance: Attribute, now_ns: int) -> None:
    db.execute(
        "UPDATE evolution SET observed = ?, modified = ?, body = ? WHERE number = ?",
        (instance.observed_ns, now_ns, _encode(instance), number),
    )


def _give(db: sqlite3.Connection, entity: int, name: int, instance: Attribute, now_ns: int) -> None:
    """Add an instance, in the place of that with its dataset and ``observedAt`` if there is one."""
    given = replace(instance, created_ns=now_ns, modified_ns=now_ns, instance="")
    if given.observed_ns is not None:
        row = db.execute(
            "SELECT number, role, body FROM evolution "  # noqa: S608  # our words
            "WHERE entity = ? AND attribute = ? AND observed = ? AND dataset = ? "
            f"AND {_SEEN} ORDER BY number DESC LIMIT 1",
            (entity, name, given.observed_ns, given.dataset),
        ).fetchone()
        if row is not None:
            number, role, body = row
            before = _attribute(body)
            given = replace(given, created_ns=before.created_ns, instance=before.instance)
            if role == Role.GIVEN:
                _update(db, number, given, now_ns)
                return
            _forget(db, "number = ?", (number,))
            given = replace(given, instance=f"{INSTANCE}{number}")
    _insert(db, _given(entity, name, given, now_ns))


def _forget(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> bool:
    """Take records out of the evolution; return whether there were any."""
    gone = db.execute(
        f"DELETE FROM evolution WHERE {where} AND role = {Role.GIVEN:d}",  # noqa: S608
        values,
    ).rowcount
    hidden = db.execute(
        f"UPDATE evolution SET role = {Role.STATE:d} "  # noqa: S608  # our words
        f"WHERE {where} AND role = {Role.CHANGE:d}",
        values,
    ).rowcount
    return gone + hidden > 0


def _end_scope(
    db: sqlite3.Connection, number: int, latest: list[tuple[bytes]], now_ns: int
) -> bool:
    head = _entity(latest[0][0]) if latest else None
    if head is None or not head.scopes:
        return False
    ended = replace(head, scopes=(), modified_ns=now_ns, deleted_ns=now_ns)
    _insert(db, (number, 0, "", Role.GIVEN, None, now_ns, _encode(ended)))
    return True
