"""What begins and ends when an entity changes."""

from citytwin_hub.entities.relations import KINDS, TYPE, Step, reading, steps
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, link, name, prop


def test_kinds_are_known_in_every_vocabulary():
    assert len(KINDS) == 7
    for kind in KINDS.values():
        assert reading(kind.iri) == (kind.name, False)
        assert all((kind.label.kk, kind.label.ru, kind.label.en))
        if kind.directed:
            assert reading(name(kind.inverse)) == (kind.name, True)
    assert reading("https://smartdatamodels.org/dataModel.Water/startsAt") == ("connects", False)
    assert reading(name("connects")) == ("connects", False)
    assert reading(name("likes")) is None


def test_what_begins_and_ends():
    first = entity(1, feeds=(link("urn:a", "urn:b"), link("urn:c", dataset="urn:d")))
    begun = [Step(first.id, name("feeds"), f"urn:{one}", 5, begins=True) for one in "abc"]
    kind = Step(first.id, TYPE, name("Tank"), 5, begins=True)
    assert list(steps(Change(None, first), 5)) == [kind, *begun]
    second = entity(1, feeds=link("urn:b", "urn:e"), level=prop(1))
    assert set(steps(Change(first, second), 9)) == {
        Step(first.id, name("feeds"), "urn:a", 9, begins=False),
        Step(first.id, name("feeds"), "urn:c", 9, begins=False),
        Step(first.id, name("feeds"), "urn:e", 9, begins=True),
    }
    assert list(steps(Change(second, entity(1, feeds=link("urn:b", "urn:e"))), 9)) == []
    assert {step.begins for step in steps(Change(second, None), 11)} == {False}


def test_a_relation_begins_when_it_was_observed_and_ends_what_it_replaces():
    before, after = entity(1, feeds=link("urn:a")), entity(1, feeds=link("urn:b", observed_ns=7))
    assert [(one.target, one.moment_ns) for one in steps(Change(before, after), 9)] == [
        ("urn:a", 7),
        ("urn:b", 7),
    ]
    ahead = entity(1, feeds=link("urn:b", observed_ns=70))
    assert {one.moment_ns for one in steps(Change(before, ahead), 9)} == {9}
