"""How entities came to be what they are, and what they were."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from citytwin.testing import VirtualClock
from citytwin_hub.entities.aggregates import Method
from citytwin_hub.entities.durations import Duration
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import ResourceNotFound
from citytwin_hub.entities.evolution_store import Moment
from citytwin_hub.entities.fragment import Fragment, Patch
from citytwin_hub.entities.model import NULL
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_evolution import SqliteEvolution
from citytwin_hub.entities.temporal import Temporal
from citytwin_hub.entities.windows import Relation, Wanted, Window
from tests.hub.entities.samples import entity, name, prop

LEVEL, FLOW = name("level"), name("flow")
TANK = "urn:ngsi-ld:Tank:1"
SECOND = 10**9
DAY = 86_400 * SECOND
BEGIN = 10**18


def open_hub(path, **options):
    clock = VirtualClock(BEGIN)
    store = SqliteEntities(path / "entities.db")
    return SimpleNamespace(
        clock=clock,
        store=store,
        entities=Entities(store, clock),
        temporal=Temporal(SqliteEvolution(store), clock, **options),
    )


@pytest.fixture
def hub(tmp_path):
    hub = open_hub(tmp_path, instances_max=5)
    yield hub
    hub.store.close()


def observed(*pairs, **more):
    return tuple(prop(value, observed_ns=at, **more) for at, value in pairs)


def shown(evolution, attribute=LEVEL):
    return [(one.time_ns, one.attribute.value) for one in evolution.attributes[attribute]]


def window(relation=None, at_ns=0, end_ns=0, **more):
    more.setdefault("moment", Moment.OBSERVED)
    return Wanted(window=Window(relation=relation, at_ns=at_ns, end_ns=end_ns, **more))


def test_changes_and_what_is_provided_are_one_evolution(hub):
    hub.entities.create(entity(1, level=prop(3, observed_ns=30)))
    assert not hub.temporal.upsert(entity(1, level=observed((10, 1), (20, 2))))
    evolution, part = hub.temporal.one(TANK, Wanted())
    assert part is None
    assert shown(evolution) == [(10, 1), (20, 2), (30, 3)]
    assert evolution.types == (name("Tank"),)
    # The entity is what it was: history that comes late changes nothing now.
    assert hub.entities.get(TANK).attribute(LEVEL).value == 3
    assert len({one.attribute.instance for one in evolution.attributes[LEVEL]}) == 3


def test_an_entity_that_only_evolution_has_is_not_among_the_entities(hub):
    assert hub.temporal.upsert(entity(1, level=observed((10, 1))))
    with pytest.raises(ResourceNotFound):
        hub.entities.get(TANK)
    assert hub.temporal.at(TANK, hub.clock.now_ns()) is None
    hub.temporal.upsert(entity(1, "Tank"))
    assert shown(hub.temporal.one(TANK, Wanted())[0]) == [(10, 1)]


def test_types_that_are_provided_are_added(hub):
    hub.entities.create(entity(1, level=prop(3)))
    given = replace(entity(1), types=(name("Pool"),))
    hub.temporal.upsert(given)
    assert hub.temporal.one(TANK, Wanted())[0].types == (name("Tank"), name("Pool"))
    found = hub.temporal.select(None, [name("Pool")], lambda _: True, Wanted())
    assert [one.id for one in found] == [TANK]


def test_an_instance_of_the_same_moment_and_dataset_takes_the_others_place(hub):
    hub.temporal.upsert(entity(1, level=observed((10, 1), (20, 2))))
    (first, _) = hub.temporal.one(TANK, Wanted())[0].attributes[LEVEL]
    hub.temporal.upsert(entity(1, level=(*observed((10, 7)), *observed((10, 8), dataset="urn:d"))))
    again = hub.temporal.one(TANK, Wanted())[0]
    assert sorted(shown(again)) == [(10, 7), (10, 8), (20, 2)]
    assert first.attribute.instance in [one.attribute.instance for one in again.attributes[LEVEL]]


def test_what_replaces_a_change_in_history_leaves_the_state_alone(hub):
    hub.entities.create(entity(1, level=prop(3, observed_ns=30)))
    made_ns = hub.clock.now_ns()
    hub.clock.advance(SECOND)
    (before,) = hub.temporal.one(TANK, Wanted())[0].attributes[LEVEL]
    hub.temporal.upsert(entity(1, level=observed((30, 4))))
    (after,) = hub.temporal.one(TANK, Wanted())[0].attributes[LEVEL]
    assert (before.attribute.value, after.attribute.value) == (3, 4)
    assert before.attribute.instance == after.attribute.instance
    assert hub.temporal.at(TANK, made_ns).attribute(LEVEL).value == 3
    hub.temporal.delete_instance(TANK, LEVEL, after.attribute.instance)
    assert hub.temporal.one(TANK, Wanted())[0].attributes == {}


@pytest.mark.parametrize(
    ("relation", "at_ns", "end_ns", "expected"),
    [
        (None, 0, 0, [10, 20, 30]),
        (Relation.BEFORE, 20, 0, [10]),
        (Relation.AFTER, 20, 0, [20, 30]),
        (Relation.BETWEEN, 10, 30, [10, 20]),
    ],
)
def test_bounds_are_those_of_the_standard(hub, relation, at_ns, end_ns, expected):
    hub.temporal.upsert(entity(1, level=observed((10, 1), (20, 2), (30, 3))))
    evolution, _ = hub.temporal.one(TANK, window(relation, at_ns, end_ns))
    assert [at for at, _ in shown(evolution)] == expected


def test_each_moment_can_be_asked_for(hub):
    hub.entities.create(entity(1, level=prop(1)))
    first_ns = hub.clock.now_ns()
    hub.clock.advance(SECOND)
    hub.entities.update(TANK, Fragment(attributes={LEVEL: (prop(2),)}))
    second_ns = hub.clock.now_ns()
    hub.clock.advance(SECOND)
    hub.entities.delete_attribute(TANK, LEVEL)
    for moment, expected in (
        (Moment.OBSERVED, []),
        (Moment.CREATED, [(first_ns, 1), (first_ns, 2), (first_ns, 2)]),
        (Moment.MODIFIED, [(first_ns, 1), (second_ns, 2), (hub.clock.now_ns(), 2)]),
        (Moment.DELETED, [(hub.clock.now_ns(), 2)]),
    ):
        evolution, _ = hub.temporal.one(TANK, window(moment=moment))
        assert (shown(evolution) if evolution.attributes else []) == expected
        inside, _ = hub.temporal.one(TANK, window(Relation.BEFORE, first_ns + 1, moment=moment))
        early = [one for one in expected if one[0] <= first_ns]
        assert (shown(inside) if inside.attributes else []) == early


def test_the_last_ones_come_first(hub):
    hub.temporal.upsert(entity(1, level=observed((10, 1), (20, 2), (30, 3))))
    evolution, part = hub.temporal.one(TANK, window(last=2))
    assert (shown(evolution), part) == ([(30, 3), (20, 2)], None)


def test_what_does_not_fit_is_cut_where_every_attribute_is_whole(hub):
    many = observed(*((at, at) for at in range(10)))
    later = observed((4, 4), (5, 5), (6, 6))
    hub.temporal.upsert(entity(1, level=many, flow=later))
    hub.temporal.upsert(entity(2, level=observed((100, 1))))
    evolution, part = hub.temporal.one(TANK, window())
    assert [at for at, _ in shown(evolution)] == [0, 1, 2, 3, 4]
    assert [at for at, _ in shown(evolution, FLOW)] == [4]
    assert (part.start_ns, part.end_ns, part.last) == (0, 4, None)
    # From the end on, which is included, the rest can be asked for.
    _, part = hub.temporal.one(TANK, window(Relation.BETWEEN, 3, 900))
    assert (part.start_ns, part.end_ns, part.last) == (3, 7, None)
    evolution, part = hub.temporal.one(TANK, window(Relation.BEFORE, 900, last=8))
    assert [at for at, _ in shown(evolution)] == [9, 8, 7, 6, 5]
    assert (part.start_ns, part.end_ns, part.last) == (900, 5, 8)
    found = list(hub.temporal.select(None, [name("Tank")], lambda _: True, window()))
    part = hub.temporal.fill(found, window())
    assert part.end_ns == 4
    assert shown(found[1]) == []  # It has instances, but not in this part.


def test_a_query_over_values_looks_at_all_instances_in_the_window(hub):
    hub.temporal.upsert(entity(1, level=observed((10, 1), (20, 90)), flow=observed((10, 5))))
    hub.temporal.upsert(entity(2, level=observed((10, 2), (900, 90))))

    def selected(matches, wanted):
        found = hub.temporal.select(None, None, matches, wanted, over_values=True)
        return [one.id for one in found]

    def high(one):
        return any(instance.value > 50 for instance in one.attributes.get(LEVEL, ()))

    early = window(Relation.BEFORE, 100)
    assert selected(high, early) == [TANK]
    assert selected(high, window()) == [TANK, "urn:ngsi-ld:Tank:2"]
    only_flow = Wanted(window=early.window, attributes={FLOW})
    assert selected(high, only_flow) == [TANK]
    assert selected(lambda _: True, only_flow) == [TANK]


def test_scopes_count_for_the_time_that_they_held(hub):
    scopes = [prop(("/A",), observed_ns=10), prop(("/B", "/C"), observed_ns=20)]
    hub.temporal.upsert(entity(1, level=observed((5, 0), (12, 1), (25, 2))), scopes)

    def at(scope, wanted):
        wanted = Wanted(window=wanted.window, scope=lambda scopes: scope in scopes)
        (found,) = hub.temporal.select(None, None, lambda _: True, wanted)
        hub.temporal.fill([found], wanted)
        return shown(found)

    assert at("/A", window()) == [(12, 1)]
    assert at("/B", window()) == [(25, 2)]
    with pytest.raises(ValueError, match="not enough"):
        at("/B", window(Relation.BEFORE, 20))
    evolution, _ = hub.temporal.one(TANK, window(Relation.AFTER, 15))
    assert [one.attribute.value for one in evolution.scopes] == [("/B", "/C")]


def test_scopes_that_an_entity_had_are_instances(hub):
    hub.entities.create(entity(1, scopes=("/A",), level=prop(1)))
    hub.clock.advance(SECOND)
    hub.entities.update(TANK, Fragment(attributes={LEVEL: (prop(2),)}))
    hub.entities.update(TANK, Fragment(scopes=()))
    evolution, _ = hub.temporal.one(TANK, Wanted())
    assert [
        (one.attribute.value, one.attribute.observed_ns, one.attribute.deleted_ns)
        for one in evolution.scopes
    ] == [(("/A",), BEGIN, None), ((), None, BEGIN + SECOND)]


def test_attributes_and_instances_are_deleted_from_history_alone(hub):
    hub.entities.create(entity(1, level=(prop(3, observed_ns=30), prop(4, dataset="urn:d"))))
    hub.temporal.upsert(entity(1, level=observed((10, 1)), flow=observed((10, 1))))
    hub.temporal.delete_attribute(TANK, LEVEL)
    assert [value for _, value in shown(hub.temporal.one(TANK, Wanted())[0])] == [4]
    hub.temporal.delete_attribute(TANK, LEVEL, every=True)
    assert list(hub.temporal.one(TANK, Wanted())[0].attributes) == [FLOW]
    with pytest.raises(ResourceNotFound):
        hub.temporal.delete_attribute(TANK, LEVEL, every=True)
    assert hub.temporal.at(TANK, hub.clock.now_ns()) == hub.entities.get(TANK)


def test_an_instance_is_changed_and_keeps_its_identifier(hub):
    hub.entities.create(entity(1, level=prop(3, observed_ns=30)))
    hub.temporal.upsert(entity(1, level=observed((10, 1))))
    for value in (8, 9):
        for one in hub.temporal.one(TANK, Wanted())[0].attributes[LEVEL]:
            patch = Patch(value=value, observed_ns=one.time_ns + 1)
            hub.temporal.change_instance(TANK, LEVEL, one.attribute.instance, patch)
            (found,) = [
                again
                for again in hub.temporal.one(TANK, Wanted())[0].attributes[LEVEL]
                if again.attribute.instance == one.attribute.instance
            ]
            assert (found.time_ns, found.attribute.value) == (one.time_ns + 1, value)
    assert hub.entities.get(TANK).attribute(LEVEL).value == 3
    assert hub.temporal.at(TANK, hub.clock.now_ns()) == hub.entities.get(TANK)
    for unknown in ("urn:ngsi-ld:Instance:999", "urn:other:1", "urn:ngsi-ld:Instance:²"):
        with pytest.raises(ResourceNotFound):
            hub.temporal.change_instance(TANK, LEVEL, unknown, Patch(value=1))
        with pytest.raises(ResourceNotFound):
            hub.temporal.delete_instance(TANK, LEVEL, unknown)


def test_a_deleted_history_is_gone_and_the_entity_stays(hub):
    hub.entities.create(entity(1, level=prop(1)))
    early_ns = hub.clock.now_ns()
    hub.clock.advance(SECOND)
    hub.entities.update(TANK, Fragment(attributes={LEVEL: (prop(2),)}))
    hub.temporal.delete(TANK)
    with pytest.raises(ResourceNotFound):
        hub.temporal.one(TANK, Wanted())
    with pytest.raises(ResourceNotFound):
        hub.temporal.delete(TANK)
    now_ns = hub.clock.now_ns()
    assert hub.entities.get(TANK).attribute(LEVEL).value == 2
    assert hub.temporal.at(TANK, now_ns) == hub.entities.get(TANK)
    assert hub.temporal.at(TANK, early_ns) is None
    hub.clock.advance(SECOND)
    hub.entities.update(TANK, Fragment(attributes={LEVEL: (prop(3),)}))
    assert hub.temporal.at(TANK, now_ns).attribute(LEVEL).value == 2


def test_the_history_of_a_deleted_entity_goes_wholly(hub):
    hub.entities.create(entity(1, level=prop(1)))
    hub.entities.delete(TANK)
    evolution, _ = hub.temporal.one(TANK, Wanted())
    assert evolution.deleted_ns == hub.clock.now_ns()
    hub.temporal.delete(TANK)
    (rows,) = hub.store.database.reader.execute("SELECT count(*) FROM evolution").fetchone()
    assert rows == 0


def test_what_only_history_has_can_end(hub):
    given = entity(1, level=(*observed((10, 1)), *observed((10, 2), dataset="urn:d")))
    hub.temporal.upsert(given, [prop(("/A",))])
    hub.temporal.end_attribute(TANK, LEVEL)
    evolution, _ = hub.temporal.one(TANK, window(moment=Moment.DELETED))
    (gone,) = evolution.attributes[LEVEL]
    assert (gone.attribute.value, gone.attribute.dataset) == (NULL, "")
    hub.temporal.end_attribute(TANK, "")
    (scope,) = hub.temporal.one(TANK, window(moment=Moment.DELETED))[0].scopes
    assert scope.attribute.value == ()
    for ended in (LEVEL, "", FLOW):
        with pytest.raises(ResourceNotFound):
            hub.temporal.end_attribute(TANK, ended)


def test_values_come_to_something_by_period(hub):
    times = [(3600 + 60 * minute, minute) for minute in range(120)]
    points = observed(*((at * SECOND, value) for at, value in times))
    hub.temporal.upsert(entity(1, level=points))
    (found,) = hub.temporal.select(None, None, lambda _: True, window())
    hour = Duration(ns=3600 * SECOND)
    made = hub.temporal.aggregates(found, window(), [Method.AVG, Method.COUNT], hour)
    kind, results = made[LEVEL][""]
    assert kind == "Property"
    assert results[Method.AVG] == [
        (29.5, 3600 * SECOND, 7200 * SECOND),
        (89.5, 7200 * SECOND, 10800 * SECOND),
    ]
    assert [count for count, _, _ in results[Method.COUNT]] == [60, 60]
    inside = window(Relation.BETWEEN, 0, 5400 * SECOND)
    made = hub.temporal.aggregates(found, inside, [Method.MAX], Duration())
    assert made[LEVEL][""][1][Method.MAX] == [(29.0, 0, 5400 * SECOND)]
    before = window(Relation.BEFORE, 5400 * SECOND)
    made = hub.temporal.aggregates(found, before, [Method.MAX], Duration())
    assert made[LEVEL][""][1][Method.MAX] == [(29.0, 3600 * SECOND, 5400 * SECOND)]
    assert hub.temporal.aggregates(found, window(Relation.BEFORE, 1), [Method.MAX], hour) == {}


def test_what_is_old_goes_and_states_since_then_stay(hub):
    hub.entities.create(entity(1, level=prop(0), flow=prop(7)))
    hub.entities.create(entity(2, level=prop(0)))
    states = {}
    for day in range(1, 6):
        hub.clock.advance(DAY)
        hub.entities.update(TANK, Fragment(attributes={LEVEL: (prop(day),)}))
        hub.temporal.upsert(entity(1, level=observed((day, day))))
        if day == 2:
            hub.entities.delete("urn:ngsi-ld:Tank:2")
        states[hub.clock.now_ns()] = hub.entities.get(TANK)
    hub.clock.advance(SECOND)
    assert hub.temporal.trim(2) > 0
    assert hub.temporal.trim(2) == 0
    for at_ns, state in states.items():
        if at_ns >= hub.clock.now_ns() - 2 * DAY:
            assert hub.temporal.at(TANK, at_ns) == state
        else:
            with pytest.raises(ResourceNotFound, match="kept from"):
                hub.temporal.at(TANK, at_ns)
    evolution, _ = hub.temporal.one(TANK, window(moment=Moment.MODIFIED))
    # Day 3 is the state two days ago; what was provided since then is there, too.
    assert sorted(value for _, value in shown(evolution)) == [3, 4, 4, 5, 5]
    assert [value for _, value in shown(evolution, FLOW)] == [7]
    with pytest.raises(ResourceNotFound):
        hub.temporal.one("urn:ngsi-ld:Tank:2", Wanted())
