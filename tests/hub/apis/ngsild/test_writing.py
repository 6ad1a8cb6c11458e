"""Writing: each representation of each kind of attribute, projections, languages, links."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from citytwin_hub.apis.ngsild import languages, projections, writing
from citytwin_hub.apis.ngsild.view import PLAIN, Form, Join, View
from citytwin_hub.apis.ngsild.writing import Writer
from citytwin_hub.entities.errors import TooManyResults
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.moments import parse_ns
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()
POINT = {"type": "Point", "coordinates": [76.95, 43.24]}
NOON = parse_ns("2026-11-26T12:00:00Z")


def one(value: Any, kind: AttributeKind = AttributeKind.PROPERTY, **more: Any) -> Attribute:
    return Attribute(kind=kind, value=value, **more)


def entity(entity_id: str, /, kind: str = "Tank", **attributes: Any) -> Entity:
    return Entity(
        id=entity_id,
        types=(BASE + kind,),
        attributes={
            BASE + name: given if isinstance(given, tuple) else (given,)
            for name, given in attributes.items()
        },
    )


def picked(text: str) -> projections.Projection:
    return projections.parse(text, NAMES, "pick")


ALL_KINDS = entity(
    "urn:ngsi-ld:Tank:1",
    level=one(3.2, unit_code="MTR", observed_ns=NOON),
    location=one(POINT, AttributeKind.GEO),
    feeds=one("urn:ngsi-ld:Pipe:1", AttributeKind.RELATIONSHIP, object_type=(BASE + "Pipe",)),
    name=one({"kk": "Су қоймасы", "en": "Reservoir"}, AttributeKind.LANGUAGE),
    category=one(BASE + "potable", AttributeKind.VOCAB),
    plate=one({"type": "raw", "a": None}, AttributeKind.JSON),
    depths=one([1, 2], AttributeKind.LIST),
    route=one(["urn:ngsi-ld:Pipe:1", "urn:ngsi-ld:Pipe:2"], AttributeKind.LIST_RELATIONSHIP),
)


def test_the_normalized_representation_says_everything() -> None:
    assert Writer(NAMES).one(ALL_KINDS) == {
        "id": "urn:ngsi-ld:Tank:1",
        "type": "Tank",
        "level": {
            "type": "Property",
            "value": 3.2,
            "unitCode": "MTR",
            "observedAt": "2026-11-26T12:00:00Z",
        },
        "location": {"type": "GeoProperty", "value": POINT},
        "feeds": {"type": "Relationship", "object": "urn:ngsi-ld:Pipe:1", "objectType": "Pipe"},
        "name": {
            "type": "LanguageProperty",
            "languageMap": {"kk": "Су қоймасы", "en": "Reservoir"},
        },
        "category": {"type": "VocabProperty", "vocab": "potable"},
        "plate": {"type": "JsonProperty", "json": {"type": "raw", "a": None}},
        "depths": {"type": "ListProperty", "valueList": [1, 2]},
        "route": {
            "type": "ListRelationship",
            "objectList": [{"object": "urn:ngsi-ld:Pipe:1"}, {"object": "urn:ngsi-ld:Pipe:2"}],
        },
    }


def test_the_concise_representation_leaves_out_what_is_inferred() -> None:
    written = Writer(NAMES, View(form=Form.CONCISE)).one(ALL_KINDS)
    assert written["level"] == {
        "value": 3.2,
        "unitCode": "MTR",
        "observedAt": "2026-11-26T12:00:00Z",
    }
    assert written["location"] == POINT
    assert written["feeds"] == {"object": "urn:ngsi-ld:Pipe:1", "objectType": "Pipe"}
    assert written["category"] == {"vocab": "potable"}
    assert written["depths"] == {"valueList": [1, 2]}


@pytest.mark.parametrize(
    ("value", "concise"),
    [
        (3, 3),
        ([1, "a"], [1, "a"]),
        ({"a": 1}, {"value": {"a": 1}}),
        ([{"a": 1}], {"value": [{"a": 1}]}),
    ],
)
def test_a_bare_value_cannot_be_taken_for_an_attribute(value: Any, concise: Any) -> None:
    written = Writer(NAMES, View(form=Form.CONCISE)).one(entity("urn:x:1", level=one(value)))
    assert written["level"] == concise


def test_the_simplified_representation_has_values_only() -> None:
    written = Writer(NAMES, View(form=Form.SIMPLIFIED)).one(ALL_KINDS)
    assert written == {
        "id": "urn:ngsi-ld:Tank:1",
        "type": "Tank",
        "level": 3.2,
        "location": POINT,
        "feeds": "urn:ngsi-ld:Pipe:1",
        "name": {"languageMap": {"kk": "Су қоймасы", "en": "Reservoir"}},
        "category": {"vocab": "potable"},
        "plate": {"json": {"type": "raw", "a": None}},
        "depths": [1, 2],
        "route": ["urn:ngsi-ld:Pipe:1", "urn:ngsi-ld:Pipe:2"],
    }


def test_types_and_scopes_are_lists_only_where_there_are_several() -> None:
    tank = Entity(id="urn:x:1", types=(BASE + "Tank", BASE + "Place"), scopes=("/A", "/B"))
    written = Writer(NAMES).one(tank)
    assert written["type"] == ["Tank", "Place"]
    assert written["scope"] == ["/A", "/B"]
    lone = Entity(id="urn:x:1", types=(BASE + "Tank",), scopes=("/A",))
    assert Writer(NAMES).one(lone) == {"id": "urn:x:1", "type": "Tank", "scope": "/A"}


TWO = entity("urn:x:1", level=(one(1), one(2, dataset="urn:d:sim")))


def test_instances_of_several_datasets_are_an_array_or_a_map() -> None:
    assert Writer(NAMES).one(TWO)["level"] == [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": "urn:d:sim"},
    ]
    concise = Writer(NAMES, View(form=Form.CONCISE)).one(TWO)["level"]
    assert concise == [{"value": 1}, {"value": 2, "datasetId": "urn:d:sim"}]
    simple = Writer(NAMES, View(form=Form.SIMPLIFIED)).one(TWO)["level"]
    assert simple == {"dataset": {"@none": 1, "urn:d:sim": 2}}


def test_only_instances_of_the_datasets_asked_for_are_written() -> None:
    default = Writer(NAMES, View(datasets=frozenset({""}))).one(TWO)
    assert default["level"] == {"type": "Property", "value": 1}
    other = Writer(NAMES, View(datasets=frozenset({"urn:d:none"}))).one(TWO)
    assert other == {"id": "urn:x:1", "type": "Tank"}


def test_times_of_the_system_come_only_when_asked_for() -> None:
    tank = Entity(
        id="urn:x:1",
        types=(BASE + "Tank",),
        created_ns=1,
        modified_ns=NOON,
        expires_ns=NOON,
        attributes={BASE + "level": (one(1, created_ns=1, modified_ns=NOON, expires_ns=NOON),)},
    )
    assert "createdAt" not in str(Writer(NAMES).one(tank))
    assert "expiresAt" not in str(Writer(NAMES).one(tank))
    written = Writer(NAMES, View(sys_attrs=True)).one(tank)
    for each in (written, written["level"]):
        assert each["createdAt"] == "1970-01-01T00:00:00.000000001Z"
        assert each["modifiedAt"] == each["expiresAt"] == "2026-11-26T12:00:00Z"


def test_parts_are_written_in_the_form_of_the_whole() -> None:
    sensor = one("urn:x:sensor", AttributeKind.RELATIONSHIP)
    tank = entity("urn:x:1", level=one(1, parts={BASE + "by": (sensor,), BASE + "n": (one(2),)}))
    assert Writer(NAMES).one(tank)["level"] == {
        "type": "Property",
        "value": 1,
        "by": {"type": "Relationship", "object": "urn:x:sensor"},
        "n": {"type": "Property", "value": 2},
    }
    concise = Writer(NAMES, View(form=Form.CONCISE)).one(tank)["level"]
    assert concise == {"value": 1, "by": {"object": "urn:x:sensor"}, "n": 2}


@pytest.mark.parametrize(
    ("view", "members"),
    [
        (View(pick=picked("level")), {"level"}),
        (View(pick=picked("id,level")), {"id", "level"}),
        (View(pick=picked("unknown")), set()),
        (View(omit=picked("id|level")), {"type", "name"}),
        (View(omit=picked("name{kk}")), {"id", "type", "level", "name"}),
        (View(attrs=frozenset({BASE + "level"})), {"id", "type", "level"}),
    ],
)
def test_projections_leave_what_they_say(view: View, members: set[str]) -> None:
    tank = entity("urn:x:1", level=one(1), name=one("a"))
    assert Writer(NAMES, view).one(tank).keys() == members


def test_what_a_projection_leaves_nothing_of_is_not_in_a_list() -> None:
    tanks = [entity("urn:x:1", level=one(1)), entity("urn:x:2")]
    assert len(Writer(NAMES, View(pick=picked("level"))).many(tanks)) == 1


def test_a_picked_time_of_the_system_is_written() -> None:
    tank = Entity(id="urn:x:1", types=(BASE + "Tank",), created_ns=1, modified_ns=2)
    assert Writer(NAMES, View(pick=picked("createdAt"))).one(tank).keys() == {"createdAt"}


def test_texts_are_written_in_the_language_asked_for() -> None:
    view = View(languages=languages.parse("ru, kk;q=0.5"))
    name = {"type": "Property", "value": "Су қоймасы", "lang": "kk"}
    assert Writer(NAMES, view).one(ALL_KINDS)["name"] == name
    simple = View(languages=languages.parse("en"), form=Form.SIMPLIFIED)
    assert Writer(NAMES, simple).one(ALL_KINDS)["name"] == "Reservoir"
    concise = View(languages=languages.parse("en"), form=Form.CONCISE)
    assert Writer(NAMES, concise).one(ALL_KINDS)["name"] == {"value": "Reservoir", "lang": "en"}


def test_a_feature_has_the_geometry_of_the_default_instance() -> None:
    other = {"type": "Point", "coordinates": [9, 9]}
    location = (one(other, AttributeKind.GEO, dataset="urn:d:gps"), one(POINT, AttributeKind.GEO))
    tank = entity("urn:x:1", location=location, level=one(1))
    view = View(geometry=BASE + "location", form=Form.SIMPLIFIED)
    feature = Writer(NAMES, view).one(tank)
    assert feature == {
        "id": "urn:x:1",
        "type": "Feature",
        "geometry": POINT,
        "properties": {
            "type": "Tank",
            "location": {"dataset": {"urn:d:gps": other, "@none": POINT}},
            "level": 1,
        },
    }
    assert Writer(NAMES, view).many([tank]) == {"type": "FeatureCollection", "features": [feature]}


@pytest.mark.parametrize("property_name", ["level", "unknown"])
def test_what_is_no_geometry_is_null(property_name: str) -> None:
    view = View(geometry=BASE + property_name)
    assert Writer(NAMES, view).one(entity("urn:x:1", level=one(1)))["geometry"] is None


COUNTRY = entity("urn:x:kz", "Country", name=one("Kazakhstan"), holds=one("urn:x:tank"))
CITY = entity(
    "urn:x:almaty",
    "City",
    name=one("Almaty"),
    country=one("urn:x:kz", AttributeKind.RELATIONSHIP),
)
TANK = entity(
    "urn:x:tank",
    level=one(1),
    city=one("urn:x:almaty", AttributeKind.RELATIONSHIP),
)
KNOWN = {each.id: each for each in (COUNTRY, CITY, TANK)}


class Looks:
    """A store that counts how often it is asked."""

    def __init__(self, known: Mapping[str, Entity] = KNOWN) -> None:
        self.known, self.count = known, 0

    def __call__(self, ids: Collection[str]) -> Mapping[str, Entity]:
        self.count += 1
        return {each: self.known[each] for each in ids if each in self.known}


def test_linked_entities_go_into_the_relationship() -> None:
    find = Looks()
    written = Writer(NAMES, View(join=Join.INLINE, join_level=2), find).one(TANK)
    city = written["city"]["entity"]
    assert city["name"] == {"type": "Property", "value": "Almaty"}
    assert city["country"]["entity"]["id"] == "urn:x:kz"
    assert find.count == 2
    simple = View(join=Join.INLINE, form=Form.SIMPLIFIED)
    assert Writer(NAMES, simple, Looks()).one(TANK)["city"] == {
        "id": "urn:x:almaty",
        "type": "City",
        "name": "Almaty",
        "country": "urn:x:kz",
    }


def test_linked_entities_go_beside_the_entity_once() -> None:
    view = View(join=Join.FLAT, join_level=5)
    written = Writer(NAMES, view, Looks()).one(TANK)
    assert [each["id"] for each in written] == ["urn:x:tank", "urn:x:almaty", "urn:x:kz"]
    all_three = Writer(NAMES, view, Looks()).many([TANK, CITY])
    assert [each["id"] for each in all_three] == ["urn:x:tank", "urn:x:almaty", "urn:x:kz"]


@pytest.mark.parametrize("join", Join)
def test_what_is_not_known_stays_a_link(join: Join) -> None:
    written = Writer(NAMES, View(join=join), Looks({})).one(TANK)
    assert written["city"] == {"type": "Relationship", "object": "urn:x:almaty"}


@pytest.mark.parametrize("join", Join)
def test_projections_go_on_to_linked_entities(join: Join) -> None:
    view = View(join=join, join_level=2, pick=picked("id,city{id,country{name}}"))
    written = Writer(NAMES, view, Looks()).one(TANK)
    if join is Join.FLAT:
        assert [sorted(each) for each in written] == [["city", "id"], ["country", "id"], ["name"]]
    else:
        assert sorted(written) == ["city", "id"]
        city = written["city"]["entity"]
        assert sorted(city) == ["country", "id"]
        assert sorted(city["country"]["entity"]) == ["name"]


def test_what_is_not_shown_is_not_followed() -> None:
    find = Looks()
    view = View(join=Join.FLAT, pick=picked("id,level"))
    assert Writer(NAMES, view, find).one(TANK).keys() == {"id", "level"}
    assert find.count == 0
    contained = View(join=Join.INLINE, contained_by=frozenset({"urn:x:almaty"}))
    assert "entity" not in Writer(NAMES, contained, Looks()).one(TANK)["city"]


def test_circles_end() -> None:
    ring = {
        "urn:x:a": entity("urn:x:a", next=one("urn:x:b", AttributeKind.RELATIONSHIP)),
        "urn:x:b": entity("urn:x:b", next=one("urn:x:a", AttributeKind.RELATIONSHIP)),
    }
    view = View(join=Join.INLINE, join_level=10)
    inner = Writer(NAMES, view, Looks(ring)).one(ring["urn:x:a"])["next"]["entity"]
    assert inner["next"] == {"type": "Relationship", "object": "urn:x:a"}


def test_lists_of_relationships_are_joined() -> None:
    ways = ["urn:x:almaty", "urn:x:none", "urn:x:kz"]
    tank = entity(
        "urn:x:1",
        a=one(ways, AttributeKind.RELATIONSHIP),
        b=one(ways, AttributeKind.LIST_RELATIONSHIP),
    )
    view = View(join=Join.INLINE)
    written = Writer(NAMES, view, Looks()).one(tank)
    assert [each["id"] for each in written["a"]["entity"]] == ["urn:x:almaty", "urn:x:kz"]
    assert [each["id"] for each in written["b"]["entityList"]] == ["urn:x:almaty", "urn:x:kz"]
    simple = View(join=Join.INLINE, form=Form.SIMPLIFIED)
    assert Writer(NAMES, simple, Looks()).one(tank)["a"][1] == "urn:x:none"


def test_an_answer_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "INLINED_MAX", 1)
    with pytest.raises(TooManyResults, match="more than 1 linked"):
        Writer(NAMES, View(join=Join.INLINE, join_level=2), Looks()).one(TANK)


def test_the_plain_view_is_the_default() -> None:
    assert Writer(NAMES).one(TANK) == Writer(NAMES, PLAIN).one(TANK)
