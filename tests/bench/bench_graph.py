"""The graph of a city of 100,000 objects: what a question costs, beside two simpler ways.

A district heating network: 200 plants and substations, pipes and valves as a branching tree with
loops, 30,000 buildings; 100,000 objects, 230,000 relations and types. *cold* is the first question
after a relation has changed; *past* the first one about another moment. The dictionary is a walk
over lists of numbers, built beforehand, without time, types or backups. SQLite is a recursive query
over the hub's own rows. Each is the median of several runs; the questions are those of the API.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from citytwin.testing import VirtualClock
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.graph import Graph, View
from citytwin_hub.entities.live_graph import LiveGraph
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.outage import isolation, loss
from citytwin_hub.entities.sqlite import SqliteEntities

OBJECTS: Final = 100_000
BUILDINGS: Final = 30_000
RUNS: Final = 7
BASE: Final = "https://uri.etsi.org/ngsi-ld/default-context/"
HEAD: Final = [
    "question",
    "objects found",
    "warm ms",
    "cold ms",
    "past ms",
    "dictionary ms",
    "SQLite ms",
]
RECURSIVE: Final = """
WITH RECURSIVE reached (number) AS (
    SELECT number FROM node WHERE id = ?
    UNION SELECT target FROM reached JOIN relation ON source = reached.number
    WHERE until IS NULL AND name IN (SELECT number FROM name WHERE iri LIKE '%feeds'))
SELECT count(*) FROM reached
"""


def network() -> tuple[list[Entity], list[list[int]]]:
    """Return the entities, and whom each feeds as lists of numbers."""
    chance = random.Random(5)
    pipes = OBJECTS - BUILDINGS
    feeds: list[list[int]] = [[] for _ in range(OBJECTS)]
    for one in range(1, pipes):
        # Long branches: most pipes go on from one that was laid shortly before.
        feeds[chance.randrange(max(0, one - 40), one)].append(one)
    for _ in range(pipes // 2):
        one = chance.randrange(pipes)
        feeds[one].append(min(pipes - 1, one + chance.randrange(1, 400)))
    for building in range(pipes, OBJECTS):
        feeds[chance.randrange(pipes)].append(building)

    def kind(one: int) -> str:
        if one == 0:
            return "HeatPlant"
        return "Building" if one >= pipes else "Valve" if one % 9 == 0 else "Pipe"

    entities = []
    for one, others in enumerate(feeds):
        urns = [urn(other) for other in dict.fromkeys(others)]
        tie = Attribute(kind=AttributeKind.RELATIONSHIP, value=urns)
        attributes: dict[str, tuple[Attribute, ...]] = {f"{BASE}feeds": (tie,)} if urns else {}
        entities.append(Entity(id=urn(one), types=(BASE + kind(one),), attributes=attributes))
    return entities, feeds


def urn(number: int) -> str:
    """Return the identifier of an object."""
    return f"urn:ngsi-ld:Asset:{number}"


def walk(feeds: list[list[int]], begin: int, closed: int = -1) -> set[int]:
    """Return what is reached from an object past a closed one."""
    seen, queue = {begin}, [begin]
    for one in queue:
        for other in feeds[one]:
            if other not in seen and other != closed:
                seen.add(other)
                queue.append(other)
    return seen


def measured(act: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> str:
    """Return the median time of some runs in milliseconds."""
    took = []
    for _ in range(RUNS):
        before()
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return f"{statistics.median(took) * 1e3:.1f}"


def run() -> list[list[str]]:
    """Return the table."""
    entities, feeds = network()
    upstream: list[list[int]] = [[] for _ in feeds]
    for one, others in enumerate(feeds):
        for other in others:
            upstream[other].append(one)
    valve = 900
    with tempfile.TemporaryDirectory() as folder:
        store, clock = SqliteEntities(Path(folder) / "entities.db"), VirtualClock()
        city = Entities(store, clock)
        live = LiveGraph(city, store.relations)
        began = time.perf_counter()
        for start in range(0, OBJECTS, 1000):
            with city.batch() as batch:
                batch.look([entity.id for entity in entities[start : start + 1000]])
                for entity in entities[start : start + 1000]:
                    batch.create(entity)
        wrote_s = time.perf_counter() - began
        began = time.perf_counter()
        live.ask(lambda _graph, _view: None)
        read_s = time.perf_counter() - began
        table = [HEAD]
        for name, ask, simple, sql in questions(feeds, upstream, valve):
            table.append(row(name, ask, simple, sql, live, store))
        store.close()
    table.append(
        [f"(written: {OBJECTS / wrote_s:,.0f} entities/s; read in {read_s:.1f} s)", *[""] * 6]
    )
    return table


Question = Callable[[Graph, View], int]


def questions(
    feeds: list[list[int]], upstream: list[list[int]], valve: int
) -> list[tuple[str, Question, Callable[[], Any] | None, str]]:
    """Return name, question, the dictionary's way and where SQLite begins."""

    def number(graph: Graph, one: int) -> int:
        return graph.numbers[urn(one)]

    last = OBJECTS - 1

    def way() -> None:
        walk(feeds, 0)

    return [
        (
            "downstream of the plant",
            lambda g, v: len(v.reach([number(g, 0)]).found),
            lambda: walk(feeds, 0),
            urn(0),
        ),
        (
            "upstream of a building",
            lambda g, v: len(v.reach([number(g, last)], against=True).found),
            lambda: walk(upstream, last),
            "",
        ),
        (
            "path from plant to building",
            lambda g, v: int(v.reach([number(g, 0)]).came_from[number(g, last)] >= 0),
            way,
            "",
        ),
        (
            "who loses heat: one valve",
            lambda g, v: len(loss(g, v, [number(g, valve)]).lost),
            lambda: walk(feeds, 0) - walk(feeds, 0, valve),
            "",
        ),
        (
            "who loses heat: a tenth of the pipes",
            lambda g, v: len(loss(g, v, [number(g, one) for one in range(5000, 12000)]).lost),
            None,
            "",
        ),
        (
            "which valves isolate a pipe",
            lambda g, v: len(isolation(g, v, number(g, valve + 1)).segment),
            None,
            "",
        ),
    ]


def row(
    name: str,
    ask: Question,
    simple: Callable[[], Any] | None,
    sql: str,
    live: LiveGraph,
    store: SqliteEntities,
) -> list[str]:
    """Return a row of the table."""
    found = live.ask(ask)
    moments = iter(range(10**18, 10**18 + 1000))

    def edit() -> None:
        graph = live.ask(lambda graph, _view: graph)
        graph.begin(urn(1), f"{BASE}feeds", urn(2), graph.version)
        graph.end(urn(1), f"{BASE}feeds", urn(2), graph.version)

    reader = store.database.reader
    return [
        name,
        f"{found:,}",
        measured(lambda: live.ask(ask)),
        measured(lambda: live.ask(ask), edit),
        measured(lambda: live.ask(ask, next(moments) + 10**18)),
        measured(simple) if simple else "–",
        measured(lambda: reader.execute(RECURSIVE, (sql,)).fetchone()) if sql else "–",
    ]
