"""Relation store: relations with the time in which they held, beside the entities in their file.

Rows are written in the transaction of the entities. A relation that still holds has no end; one
that has ended stays, so that the graph of any moment can be read. Numbers stand for objects; an
object need not be an entity, a relation may lead to one that is not there yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from citytwin_hub.entities.relations import Step

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS node (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS relation (
    source INTEGER NOT NULL, name INTEGER NOT NULL, target INTEGER NOT NULL,
    since INTEGER NOT NULL, until INTEGER, PRIMARY KEY (source, name, target, since)
    ) WITHOUT ROWID, STRICT;
"""
_BEGIN: Final = (
    "INSERT INTO relation (source, name, target, since) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET until = NULL"
)
# What ended before it began has never held.
_END: Final = (
    "UPDATE relation SET until = max(since, ?) "
    "WHERE source = ? AND name = ? AND target = ? AND until IS NULL"
)

_encode: Final = msgspec.json.Encoder().encode


def write(
    db: sqlite3.Connection, steps: Sequence[Step], number_of_name: Callable[[str], int]
) -> None:
    """Keep what began and ended; of each relation at most one step."""
    if not steps:
        return
    ids = list(dict.fromkeys(one for step in steps for one in (step.source, step.target)))
    db.executemany("INSERT OR IGNORE INTO node (id) VALUES (?)", ((one,) for one in ids))
    nodes: dict[str, int] = dict(
        db.execute(
            "SELECT id, number FROM node WHERE id IN (SELECT value FROM json_each(?))",
            (_encode(ids),),
        ).fetchall()
    )
    rows = [
        (step, (nodes[step.source], number_of_name(step.name), nodes[step.target]))
        for step in steps
    ]
    db.executemany(_END, ((step.moment_ns, *row) for step, row in rows if not step.begins))
    db.executemany(_BEGIN, ((*row, step.moment_ns) for step, row in rows if step.begins))


def read(db: sqlite3.Connection) -> Iterator[tuple[str, str, str, int, int | None]]:
    """Yield every relation that holds or held: source, name, target, since, until."""
    names = dict(db.execute("SELECT number, iri FROM name"))
    nodes = dict(db.execute("SELECT number, id FROM node"))
    rows = db.execute("SELECT source, name, target, since, until FROM relation")
    for source, name, target, since, until in rows:
        # A relation that was written just now may be between people who were not there.
        if source in nodes and target in nodes and name in names:
            yield nodes[source], names[name], nodes[target], since, until


def count(db: sqlite3.Connection) -> int:
    """Return how many relations hold or held."""
    return int(db.execute("SELECT count(*) FROM relation").fetchone()[0])
