"""What a source says of objects, beside what others say; twice is once."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from citytwin.testing import VirtualClock
from citytwin_hub.entities import importing
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.importers.frame import Draft, Settings
from citytwin_hub.jsonld.processing import CORE
from tests.hub.entities.samples import prop


@pytest.fixture
def entities(tmp_path):
    store = SqliteEntities(tmp_path / "entities.db")
    yield Entities(store, VirtualClock(10**18))
    store.close()


@pytest.fixture
def told(entities):
    told = []
    entities.observers.append(told.append)
    return told


def pipe(number, source="gis", **values):
    draft = Draft(Settings(Path(), source), "Pipe", str(number), "here")
    for name, value in values.items():
        draft.value(name, value)
    return draft.record().entity


def take(entities, *given, dry_run=False, source="gis"):
    taken = importing.take(entities, source, given, dry_run=dry_run)
    return taken.created, taken.changed, taken.unchanged, len(taken.refused)


def test_the_second_time_writes_nothing(entities, told):
    some = [pipe(n, length=n + 0.5, tag="x") for n in range(3)]
    assert take(entities, *some, dry_run=True) == (3, 0, 0, 0)
    assert told == []
    assert take(entities, *some) == (3, 0, 0, 0)
    assert take(entities, *some) == (0, 0, 3, 0)
    assert take(entities, *some, dry_run=True) == (0, 0, 3, 0)
    assert len(told) == 1


def test_what_others_say_stays_and_what_the_source_takes_back_goes(entities, told):
    take(entities, pipe(1, length=5, tag="x"))
    pressure, length, tag = (CORE.expand(one) for one in ("pressure", "length", "tag"))
    urn = "urn:ngsi-ld:Pipe:gis:1"
    entities.append(urn, Fragment(attributes={pressure: (prop(3),)}))
    assert take(entities, pipe(1, length=5, tag="x")) == (0, 0, 1, 0)
    assert take(entities, pipe(1, length=6), dry_run=True) == (0, 1, 0, 0)
    assert take(entities, pipe(1, length=6)) == (0, 1, 0, 0)
    found = entities.get(urn)
    assert found.attribute(pressure).value == 3
    assert found.attribute(length).value == 6
    assert found.attribute(tag) is None
    assert take(entities, pipe(1, length=6)) == (0, 0, 1, 0)


def test_what_somebody_else_has_changed_is_put_right(entities):
    take(entities, pipe(1, length=5))
    urn, length = "urn:ngsi-ld:Pipe:gis:1", CORE.expand("length")
    entities.append(urn, Fragment(attributes={length: (prop(7),)}))
    assert take(entities, pipe(1, length=5)) == (0, 1, 0, 0)
    assert entities.get(urn).attribute(length).value == 5


def test_true_is_not_one(entities):
    take(entities, pipe(1, open=1))
    assert take(entities, pipe(1, open=True)) == (0, 1, 0, 0)


def test_an_object_of_another_source_is_refused(entities):
    urn = "urn:ngsi-ld:Pipe:gis:1"
    other = replace(pipe(1, "cad", length=1), id=urn)
    take(entities, other, source="cad")
    for dry_run in (True, False):
        taken = importing.take(entities, "gis", [pipe(1), pipe(2)], dry_run=dry_run)
        assert (taken.created, [one.id for one in taken.refused]) == (1, [urn])
        assert "'cad'" in taken.refused[0].reason
    with pytest.raises(BadRequestData, match="must have source"):
        take(entities, pipe(3, "cad"))


def test_what_vanished_is_found_and_deleted_only_of_its_source(entities):
    take(entities, *(pipe(n) for n in range(5)))
    take(entities, pipe(9, "gis2"), source="gis2")
    ids = [one.id for one in importing.of_source(entities, "gis")]
    assert ids == [f"urn:ngsi-ld:Pipe:gis:{n}" for n in range(5)]
    assert [one.id for one in importing.of_source(entities, "gis", ids[2])] == ids[3:]
    assert importing.prune(entities, "gis", [ids[0], ids[0], "urn:ngsi-ld:Pipe:gis:77"]) == 1
    with pytest.raises(BadRequestData, match="is not of the source"):
        importing.prune(entities, "gis", [ids[1], "urn:ngsi-ld:Pipe:gis2:9"])
    assert [one.id for one in importing.of_source(entities, "gis")] == ids[1:]


def joined(entities, *given, source="cad", **options):
    """Take entities of a second source under the URNs that a first one gave."""
    urns = [one.id for one in given]
    wanted = {"dry_run": False, "joined": urns} | options
    return importing.take(entities, source, given, **wanted)


def cad(number, **values):
    """A pipe as the cadastre has it, under the URN of the GIS."""
    made = pipe(f"c{number}", "cad", **values)
    return replace(made, id=f"urn:ngsi-ld:Pipe:gis:{number}")


def said(entities, number=1):
    found = entities.get(f"urn:ngsi-ld:Pipe:gis:{number}")
    return {
        CORE.compact(name): [one.value for one in instances]
        for name, instances in found.attributes.items()
    }


def test_an_object_of_two_sources_has_what_both_say(entities):
    take(entities, pipe(1, length=5, tag="x"))
    taken = joined(entities, cad(1, owner="Су", length=5))
    assert (taken.changed, taken.lacking) == (1, [])
    assert said(entities) == {
        "source": ["gis", "cad"], "sourceId": ["1", "c1"],
        "length": [5], "tag": ["x"], "owner": ["Су"],
    }  # fmt: skip
    assert joined(entities, cad(1, owner="Су", length=5)).unchanged == 1
    assert take(entities, pipe(1, length=5, tag="x")) == (0, 0, 1, 0)
    for source in ("gis", "cad"):
        assert len(list(importing.of_source(entities, source))) == 1


def test_what_two_sources_say_differently_stays_with_the_first_and_is_told(entities):
    take(entities, pipe(1, length=5))
    for _ in range(2):
        (lacking,) = joined(entities, cad(1, length=7)).lacking
        assert (lacking.field, lacking.id) == ("length", "urn:ngsi-ld:Pipe:gis:1")
        assert "'gis' says 5, which stays; this source says 7" in lacking.reason
        assert said(entities)["length"] == [5]
    assert joined(entities, cad(1, length=7), dry_run=True).unchanged == 1
    take(entities, pipe(1))  # the GIS takes it back
    assert "length" not in said(entities)
    assert joined(entities, cad(1, length=7)).lacking == []
    assert said(entities)["length"] == [7]
    assert take(entities, pipe(1, length=5)) == (0, 0, 1, 0)  # now the cadastre has it
    assert said(entities)["length"] == [7]


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ("gis", {"source": ["cad"], "sourceId": ["c1"], "owner": ["Су"], "length": [5]}),
        ("cad", {"source": ["gis"], "sourceId": ["1"], "tag": ["x"], "length": [5]}),
    ],
)
def test_one_of_two_sources_takes_only_its_own_part_away(entities, gone, left):
    take(entities, pipe(1, tag="x"))
    joined(entities, cad(1, owner="Су"))
    urn = "urn:ngsi-ld:Pipe:gis:1"
    entities.append(urn, Fragment(attributes={CORE.expand("length"): (prop(5),)}))
    assert importing.prune(entities, gone, [urn]) == 1
    assert said(entities) == left
    rest = next(iter(left["source"]))
    assert importing.prune(entities, rest, [urn]) == 1
    assert list(importing.of_source(entities, rest)) == []
