"""How attributes that points give evolved, and what they were at a moment."""

import math
from types import SimpleNamespace

import pytest

from citytwin.point import Source
from citytwin.quality import Quality
from citytwin.testing import VirtualClock
from citytwin_hub.entities.aggregates import Method
from citytwin_hub.entities.durations import Duration
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import TooComplexQuery
from citytwin_hub.entities.evolution_store import Moment, Span
from citytwin_hub.entities.measured import MeasuredEvolution, Then
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.temporal import Temporal
from citytwin_hub.entities.windows import Relation, Wanted, Window
from tests.hub.entities.measuring import measuring, point
from tests.hub.entities.samples import entity, name, prop

TANK, LEVEL = "urn:ngsi-ld:Tank:1", name("level")
S, NOW = 10**9, 10**18
HOUR = 3600 * S


@pytest.fixture
def city(tmp_path):
    clock = VirtualClock(NOW)
    store = SqliteEntities(tmp_path / "entities.db")
    with measuring(tmp_path) as points:
        points.of = SimpleNamespace()
        points.of.rows = points.bind(
            point(1, feeds=TANK), point(2, feeds=TANK, source=Source.FORECAST)
        )
        points.of.entities = Entities(store, clock, points.bindings)
        points.of.store = MeasuredEvolution(store, points.points)
        points.of.temporal = Temporal(points.of.store, clock)
        points.of.entities.create(entity(1, volume=prop(100)))
        clock.advance(10 * HOUR)
        yield points
    store.close()


def values(dated):
    return [(one.time_ns - NOW, one.attribute.value) for one in dated]


def test_samples_are_instances(city):
    for hour in range(5):
        city.give(city.of.rows[0], NOW + hour * HOUR, 1.0 + hour)
    city.history.flush()
    city.give(city.of.rows[0], NOW + 5 * HOUR, math.nan, Quality.BAD_SILENT)
    found = city.of.store.instances(TANK, LEVEL, Span(), limit=100)
    assert values(found) == [*((hour * HOUR, hour + 1) for hour in range(5)), (5 * HOUR, None)]
    assert found[0].attribute.unit_code == "MTR"
    assert len({one.attribute.instance for one in found}) == 6
    newest = city.of.store.instances(TANK, LEVEL, Span(), limit=2, newest=True)
    assert values(newest) == [(5 * HOUR, None), (4 * HOUR, 5)]
    part = Span(Moment.OBSERVED, NOW + HOUR, NOW + 3 * HOUR)
    assert values(city.of.store.instances(TANK, LEVEL, part, limit=100)) == [
        (HOUR, 2),
        (2 * HOUR, 3),
    ]
    assert city.of.store.instances(TANK, LEVEL, Span(Moment.DELETED), limit=100) == []


def test_a_forecast_stands_apart(city):
    city.give(city.of.rows[0], NOW, 1.0)
    city.give(city.of.rows[1], NOW, 2.0)
    dataset = "urn:ngsi-ld:dataset:forecast"
    only = city.of.store.instances(TANK, LEVEL, Span(), datasets=[dataset], limit=10)
    assert [(one.attribute.dataset, one.attribute.value) for one in only] == [(dataset, 2)]
    assert set(city.of.store.series(TANK, LEVEL, Span(), limit=10)) == {"", dataset}


def test_the_evolution_of_an_entity_has_what_points_gave(city):
    city.give(city.of.rows[0], NOW + HOUR, 3.0)
    evolution, part = city.of.temporal.one(TANK, Wanted(attributes=None))
    assert part is None
    assert values(evolution.attributes[LEVEL]) == [(HOUR, 3)]
    assert evolution.attributes[name("volume")][0].attribute.value == 100


def test_samples_are_aggregated(city):
    for minute in range(120):
        city.give(city.of.rows[0], NOW + minute * 60 * S, float(minute))
    city.give(city.of.rows[0], NOW + 30 * 60 * S + 1, math.nan, Quality.BAD_SILENT)
    window = Window(relation=Relation.BETWEEN, at_ns=NOW, end_ns=NOW + 2 * HOUR)
    wanted = Wanted(attributes=frozenset({LEVEL}), window=window)
    evolution, _ = city.of.temporal.one(TANK, wanted)
    found = city.of.temporal.aggregates(evolution, wanted, [Method.AVG], Duration(ns=HOUR))
    (_, by_method) = found[LEVEL][""]
    assert [one[0] for one in by_method[Method.AVG]] == [29.5, 89.5]
    with pytest.raises(TooComplexQuery, match="ask for less time"):
        city.of.store.series(TANK, LEVEL, Span(), limit=100)


def test_an_entity_once_was_what_its_points_had_given_then(city):
    for hour in (1, 2, 3):
        city.give(city.of.rows[0], NOW + hour * HOUR, float(hour))

    def level(hours):
        found = city.of.temporal.at(TANK, NOW + int(hours * HOUR)).attribute(LEVEL)
        return found and (found.value, found.observed_ns - NOW)

    assert level(0.5) is None
    assert level(1) == (1, HOUR)
    assert level(2.9) == (2, 2 * HOUR)
    assert level(9) == (3, 3 * HOUR)
    city.history.flush()
    (found,) = city.of.temporal.all_at(NOW + 2 * HOUR, types=[name("Tank")])
    assert found.attribute(LEVEL).value == 2
    (found,) = city.of.temporal.all_at(NOW + 2 * HOUR)
    assert found.attribute(LEVEL).value == 2


def test_many_points_are_looked_up_at_once(city, monkeypatch):
    monkeypatch.setattr("citytwin_hub.entities.measured._ROWS_MAX", 2)
    rows = city.bind(*(point(10 + one, feeds=TANK, attribute=f"a{one}") for one in range(5)))
    for number, row in enumerate(rows):
        city.give(row, NOW + number, float(number))
    then = Then(city.history, NOW + 3)
    then.look(rows)
    found = then.read(rows)
    assert found.value[:4].tolist() == [0, 1, 2, 3]
    assert found.time_ns.tolist() == [NOW, NOW + 1, NOW + 2, NOW + 3, 0]
    assert then.read().row.tolist() == rows
