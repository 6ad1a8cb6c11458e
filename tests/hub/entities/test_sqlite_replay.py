"""Changes that come once more out of the evolution."""

import random

import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.matching import touched
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_evolution import SqliteEvolution
from citytwin_hub.entities.sqlite_replay import SqliteReplay
from tests.hub.entities.samples import entity, name, prop

LEVEL, FLOW = name("level"), name("flow")


class City:
    """Entities with a clock that moves at each change, and their replay."""

    def __init__(self, folder):
        self.clock = VirtualClock(10**18)
        self.store = SqliteEntities(folder / "entities.db")
        self.entities = Entities(self.store, self.clock)
        self.replay = SqliteReplay(self.store)

    def update(self, entity_id, **attributes):
        self.clock.advance(1_000)
        given = {name(term): instances for term, instances in attributes.items()}
        self.entities.update(entity_id, Fragment(attributes=given))


@pytest.fixture
def city(tmp_path):
    city = City(tmp_path)
    yield city
    city.store.close()


def told(missed):
    return [
        (change.id, change.before is None, change.after is None, sorted(touched(change)))
        for change in missed.changes
    ]


def test_a_new_entity_comes_as_one_with_all_its_attributes(city):
    tank = entity(1, level=prop(3), flow=prop(1))
    city.entities.create(tank)
    missed = city.replay.after(0)
    assert missed.number == city.replay.head() == 3
    (change,) = missed.changes
    assert change.before is None
    assert change.after == city.entities.get(tank.id)
    assert city.replay.after(missed.number) == ([], missed.number)


def test_what_is_provided_as_evolution_is_no_change(city):
    tank = entity(1, level=prop(3))
    evolution = SqliteEvolution(city.store)
    evolution.give(tank, [], city.clock.now_ns())
    assert city.replay.after(0) == ([], 2)
    city.entities.create(tank)
    evolution.give(entity(1, level=prop(9)), [], city.clock.now_ns())
    start = city.replay.head()
    city.update(tank.id, level=(prop(4),))
    evolution.give(entity(1, level=prop(8)), [], city.clock.now_ns())
    (change,) = city.replay.after(start).changes
    assert change.before.attribute(LEVEL).value == 3
    assert change.after.attribute(LEVEL).value == 4
    assert city.replay.after(start).number == city.replay.head()


def test_an_attribute_is_what_it_was_and_what_it_is(city):
    tank = entity(1, level=prop(3), flow=prop(1))
    city.entities.create(tank)
    before, start = city.entities.get(tank.id), city.replay.head()
    city.update(tank.id, level=(prop(4),))
    city.update(tank.id, level=(prop(5), prop(6, dataset="urn:d:1")))
    city.clock.advance(1_000)
    city.entities.delete_attribute(tank.id, FLOW)
    (change,) = city.replay.after(start).changes
    assert change.before.attributes == before.attributes
    assert change.after == city.entities.get(tank.id)
    assert told(city.replay.after(start)) == [
        (
            tank.id,
            False,
            False,
            [(FLOW, "", 4), (LEVEL, "", 2), (LEVEL, "urn:d:1", 1)],
        )
    ]


def test_a_deleted_entity_comes_with_what_it_had(city):
    tank = entity(1, level=prop(3), flow=prop(1))
    city.entities.create(tank)
    before, start = city.entities.get(tank.id), city.replay.head()
    city.clock.advance(1_000)
    city.entities.delete(tank.id)
    (change,) = city.replay.after(start).changes
    assert change.after is None
    assert change.before.types == tank.types
    assert {one: instances[0].value for one, instances in change.before.attributes.items()} == {
        one: instances[0].value for one, instances in before.attributes.items()
    }


def test_an_attribute_that_came_back_was_changed(city):
    tank = entity(1, level=prop(3))
    city.entities.create(tank)
    start = city.replay.head()
    city.clock.advance(1_000)
    city.entities.delete_attribute(tank.id, LEVEL)
    city.update(tank.id, level=(prop(4),))
    assert told(city.replay.after(start)) == [(tank.id, False, False, [(LEVEL, "", 2)])]
    assert city.replay.after(start).changes[0].before.attribute(LEVEL).value == 3


def test_what_was_written_together_stays_together(city):
    with city.entities.batch() as batch:
        for number in range(5):
            batch.create(entity(number, level=prop(number)))
    city.clock.advance(1_000)
    city.entities.create(entity(9, level=prop(9)))
    missed = city.replay.after(0, records_max=3)
    assert len(missed.changes) == 5
    rest = city.replay.after(missed.number, records_max=3)
    assert [change.id for change in rest.changes] == [entity(9).id]
    assert rest.number == city.replay.head()


@pytest.mark.parametrize("seed", range(5))
def test_in_parts_it_tells_of_everything_that_was_touched(city, seed):
    chance = random.Random(seed)
    seen, number = set(), 0
    city.entities.observers.append(
        lambda written: seen.update(change.id for change in written.changes)
    )
    for step in range(60):
        one = entity(chance.randrange(8), level=prop(step))
        city.clock.advance(1_000)
        with city.entities.batch() as batch:
            if batch.get(one.id) is None:
                batch.create(one)
            elif chance.random() < 0.3:
                batch.delete(one.id)
            else:
                batch.upsert(one, update=True)
    replayed = set()
    while number < city.replay.head():
        missed = city.replay.after(number, records_max=7)
        assert missed.number > number
        replayed |= {change.id for change in missed.changes}
        number = missed.number
    there = {one.id for one in city.store.find(seen).values()}
    assert there <= replayed <= seen
