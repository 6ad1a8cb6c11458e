"""Attributes that points give: read at the moment, never copied, never mistaken."""

import math

import pytest

from citytwin import Batch, Point
from citytwin.point import Source
from citytwin.quality import Quality
from citytwin.testing import VirtualClock
from citytwin_hub.entities.bindings import Bindings
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.model import AttributeKind
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Hints
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin
from tests.hub.entities.samples import entity, name, prop

TANK = "urn:ngsi-ld:Tank:1"
LEVEL, QUALITY = name("level"), name("quality")
NOW = 10**18


def point(number, source=Source.MEASURED, feeds=TANK):
    return Point(id=f"g-1/d/p{number}", unit="m", feeds=feeds, attribute="level", source=source)


@pytest.fixture
def city(tmp_path):
    registry, twin, clock = Registry(tmp_path / "registry.db"), Twin(), VirtualClock(NOW)
    store = SqliteEntities(tmp_path / "entities.db")
    entities = Entities(store, clock, Bindings(registry, twin, name))
    entities.create(entity(1, level=prop(0), volume=prop(100)))
    yield entities, registry, twin
    store.close()
    registry.close()


def test_an_entity_shows_what_its_point_measures_now(city):
    entities, registry, twin = city
    (row,) = registry.rows([point(1)])
    assert entities.get(TANK).attribute(LEVEL).value == 0  # nothing has been measured yet
    twin.apply(Batch.of([row], NOW + 5, [3.25]), NOW + 9)
    level = entities.get(TANK).attribute(LEVEL)
    assert (level.value, level.unit_code, level.observed_ns) == (3.25, "MTR", NOW + 5)
    assert level.parts == {}
    assert entities.get(TANK).modified_ns == NOW + 9
    assert entities.find([TANK])[TANK].attribute(LEVEL).value == 3.25
    (found,) = entities.select(Hints(attributes=[LEVEL]))
    assert found.attribute(LEVEL).value == 3.25
    assert entities.store.get(TANK).attribute(LEVEL).value == 0


def test_a_failed_reading_is_no_number_and_says_why(city):
    entities, registry, twin = city
    (row,) = registry.rows([point(1)])
    twin.apply(Batch.of([row], NOW, [math.nan], Quality.BAD_SILENT), NOW)
    level = entities.get(TANK).attribute(LEVEL)
    assert (level.kind, level.value) == (AttributeKind.JSON, None)
    assert level.parts[QUALITY][0].value == "bad: silent"
    twin.apply(Batch.of([row], NOW + 1, [7.0], Quality.UNCERTAIN_RANGE), NOW + 1)
    level = entities.get(TANK).attribute(LEVEL)
    assert (level.kind, level.value) == (AttributeKind.PROPERTY, 7)
    assert level.parts[QUALITY][0].value == "uncertain: range"


def test_forecast_and_simulated_stand_beside_what_is_measured(city):
    entities, registry, twin = city
    rows = registry.rows([point(1), point(2, Source.FORECAST), point(3, Source.SIMULATED)])
    twin.apply(Batch.of(rows, NOW, [1.0, 2.0, 3.0]), NOW)
    values = {one.dataset: one.value for one in entities.get(TANK).attributes[LEVEL]}
    assert values == {
        "": 1,
        "urn:ngsi-ld:dataset:forecast": 2,
        "urn:ngsi-ld:dataset:simulated": 3,
    }


def test_a_point_that_is_gone_or_moved_gives_nothing_any_more(city):
    entities, registry, twin = city
    (row,) = registry.rows([point(1)])
    twin.apply(Batch.of([row], NOW, [1.0]), NOW)
    assert entities.get(TANK).attribute(LEVEL).value == 1
    registry.rows([point(1, feeds="urn:ngsi-ld:Tank:2")])
    assert entities.get(TANK).attribute(LEVEL).value == 0


def test_what_is_measured_is_not_written(city):
    entities, registry, _ = city
    registry.rows([point(1)])
    measured = Fragment(attributes={LEVEL: (prop(9),)})
    with pytest.raises(BadRequestData, match=r"given by the point g-1/d/p1"):
        entities.update(TANK, measured)
    with pytest.raises(BadRequestData, match=LEVEL):
        entities.append(TANK, measured)
    with pytest.raises(BadRequestData, match="another datasetId"):
        entities.replace(entity(1, level=prop(9)))
    entities.update(TANK, Fragment(attributes={name("volume"): (prop(7),)}))
    forecast = prop(9, dataset="urn:ngsi-ld:dataset:forecast")
    entities.append(TANK, Fragment(attributes={LEVEL: (forecast,)}))
    entities.delete_attribute(TANK, LEVEL, every=True)
    entities.delete(TANK)
    with pytest.raises(BadRequestData, match="g-1/d/p1"):
        entities.create(entity(1, level=prop(9)))
    entities.create(entity(1, volume=prop(9)))


def test_of_a_batch_only_what_is_measured_is_refused(city):
    entities, registry, _ = city
    registry.rows([point(1)])
    with entities.batch() as batch:
        with pytest.raises(BadRequestData):
            batch.upsert(entity(1, level=prop(9)), update=True)
        batch.upsert(entity(2, level=prop(9)), update=True)
    assert entities.store.get(TANK).attribute(LEVEL).value == 0
    assert entities.get(entity(2).id).attribute(LEVEL).value == 9
