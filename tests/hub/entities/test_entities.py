"""Operations on entities, with what observers are told."""

import itertools
import threading

import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.entities import changes
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import AlreadyExists, ResourceNotFound
from citytwin_hub.entities.fragment import Fragment, Patch
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Hints
from tests.hub.entities.samples import entity, name, prop

LEVEL, FLOW = name("level"), name("flow")


@pytest.fixture
def clock():
    return VirtualClock(10**18)


@pytest.fixture
def entities(tmp_path, clock):
    store = SqliteEntities(tmp_path / "entities.db")
    yield Entities(store, clock)
    store.close()


@pytest.fixture
def told(entities):
    """What observers were told of."""
    told = []
    entities.observers.append(told.append)
    return told


def test_each_operation_is_kept_and_told_once(entities, told):
    tank = entity(1, level=prop(3))
    entities.create(tank)
    entities.append(tank.id, Fragment(attributes={FLOW: (prop(1),)}))
    entities.update(tank.id, Fragment(attributes={FLOW: (prop(2),)}))
    entities.merge(tank.id, Fragment(patches={FLOW: (Patch(value=3),)}))
    entities.patch_attribute(tank.id, FLOW, Patch(value=4))
    entities.replace_attribute(tank.id, FLOW, [prop(5)])
    assert entities.get(tank.id).attribute(FLOW).value == 5
    entities.delete_attribute(tank.id, FLOW)
    entities.replace(entity(1, level=prop(9)))
    assert entities.get(tank.id).attribute(LEVEL).value == 9
    entities.delete(tank.id)
    with pytest.raises(ResourceNotFound):
        entities.get(tank.id)
    assert len(told) == 9
    assert [one.number for one in told] == sorted({one.number for one in told})
    assert told[0].changes[0].before is None
    assert told[-1].changes[0].after is None
    for earlier, later in itertools.pairwise(told):
        assert earlier.changes[0].after == later.changes[0].before


def test_what_changes_nothing_is_not_written(entities, told):
    entities.create(entity(1, level=prop(3)))
    given = Fragment(attributes={LEVEL: (prop(4),)})
    entities.append("urn:ngsi-ld:Tank:1", given, overwrite=False)
    assert len(told) == 1


def test_refusals_change_nothing(entities, told):
    entities.create(entity(1))
    with pytest.raises(AlreadyExists, match="Tank:1"):
        entities.create(entity(1))
    for refused in (
        lambda: entities.delete("urn:ngsi-ld:Tank:2"),
        lambda: entities.append("urn:ngsi-ld:Tank:2", Fragment()),
        lambda: entities.delete_attribute("urn:ngsi-ld:Tank:1", LEVEL),
        lambda: entities.replace(entity(2)),
    ):
        with pytest.raises(ResourceNotFound):
            refused()
    assert len(told) == 1


def test_a_batch_sees_its_own_operations_and_is_kept_whole(entities, told):
    with entities.batch() as batch:
        assert batch.upsert(entity(1, level=prop(1)), update=False)
        assert not batch.upsert(entity(1, flow=prop(2)), update=True)
        batch.create(entity(2))
        with pytest.raises(AlreadyExists):
            batch.create(entity(2))
        batch.delete("urn:ngsi-ld:Tank:2")
        batch.create(entity(2))
    assert set(entities.get("urn:ngsi-ld:Tank:1").attributes) == {LEVEL, FLOW}
    assert len(told) == 1
    with pytest.raises(KeyError), entities.batch() as batch:
        batch.delete("urn:ngsi-ld:Tank:1")
        raise KeyError
    assert entities.get("urn:ngsi-ld:Tank:1")


def test_a_transient_entity_ends_and_makes_room(entities, clock):
    entities.create(entity(1, expires_ns=clock.now_ns() + 10**9))
    assert list(entities.select(Hints()))
    clock.advance(10**9)
    assert not list(entities.select(Hints()))
    assert entities.find(["urn:ngsi-ld:Tank:1"]) == {}
    with pytest.raises(ResourceNotFound):
        entities.delete("urn:ngsi-ld:Tank:1")
    entities.create(entity(1, level=prop(1)))
    assert entities.get("urn:ngsi-ld:Tank:1").created_ns == clock.now_ns()


def test_a_purge_takes_entities_or_attributes(entities):
    with entities.batch() as batch:
        for number in range(2500):
            batch.create(entity(number, level=prop(number), flow=prop(1)))

    def odd(one):
        return one.attribute(LEVEL).value % 2 == 1

    assert entities.purge(Hints(), odd, (), drop=False) == 1250
    assert sum(1 for _ in entities.select(Hints())) == 1250
    assert entities.purge(Hints(), lambda _: True, [LEVEL], drop=False) == 1250
    assert {frozenset(one.attributes) for one in entities.select(Hints())} == {frozenset([LEVEL])}


def test_writers_on_many_threads_lose_nothing(entities):
    entities.create(entity(1, level=prop(0)))

    def count():
        for _ in range(50):
            entities.change(
                "urn:ngsi-ld:Tank:1",
                lambda one, now: changes.update(
                    one,
                    Fragment(attributes={LEVEL: (prop(one.attribute(LEVEL).value + 1),)}),
                    now,
                ),
            )

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert entities.get("urn:ngsi-ld:Tank:1").attribute(LEVEL).value == 200
