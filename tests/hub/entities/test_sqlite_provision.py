"""What is provided as evolution, and what of it goes, in the file; see also test_temporal.py."""

import pytest

from citytwin_hub.entities import sqlite_provision
from citytwin_hub.entities.changes import created
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.evolution_store import EVER
from citytwin_hub.entities.fragment import Patch
from citytwin_hub.entities.model import AttributeKind
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_evolution import SqliteEvolution
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, name, prop

LEVEL = name("level")
TANK = "urn:ngsi-ld:Tank:1"


@pytest.fixture
def entities(tmp_path):
    store = SqliteEntities(tmp_path / "entities.db")
    yield store
    store.close()


@pytest.fixture
def store(entities):
    return SqliteEvolution(entities)


def test_names_that_come_with_evolution_are_known_to_the_entities(entities, store):
    store.give(entity(1, level=prop(1)), [], 10)
    tank = created(entity(1, level=prop(2)), 20)
    entities.write([Change(None, tank)], 20)
    assert [one.attribute.value for one in store.instances(TANK, LEVEL, EVER, limit=9)] == [1, 2]


def test_an_instance_stays_of_its_kind(store):
    store.give(entity(1, level=prop(1)), [], 10)
    (one,) = store.instances(TANK, LEVEL, EVER, limit=9)
    patch = Patch(kind=AttributeKind.RELATIONSHIP, value="urn:x:1")
    with pytest.raises(BadRequestData, match="Property"):
        store.change_instance(TANK, LEVEL, one.attribute.instance, patch, 20)


def test_trimming_goes_on_until_it_is_done(store, monkeypatch):
    monkeypatch.setattr(sqlite_provision, "TRIM_RECORDS_MAX", 3)
    store.give(entity(1, level=tuple(prop(at) for at in range(10))), [], 10)
    store.give(entity(1, level=prop(11)), [], 30)
    assert store.trim(20) == 10
    assert len(store.heads(TANK)) == 1
    assert [one.attribute.value for one in store.instances(TANK, LEVEL, EVER, limit=99)] == [11]
    assert store.trim(40) == 2
    assert not store.heads(TANK)
