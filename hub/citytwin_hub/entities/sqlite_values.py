"""The index of attribute values in SQLite: which entities have a value in a span.

Written in the transaction of what it is of. Decision record 0024 says what is in it and why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.store import Change, ValueSpan
from citytwin_hub.entities.value_keys import Key, are_same, keys_of

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS valued (
    attribute INTEGER NOT NULL, value ANY NOT NULL, entity INTEGER NOT NULL,
    PRIMARY KEY (attribute, value, entity)) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS expiring (entity INTEGER PRIMARY KEY) STRICT;
"""
"""Numbers and texts stand for themselves, truth and moments as ``value_keys.py`` makes them."""

_ADD: Final = "INSERT OR IGNORE INTO valued (attribute, value, entity) VALUES (?, ?, ?)"
_REMOVE: Final = "DELETE FROM valued WHERE attribute = ? AND value = ? AND entity = ?"
_SPAN: Final = "SELECT entity FROM valued WHERE attribute = ? AND value BETWEEN ? AND ?"


def write(
    db: sqlite3.Connection, net: Iterable[tuple[int, Change]], number_of: Callable[[str], int]
) -> None:
    """Keep the index beside some changes, one for each entity."""
    added: list[tuple[int, Key, int]] = []
    gone: list[tuple[int, Key, int]] = []
    for number, change in net:
        before = change.before.attributes if change.before else {}
        after = change.after.attributes if change.after else {}
        for iri, instances in after.items():
            old = before.get(iri, ())
            if old is instances or are_same(old, instances):
                continue
            new_keys, old_keys = keys_of(instances), keys_of(old)
            if new_keys != old_keys:
                name = number_of(iri)
                added += ((name, key, number) for key in new_keys - old_keys)
                gone += ((name, key, number) for key in old_keys - new_keys)
        for iri in before.keys() - after.keys():
            name = number_of(iri)
            gone += ((name, key, number) for key in keys_of(before[iri]))
    db.executemany(_REMOVE, gone)
    # In the order of the index, so that neighbours are found on one page.
    added.sort(key=lambda row: row[0])
    db.executemany(_ADD, added)


def write_expiring(db: sqlite3.Connection, net: Sequence[tuple[int, Change]]) -> None:
    """Keep which entities there are of which something expires."""
    was = ((number,) for number, one in net if _expires(one.before) and not _expires(one.after))
    db.executemany("DELETE FROM expiring WHERE entity = ?", was)
    now = ((number,) for number, one in net if _expires(one.after))
    db.executemany("INSERT OR IGNORE INTO expiring (entity) VALUES (?)", now)


def _expires(entity: Entity | None) -> bool:
    """Tell whether an entity, or an attribute of it, expires."""
    if entity is None:
        return False
    return entity.expires_ns is not None or any(
        one.expires_ns is not None for many in entity.attributes.values() for one in many
    )


def where(need: Sequence[ValueSpan], number_of: Callable[[str], int]) -> tuple[str, list[Any]]:
    """Return the condition that an entity has a value in one of some spans."""
    values: list[Any] = []
    for span in need:
        values += (number_of(span.attribute), span.low, span.high)
    return f"number IN ({' UNION ALL '.join([_SPAN] * len(need))})", values
