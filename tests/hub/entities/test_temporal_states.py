"""What entities were at every moment of the past."""

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from citytwin_hub.entities import changes
from citytwin_hub.entities.errors import EntityError
from citytwin_hub.entities.fragment import Fragment
from tests.hub.entities.samples import entity, name, prop
from tests.hub.entities.test_temporal import BEGIN, LEVEL, SECOND, TANK, open_hub


def test_transient_things_are_not_in_the_past_when_they_had_expired(tmp_path):
    hub = open_hub(tmp_path)
    short = prop(1, expires_ns=BEGIN + SECOND)
    hub.entities.create(entity(1, expires_ns=BEGIN + 3 * SECOND, level=short))
    assert hub.temporal.at(TANK, BEGIN).attribute(LEVEL).value == 1
    assert hub.temporal.at(TANK, BEGIN + SECOND).attributes == {}
    assert hub.temporal.at(TANK, BEGIN + 3 * SECOND) is None
    hub.store.close()


numbers = st.integers(1, 3)
attributes = st.dictionaries(
    st.sampled_from(["level", "flow"]),
    st.lists(st.sampled_from(["", "urn:d:1"]), min_size=1, max_size=2, unique=True),
    max_size=2,
)
operations = st.tuples(
    st.sampled_from(["create", "update", "replace", "delete", "drop", "scope", "give", "forget"]),
    numbers,
    attributes,
    st.integers(0, 5),
    st.sampled_from([0, 0, SECOND]),
)


def apply(hub, operation):
    what, number, parts, value, _ = operation
    one = f"urn:ngsi-ld:Tank:{number}"
    given = {
        term: tuple(prop(value, dataset=dataset) for dataset in datasets)
        for term, datasets in parts.items()
    }
    whole = entity(number, "Tank", **given)
    expires_ns = hub.clock.now_ns() + value * SECOND if value > 3 else None
    match what:
        case "create":
            hub.entities.create(replace(whole, expires_ns=expires_ns))
        case "update":
            hub.entities.update(one, Fragment(attributes=whole.attributes))
        case "replace":
            hub.entities.replace(whole)
        case "delete":
            hub.entities.delete(one)
        case "drop":
            hub.entities.delete_attribute(one, LEVEL, every=value > 2)
        case "scope":
            hub.entities.update(one, Fragment(scopes=("/A",) * (value % 2)))
        case "give":
            dated = {
                term: tuple(replace(one, observed_ns=value) for one in instances)
                for term, instances in whole.attributes.items()
            }
            hub.temporal.upsert(replace(whole, attributes=dated))
        case "forget":
            hub.temporal.delete_attribute(one, LEVEL, every=True)


def comparable(state):
    """Return an entity without the order of instances, which means nothing."""
    if state is None:
        return None
    return replace(
        state,
        attributes={
            name: tuple(sorted(many, key=lambda one: one.dataset))
            for name, many in state.attributes.items()
        },
    )


def present(hub):
    found = hub.entities.find([f"urn:ngsi-ld:Tank:{number}" for number in (1, 2, 3)])
    return {one: comparable(state) for one, state in found.items()}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(operations, max_size=25))
def test_the_state_at_every_moment_is_what_it_was_then(tmp_path_factory, steps):
    hub = open_hub(tmp_path_factory.mktemp("replay"))
    moments = {}
    for step in steps:
        hub.clock.advance(step[-1])
        # One that is refused changes nothing, which is proven, too.
        with contextlib.suppress(EntityError):
            apply(hub, step)
        moments[hub.clock.now_ns()] = present(hub)
    for moment_ns, then in moments.items():
        found = {one.id: comparable(one) for one in hub.temporal.all_at(moment_ns)}
        assert found == then
        for number in (1, 2, 3):
            one = f"urn:ngsi-ld:Tank:{number}"
            assert comparable(hub.temporal.at(one, moment_ns)) == then.get(one)
        by_type = hub.temporal.all_at(moment_ns, types=[name("Tank")])
        assert {one.id for one in by_type} == set(then)
    hub.store.close()


def test_a_change_of_nothing_is_no_step(tmp_path):
    hub = open_hub(tmp_path)
    hub.entities.create(entity(1, level=prop(1)))
    tank = hub.entities.get(TANK)
    assert changes.update(tank, Fragment(), 5).entity is tank
    hub.store.close()
