"""The graph that follows its entities, beside one that is read anew."""

import random

from citytwin.testing import VirtualClock
from citytwin_hub.entities import live_graph
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.live_graph import LiveGraph
from citytwin_hub.entities.sqlite import SqliteEntities
from tests.hub.entities.samples import entity, link


def held(graph, view):
    rows = zip(view.tails, view.names, view.heads, strict=True)
    return {(graph.ids[one], graph.names[name], graph.ids[other]) for one, name, other in rows}


def test_it_is_what_would_be_read_anew_at_every_moment(tmp_path):
    store, clock, chance = (
        SqliteEntities(tmp_path / "entities.db"),
        VirtualClock(),
        random.Random(1),
    )
    entities = Entities(store, clock)
    live = LiveGraph(entities, store.relations)
    moments = []
    for step in range(200):
        if step == 20:
            assert live.ask(held)
        clock.advance(10)
        one = chance.randrange(8)
        to = [f"urn:ngsi-ld:Tank:{chance.randrange(8)}" for _ in range(chance.randrange(1, 3))]
        wanted = entity(one, feeds=link(*to))
        with entities.batch() as batch:
            if chance.random() < 0.2 and batch.get(wanted.id):
                batch.delete(wanted.id)
            else:
                batch.upsert(wanted, update=False)
        moments.append(clock.now_ns())
    anew = LiveGraph(Entities(store, clock), store.relations)
    assert live.ask(held) == anew.ask(held)
    for moment_ns in moments[::7]:
        assert live.ask(held, moment_ns) == anew.ask(held, moment_ns)
    assert live.ask(held, moments[100]) != live.ask(held)
    store.close()


def test_views_are_kept_until_something_changes(tmp_path):
    store, clock = SqliteEntities(tmp_path / "entities.db"), VirtualClock()
    entities = Entities(store, clock)
    live = LiveGraph(entities, store.relations)
    entities.create(entity(1, feeds=link("urn:a")))
    first = live.ask(lambda _graph, view: view)
    for moment_ns in range(live_graph.VIEWS_MAX - 1):
        live.ask(held, moment_ns)
    assert live.ask(lambda _graph, view: view) is first
    entities.create(entity(2, feeds=link("urn:a")))
    assert live.ask(lambda _graph, view: view) is not first
    store.close()
