"""What points gave since somebody last looked, as changes of entities."""

from types import SimpleNamespace

import pytest

from citytwin_hub.entities.live_changes import LiveChanges
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Change
from tests.hub.entities.measuring import measuring, point
from tests.hub.entities.samples import entity, name, prop

TANK, PUMP = "urn:ngsi-ld:Tank:1", "urn:ngsi-ld:Pump:2"
NOW = 10**18


@pytest.fixture
def city(tmp_path):
    store = SqliteEntities(tmp_path / "entities.db")
    store.write([Change(None, entity(1, level=prop(0)))], NOW)
    with measuring(tmp_path) as points:
        points.of = SimpleNamespace()
        points.of.rows = points.bind(point(1, feeds=TANK), point(2, feeds=TANK, attribute="flow"))
        points.of.live = LiveChanges(points.bindings, points.twin, store.find)
        yield points
    store.close()


def anybody(_attributes):
    return True


def told(changes, attribute="level"):
    found = []
    for one in changes:
        sides = [side and side.attribute(name(attribute)) for side in one]
        found.append((one.id, *(side and side.value for side in sides)))
    return found


def test_what_was_given_before_is_no_change(city):
    city.give(city.of.rows[0], NOW, 1.5)
    city.of.live.begin(None)
    assert city.of.live.next(anybody) == []
    assert city.of.live.received_ns == NOW


def test_a_change_is_from_what_was_seen_to_the_newest(city):
    city.of.live.begin(None)
    city.give(city.of.rows[0], NOW, 1.5)
    assert told(city.of.live.next(anybody)) == [(TANK, 0, 1.5)]
    for second in (1, 2, 3):
        city.give(city.of.rows[0], NOW + second, 1.5 + second)
    assert told(city.of.live.next(anybody)) == [(TANK, 1.5, 4.5)]
    assert city.of.live.next(anybody) == []


def test_the_other_points_of_an_entity_are_as_they_were(city):
    city.of.live.begin(None)
    city.give(city.of.rows[1], NOW, 7.0)
    city.of.live.next(anybody)
    city.give(city.of.rows[0], NOW, 1.0)
    (change,) = city.of.live.next(anybody)
    assert told([change], "flow") == [(TANK, 7, 7)]
    assert change.before.attribute(name("flow")) == change.after.attribute(name("flow"))


def test_where_nobody_wants_to_know_it_is_seen_all_the_same(city):
    city.of.live.begin(None)
    city.give(city.of.rows[0], NOW, 1.0)
    asked = []
    assert city.of.live.next(asked.append) == []
    assert asked == [{name("level"), name("flow")}]
    city.give(city.of.rows[0], NOW + 1, 2.0)
    assert told(city.of.live.next(anybody)) == [(TANK, 1, 2)]


def test_points_of_entities_that_are_not_there_change_nothing(city):
    (row,) = city.bind(point(9, feeds=PUMP))
    city.of.live.begin(None)
    city.give(row, NOW, 1.0)
    assert city.of.live.next(anybody) == []


def test_after_a_stop_what_came_meanwhile_is_a_change(city):
    city.give(city.of.rows[0], NOW, 1.0)
    city.give(city.of.rows[1], NOW + 5, 2.0)
    city.of.live.begin(NOW)
    (change,) = city.of.live.next(anybody)
    assert told([change], "flow") == [(TANK, None, 2)]
    assert told([change]) == [(TANK, 1, 1)]


def test_what_was_received_after_a_moment_is_told_again(city):
    city.of.live.begin(None)
    city.give(city.of.rows[0], NOW, 1.0)
    city.give(city.of.rows[1], NOW + 5, 2.0)
    city.of.live.next(anybody)
    (change,) = city.of.live.since(NOW)
    assert told([change], "flow") == [(TANK, None, 2)]
    assert told([change]) == [(TANK, 1, 1)]
    assert city.of.live.since(NOW + 5) == []


def test_what_is_stored_is_told_with_what_points_gave(city):
    city.of.live.begin(None)
    city.give(city.of.rows[0], NOW, 1.0)
    written = Change(entity(1, volume=prop(1)), entity(1, volume=prop(2)))
    assert told(city.of.live.overlaid([written])) == [(TANK, None, None)]  # not looked at yet
    city.of.live.next(anybody)
    assert told(city.of.live.overlaid([written, Change(None, entity(1))])) == [
        (TANK, 1, 1),
        (TANK, None, 1),
    ]
