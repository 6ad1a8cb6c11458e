"""The index of attribute values in SQLite: which entities have a value in a span.

Written in the transaction of what it is of. Decision record 0024 says what is in it and why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.store import Change, ValueSpan
from citytwin_hub.entities.value_keys import Key, keys_of

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS valued (
    attribute INTEGER NOT NULL, value ANY NOT NULL, entity INTEGER NOT NULL,
    PRIMARY KEY (attribute, value, entity)) WITHOUT ROWID, STRICT;
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
            if old is instances:
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


def rebuild(
    db: sqlite3.Connection,
    entities: Iterable[tuple[int, Entity]],
    number_of: Callable[[str], int],
) -> None:
    """Fill the index of a file that was written before there was one."""
    write(db, ((number, Change(None, entity)) for number, entity in entities), number_of)


def where(need: Sequence[ValueSpan], number_of: Callable[[str], int]) -> tuple[str, list[Any]]:
    """Return the condition that an entity has a value in one of some spans."""
    values: list[Any] = []
    for span in need:
        values += (number_of(span.attribute), span.low, span.high)
    return f"number IN ({' UNION ALL '.join([_SPAN] * len(need))})", values
