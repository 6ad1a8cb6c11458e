"""What a change leaves behind."""

import msgspec

from citytwin_hub.entities import changes
from citytwin_hub.entities.evolution import steps
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.model import Attribute, Entity
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, name, prop

LEVEL, FLOW = name("level"), name("flow")


def records(before, after, now_ns=20):
    """Return the records of a change: the attribute, its value and whether it is gone."""
    found = []
    for attribute, (dataset, observed_ns, moment_ns, body) in steps(Change(before, after), now_ns):
        assert moment_ns == now_ns
        if attribute:
            one = msgspec.json.decode(body, type=Attribute)
            assert (dataset, observed_ns) == (one.dataset, one.observed_ns)
            found.append((attribute, one.dataset, one.value, one.deleted_ns is not None))
        else:
            head = msgspec.json.decode(body, type=Entity)
            assert (dataset, observed_ns, head.attributes) == ("", None, {})
            found.append(("", head.types, head.scopes, head.deleted_ns is not None))
    return found


def test_a_new_entity_leaves_its_head_and_every_instance():
    tank = changes.created(
        entity(1, level=(prop(3, observed_ns=7), prop(4, dataset="urn:d:1"))), 20
    )
    assert records(None, tank) == [
        ("", tank.types, (), False),
        (LEVEL, "", 3, False),
        (LEVEL, "urn:d:1", 4, False),
    ]


def test_a_change_leaves_what_changed_and_what_went():
    before = changes.created(
        entity(1, level=(prop(3), prop(4, dataset="urn:d:1")), flow=prop(1)), 10
    )
    given = Fragment(attributes={LEVEL: (prop(5),), FLOW: (prop("urn:ngsi-ld:null"),)})
    after = changes.update(before, given, 20).entity
    assert records(before, after) == [(LEVEL, "", 5, False), (FLOW, "", 1, True)]


def test_a_change_of_the_head_alone_leaves_the_head():
    before = changes.created(entity(1, level=prop(3)), 10)
    after = changes.append(before, Fragment(scopes=("/a",)), 20).entity
    assert records(before, after) == [("", before.types, ("/a",), False)]


def test_a_deleted_entity_leaves_an_end_of_everything():
    tank = changes.created(entity(1, level=prop(3)), 10)
    assert records(tank, None) == [(LEVEL, "", 3, True), ("", tank.types, (), True)]


def test_what_changes_nothing_but_the_moment_leaves_the_head():
    before = changes.created(entity(1), 10)
    after = changes.replaced(before, entity(1), 20)
    assert records(before, after) == [("", before.types, (), False)]
