"""Evolution: what an entity's attributes were and when, as records that are only ever added.

Every change of an entity leaves a record for each instance of an attribute that came, changed or
went, and one for the entity's head (types, scopes, expiry) where that did. So the state at any
moment can be read back, the temporal evolution (ETSI GS CIM 009, clause 4.5.7) is a query, and
subscribers can go on from any number. Record numbers are never used twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from citytwin_hub.entities.model import Attribute, Entity
from citytwin_hub.entities.store import Change

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS evolution (
    number INTEGER PRIMARY KEY AUTOINCREMENT, entity INTEGER NOT NULL, attribute INTEGER NOT NULL,
    observed INTEGER, modified INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS evolution_of ON evolution (entity, attribute, observed);
"""
"""``attribute`` 0 is the entity's head: its body is the entity without attributes."""
RECORD: Final = (
    "INSERT INTO evolution (entity, attribute, observed, modified, body) VALUES (?, ?, ?, ?, ?)"
)
Record = tuple[int | None, int, bytes]
"""``observedAt`` and moment of the record in nanoseconds, and the attribute or head as JSON."""

_encode: Final = msgspec.json.Encoder().encode


def steps(change: Change, now_ns: int) -> Iterator[tuple[str, Record]]:
    """Yield the records of a change with the attribute's IRI; the head's is empty."""
    before, after = change.before, change.after
    if after is None:
        if before is not None:
            for name, instances in before.attributes.items():
                for gone in instances:
                    yield name, attribute_record(_ended(gone, now_ns), now_ns)
            yield "", head_record(replace(before, deleted_ns=now_ns), now_ns)
        return
    if before is None or _head(before) != _head(after):
        yield "", head_record(after, now_ns)
    for name, instances in after.attributes.items():
        old = before.attributes.get(name, ()) if before else ()
        if old is instances:
            continue
        known = {one.dataset: one for one in old}
        for one in instances:
            if known.get(one.dataset) != one:
                yield name, attribute_record(one, now_ns)
    for name, instances in before.attributes.items() if before else ():
        left = {one.dataset for one in after.attributes.get(name, ())}
        for gone in instances:
            if gone.dataset not in left:
                yield name, attribute_record(_ended(gone, now_ns), now_ns)


def attribute_record(instance: Attribute, now_ns: int) -> Record:
    """Return the record of an instance of an attribute."""
    return instance.observed_ns, now_ns, _encode(instance)


def head_record(entity: Entity, now_ns: int) -> Record:
    """Return the record of an entity's head."""
    return None, now_ns, _encode(replace(entity, attributes={}))


def _ended(instance: Attribute, now_ns: int) -> Attribute:
    return replace(instance, modified_ns=now_ns, deleted_ns=now_ns)


def _head(entity: Entity) -> tuple[object, ...]:
    return entity.types, entity.scopes, entity.expires_ns
