"""Relations beside their entities, whole or not at all, and after a restart."""

import pytest

from citytwin_hub.entities.relations import TYPE
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, link, name, prop


def rows(store):
    return sorted(row for row in store.relations() if row[1] != TYPE)


def test_relations_are_kept_with_their_time(tmp_path):
    store = SqliteEntities(tmp_path / "entities.db")
    first, second = entity(1, feeds=link("urn:a")), entity(1, feeds=link("urn:b"))
    store.write([Change(None, first)], 10)
    store.write([Change(first, second)], 20)
    store.write([Change(second, first)], 30)
    store.write([Change(first, None)], 40)
    store.close()
    store = SqliteEntities(tmp_path / "entities.db")
    one, feeds = first.id, name("feeds")
    assert rows(store) == [
        (one, feeds, "urn:a", 10, 20),
        (one, feeds, "urn:a", 30, 40),
        (one, feeds, "urn:b", 20, 30),
    ]
    # Gone and there again at the same moment: it holds.
    store.write([Change(None, first)], 30)
    assert (one, feeds, "urn:a", 30, None) in rows(store)
    store.close()


def test_nothing_is_kept_of_a_batch_that_fails(tmp_path):
    store = SqliteEntities(tmp_path / "entities.db")
    bad = entity(2, level=prop(object()))
    with pytest.raises(TypeError):
        store.write([Change(None, entity(1, feeds=link("urn:a"))), Change(None, bad)], 10)
    assert list(store.relations()) == []
    store.close()
