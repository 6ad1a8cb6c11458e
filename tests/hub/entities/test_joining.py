"""Which object a row is about: by the importer's URN, by names of other systems, after merges."""

from pathlib import Path
from typing import Any

import pytest

from citytwin_hub.entities.identity import Alias
from citytwin_hub.entities.joining import claim, join
from citytwin_hub.entities.sqlite_identities import Identities
from citytwin_hub.importers.frame import Draft, Settings
from citytwin_hub.jsonld.processing import CORE

NOW = 10**18
GIS, CAD = "urn:ngsi-ld:Pipe:gis:{}", "urn:ngsi-ld:Pipe:cad:{}"


@pytest.fixture
def identities(tmp_path):
    made = Identities(tmp_path / "identity.db")
    yield made
    made.close()


def pipe(number, source="cad", kind="Pipe", **ties):
    draft = Draft(Settings(Path(), source), kind, str(number), "here")
    for name, other in ties.items():
        draft.tie(name, ("Pipe", str(other)))
    return draft.record().entity


def came(identities, *given, source="cad", **names):
    """Join and claim; ``names`` of the n-th entity are p1, p2, …: lists of aliases."""
    aliases = {given[int(key[1:]) - 1].id: found for key, found in names.items()}
    joined = join(identities, given, aliases)
    lacking = claim(identities, source, joined, aliases, "anna", NOW)
    return joined, [*joined.lacking, *lacking]


def meant(identities, system, name):
    return identities.resolve_alias(Alias(system, name)).urns


def test_a_source_names_its_objects(identities):
    joined, lacking = came(identities, pipe(1, "gis"), pipe(2, "gis"), source="gis")
    assert (joined.others(), lacking) == ({}, [])
    assert meant(identities, "gis", "2") == (GIS.format(2),)
    deeds = identities.journal()
    assert [(one["act"], one["by"]) for one in deeds] == [("import", "anna")] * 2
    came(identities, pipe(1, "gis"), pipe(2, "gis"), source="gis")
    assert identities.journal() == deeds


def test_an_id_that_two_classes_have_is_told_apart(identities):
    _, lacking = came(identities, pipe(1, "gis", "Junction"), pipe(1, "gis"), source="gis")
    assert lacking == []
    assert meant(identities, "gis", "1") == ("urn:ngsi-ld:Junction:gis:1",)
    assert meant(identities, "gis", "Pipe/1") == (GIS.format(1),)


def test_a_row_with_a_known_name_is_about_that_object(identities):
    came(identities, pipe(1, "gis"), pipe(2, "gis"), source="gis")
    joined, lacking = came(
        identities, pipe("a"), pipe("b", connectsTo="a"), p1=[Alias("gis", "2"), Alias("bim", "X")]
    )
    assert lacking == []
    assert joined.others() == {CAD.format("a"): GIS.format(2)}
    assert [one.id for one in joined.entities] == [GIS.format(2), CAD.format("b")]
    tie: Any = joined.entities[1].attribute(CORE.expand("connectsTo"))
    assert tie.value == GIS.format(2)
    for system, name in (("gis", "2"), ("cad", "a"), ("bim", "X")):
        assert meant(identities, system, name) == (GIS.format(2),)
    assert identities.resolve(CAD.format("a")).urns == (GIS.format(2),)
    again, _ = came(identities, pipe("a"))  # it is known now, also without the name
    assert again.others() == joined.others()
    assert [one["act"] for one in identities.journal()][2:] == ["merge", "import", "import"]


def test_what_was_merged_is_followed(identities):
    came(identities, pipe(1, "gis"), source="gis")
    came(identities, pipe("a"))
    identities.merge([GIS.format(1), CAD.format("a")], GIS.format(1), "anna", NOW)
    joined, _ = came(identities, pipe("a"), pipe("b", connectsTo="a"))
    assert joined.urns[CAD.format("a")] == GIS.format(1)
    tie: Any = joined.entities[1].attribute(CORE.expand("connectsTo"))
    assert tie.value == GIS.format(1)


def test_what_cannot_be_told_is_refused(identities):
    came(identities, pipe(1, "gis"), pipe(2, "gis"), pipe(3, "gis"), source="gis")
    parts = identities.split(GIS.format(3), [("Pipe", None), ("Pipe", None)], "anna", NOW)
    one, two, three = (Alias("gis", f"{n}") for n in (1, 2, 3))
    joined, _ = came(
        identities, pipe("a"), pipe("b"), pipe("c"), pipe("d"),
        p1=[one, two], p2=[three], p3=[one], p4=[one],
    )  # fmt: skip
    reasons = {refused.id: refused.reason for refused in joined.refused}
    assert "different objects" in reasons[CAD.format("a")]
    assert parts[0] in reasons[CAD.format("b")]
    assert f"as {CAD.format('c')} of the same source" in reasons[CAD.format("d")]
    assert joined.others() == {CAD.format("c"): GIS.format(1)}
    split, _ = came(identities, pipe(3, "gis"), source="gis")
    assert "was split into" in split.refused[0].reason


def test_a_name_that_means_another_object_is_told(identities):
    came(identities, pipe(1, "gis"), source="gis")
    came(identities, pipe("a"))
    joined, (lacking,) = came(identities, pipe("a"), p1=[Alias("gis", "1")])
    assert joined.others() == {}
    assert (lacking.id, lacking.field) == (CAD.format("a"), "aliases")
    assert f"identity merge {GIS.format(1)} {CAD.format('a')}" in lacking.reason


def test_an_id_that_is_too_long_for_a_name_is_told(identities):
    joined, (lacking,) = came(identities, pipe("x" * 400))
    assert len(joined.entities) == 1
    assert "over 400 characters" in lacking.reason


def test_joining_alone_writes_nothing(identities):
    came(identities, pipe(1, "gis"), source="gis")
    before = identities.journal()
    given = pipe("a")
    joined = join(identities, [given], {given.id: [Alias("gis", "1")]})
    assert joined.others() == {given.id: GIS.format(1)}
    assert identities.journal() == before
