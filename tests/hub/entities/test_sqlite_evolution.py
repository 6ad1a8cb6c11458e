"""Evolution, read from the file of the entities."""

import pytest

from citytwin_hub.entities import changes
from citytwin_hub.entities.evolution_store import EVER, Moment, Span
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_evolution import SqliteEvolution
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, name, prop

LEVEL, FLOW = name("level"), name("flow")
TANK = "urn:ngsi-ld:Tank:1"


@pytest.fixture
def entities(tmp_path):
    store = SqliteEntities(tmp_path / "entities.db")
    yield store
    store.close()


@pytest.fixture
def store(entities):
    return SqliteEvolution(entities)


def values(found):
    return [(one.time_ns, one.attribute.value) for one in found]


def test_instances_with_and_without_observation_are_one_order(store):
    given = entity(1, level=(prop(1, observed_ns=50), prop(2), prop(3, observed_ns=200)))
    store.give(given, [], 100)
    assert values(store.instances(TANK, LEVEL, EVER, limit=9)) == [(50, 1), (100, 2), (200, 3)]
    assert values(store.instances(TANK, LEVEL, EVER, limit=2, newest=True)) == [(200, 3), (100, 2)]
    span = Span(Moment.ANY, 100, 200)
    assert values(store.instances(TANK, LEVEL, span, limit=9)) == [(100, 2)]


def test_datasets_and_unknown_names_leave_nothing_else(store):
    store.give(entity(1, level=(prop(1), prop(2, dataset="urn:d:1"))), [prop(("/A",))], 10)

    def found(attribute, *datasets):
        return values(store.instances(TANK, attribute, EVER, datasets=datasets, limit=9))

    assert found(LEVEL, "urn:d:1") == [(10, 2)]
    assert found(LEVEL, "") == [(10, 1)]
    assert found(LEVEL, "", "urn:d:1") == [(10, 1), (10, 2)]
    assert found(FLOW, "") == []
    assert store.instances("urn:x:none", LEVEL, EVER, limit=9) == []
    assert not store.forget_attribute(TANK, FLOW, None)
    assert len(store.heads(TANK)) == 2


def test_series_are_values_by_dataset_without_what_is_gone(entities, store):
    tank = changes.created(entity(1, level=prop(1, observed_ns=5)), 10)
    entities.write([Change(None, tank)], 10)
    entities.write([Change(tank, None)], 20)
    store.give(entity(1, level=(prop(2, observed_ns=3, dataset="urn:d:1"),)), [], 30)
    found = store.series(TANK, LEVEL, EVER, limit=9)
    assert {dataset: (one.times_ns, one.values) for dataset, one in found.items()} == {
        "": ([5], [1]),
        "urn:d:1": ([3], [2]),
    }
    assert set(store.series(TANK, LEVEL, EVER, datasets=[""], limit=9)) == {""}


def test_candidates_are_those_that_ever_had_a_type(entities, store):
    tank, pump = (changes.created(entity(1, kind), 10) for kind in ("Tank", "Pump"))
    entities.write([Change(None, tank), Change(None, pump)], 10)
    entities.write([Change(tank, None)], 20)
    assert list(store.candidates(None, [name("Tank")])) == [TANK]
    assert list(store.candidates(None, [name("Tank"), name("Pump")])) == [TANK, pump.id]
    assert list(store.candidates([pump.id], [name("Tank")])) == []
    assert list(store.candidates([pump.id, "urn:x:1"], None)) == [pump.id]
    assert list(store.candidates(None, [name("None")])) == []


def test_steps_from_attribute_to_attribute_use_the_index(entities, store):
    store.give(entity(1, level=prop(1), flow=prop(2)), [], 10)
    assert set(store.attributes(TANK)) == {LEVEL, FLOW}
    for query, index in (
        ("SELECT min(attribute) FROM evolution WHERE entity = 1 AND attribute > 1", "evolution_of"),
        (
            "SELECT number FROM evolution WHERE entity = 1 AND attribute = 1 AND role <> 2 "
            "AND observed IS NOT NULL AND observed >= 7 ORDER BY observed, number LIMIT 9",
            "evolution_observed",
        ),
    ):
        plan = entities.database.reader.execute("EXPLAIN QUERY PLAN " + query).fetchall()
        assert index in plan[0][-1]
        assert len(plan) == 1
