"""Evolution: what an entity's attributes were and when, as records that are only ever added.

Every change of an entity leaves a record for each instance of an attribute that came, changed or
went, and one for the entity's head (types, scopes, expiry) where that did. So the state at any
moment can be read back, the temporal evolution (ETSI GS CIM 009, clause 4.5.7) is a query, and
subscribers can go on from any number. Record numbers are never used twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from citytwin_hub.entities.model import Attribute, Entity
from citytwin_hub.entities.store import Change

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS evolution (
    number INTEGER PRIMARY KEY AUTOINCREMENT, entity INTEGER NOT NULL, attribute INTEGER NOT NULL,
    dataset TEXT NOT NULL, role INTEGER NOT NULL DEFAULT 0, observed INTEGER,
    modified INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS evolution_of ON evolution
    (entity, attribute, dataset, modified, role);
CREATE INDEX IF NOT EXISTS evolution_observed ON evolution (entity, attribute, observed)
    WHERE observed IS NOT NULL;
CREATE TABLE IF NOT EXISTS ever_typed (
    type INTEGER NOT NULL, entity INTEGER NOT NULL, PRIMARY KEY (type, entity)
    ) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS forgotten (
    entity INTEGER PRIMARY KEY, before INTEGER NOT NULL) STRICT;
"""
"""``attribute`` 0 is the entity's head: its body is the entity without attributes.

``ever_typed``: every type that an entity has ever had. ``forgotten``: from when on the state of an
entity is known; number 0 stands for all of them.
"""
RECORD: Final = (
    "INSERT INTO evolution (entity, attribute, dataset, observed, modified, body) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
EVER_TYPED: Final = "INSERT OR IGNORE INTO ever_typed (type, entity) VALUES (?, ?)"
Record = tuple[str, int | None, int, bytes]
"""``datasetId``, ``observedAt`` and moment of the record in nanoseconds, and the attribute or head
as JSON."""


class Role(IntEnum):
    """What a record is part of."""

    CHANGE = 0
    """A change of the entity: part of its state from then on, and of its temporal evolution."""
    GIVEN = 1
    """What was provided as temporal evolution: never part of the entity's state."""
    STATE = 2
    """A change that was deleted from the temporal evolution, but past states need it."""


_encode: Final = msgspec.json.Encoder().encode


def steps(change: Change, now_ns: int) -> Iterator[tuple[str, Record]]:
    """Yield the records of a change with the attribute's IRI; the head's is empty."""
    before, after = change.before, change.after
    if after is None:
        if before is not None:
            for name, instances in before.attributes.items():
                for gone in instances:
                    yield name, attribute_record(_ended(gone, now_ns), now_ns)
            yield "", head_record(replace(before, modified_ns=now_ns, deleted_ns=now_ns), now_ns)
        return
    said = before is None or _head(before) != _head(after)
    if said:
        yield "", head_record(after, now_ns)
    for name, instances in after.attributes.items():
        old = before.attributes.get(name, ()) if before else ()
        if old is instances:
            continue
        known = {one.dataset: one for one in old}
        for one in instances:
            if known.get(one.dataset) != one:
                said = True
                yield name, attribute_record(one, now_ns)
    for name, instances in before.attributes.items() if before else ():
        left = {one.dataset for one in after.attributes.get(name, ())}
        for gone in instances:
            if gone.dataset not in left:
                said = True
                yield name, attribute_record(_ended(gone, now_ns), now_ns)
    if not said and before is not None and before.modified_ns != after.modified_ns:
        yield "", head_record(after, now_ns)


def attribute_record(instance: Attribute, now_ns: int) -> Record:
    """Return the record of an instance of an attribute."""
    return instance.dataset, instance.observed_ns, now_ns, _encode(instance)


def head_record(entity: Entity, now_ns: int) -> Record:
    """Return the record of an entity's head."""
    return "", None, now_ns, _encode(replace(entity, attributes={}))


def _ended(instance: Attribute, now_ns: int) -> Attribute:
    return replace(instance, modified_ns=now_ns, deleted_ns=now_ns)


def _head(entity: Entity) -> tuple[object, ...]:
    # An entity that comes again after it has expired has another moment of creation.
    return entity.types, entity.scopes, entity.expires_ns, entity.created_ns
