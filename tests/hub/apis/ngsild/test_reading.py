"""Reading: entities and fragments of them, and what their documents may not have."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from citytwin_hub.apis.ngsild import attributes, reading
from citytwin_hub.apis.ngsild.reading import (
    attribute_iri,
    read_attribute,
    read_entity,
    read_fragment,
    read_patch,
    read_patches,
)
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest
from citytwin_hub.entities.model import NULL, AttributeKind
from citytwin_hub.jsonld.processing import CORE

K = AttributeKind
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
SPEED, NAME = f"{DEFAULT}speed", f"{DEFAULT}name"
HEAD = {"id": "urn:ngsi-ld:Vehicle:1", "type": "Vehicle"}
SECOND_NS = 1_000_000_000


def entity(**members: Any) -> Any:
    return read_entity({**HEAD, **members}, CORE, 7)


def test_an_entity_with_all_that_it_may_say_of_itself() -> None:
    made = entity(
        **{
            "type": ["Vehicle", "Bus"],
            "scope": ["/Almaty", "/Almaty/Medeu"],
            "expiresAt": "1970-01-01T00:00:02Z",
            "createdAt": "2020-01-01T00:00:00Z",
            "modifiedAt": "nonsense",
            "@context": "https://example.org/c.jsonld",
            "speed": 3,
        }
    )
    assert made.id == "urn:ngsi-ld:Vehicle:1"
    assert made.types == (f"{DEFAULT}Vehicle", f"{DEFAULT}Bus")
    assert made.scopes == ("/Almaty", "/Almaty/Medeu")
    assert made.expires_ns == 2 * SECOND_NS
    assert (made.created_ns, made.modified_ns) == (7, 7)
    assert list(made.attributes) == [SPEED]


def test_keywords_of_json_ld_are_taken_for_id_and_type() -> None:
    made = read_entity({"@id": "urn:x:a", "@type": "Vehicle"}, CORE, 0)
    assert (made.id, made.types) == ("urn:x:a", (f"{DEFAULT}Vehicle",))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"type": "Vehicle"}, "no id"),
        ({"id": "urn:x:a"}, "no type"),
        ({"id": "Vehicle1", "type": "Vehicle"}, 'id is "Vehicle1", which is not a URI'),
        ({"id": NULL, "type": "Vehicle"}, "not a URI"),
        ({"id": 3, "type": "Vehicle"}, "not a URI"),
        ({"id": "urn:x:a", "type": "type"}, "keyword"),
        ({"id": "urn:x:a", "type": "9Vehicle"}, "9Vehicle"),
        ({"id": "urn:x:a", "type": []}, "type"),
        ({"id": "urn:x:a", "@id": "urn:x:a", "type": "A"}, "both 'id' and '@id'"),
        ({**HEAD, "scope": NULL}, "scope"),
        ({**HEAD, "scope": "a-b"}, "scope"),
        ({**HEAD, "expiresAt": NULL}, "expiresAt"),
        ({**HEAD, "expiresAt": "soon"}, "expiresAt"),
        ({**HEAD, "my attr": 1}, "my attr"),
        ({**HEAD, "speed": None}, "speed holds null"),
        ({**HEAD, "speed": NULL}, "speed has the value"),
        ({**HEAD, "datasetId": {"type": "Property", "value": 1}}, "'datasetId' cannot name"),
        ({**HEAD, "instanceId": 1}, "'instanceId' cannot name"),
        ({**HEAD, "observedAt": "2026-01-01T00:00:00Z"}, "'observedAt' cannot name"),
        ({**HEAD, "value": 1}, "'value' cannot name"),
        ({**HEAD, "speed": 1, f"{DEFAULT}speed": 2}, "given already"),
    ],
)
def test_what_is_no_entity(document: Any, words: str) -> None:
    with pytest.raises(BadRequestData, match=words):
        read_entity(document, CORE, 0)


@pytest.mark.parametrize("document", [[], None, "urn:x:a", 3])
def test_what_is_no_object_is_of_a_wrong_form(document: Any) -> None:
    with pytest.raises(InvalidRequest, match="an entity is an object"):
        read_entity(document, CORE, 0)
    with pytest.raises(InvalidRequest, match="a fragment of an attribute is an object"):
        read_patch(document, CORE)


def test_an_evolution_has_instances_of_one_dataset_many_times() -> None:
    instances = [
        {"type": "Property", "value": number, "observedAt": f"1970-01-01T00:00:0{number}Z"}
        for number in range(3)
    ]
    instances[0]["instanceId"] = "urn:x:instance"
    document = {**HEAD, "speed": instances, "name": {"type": "Property", "value": "a"}}
    made = read_entity(document, CORE, 0, temporal=True)
    found = made.attributes[SPEED]
    assert [(one.value, one.observed_ns) for one in found] == [
        (number, number * SECOND_NS) for number in range(3)
    ]
    assert [one.instance for one in found] == ["urn:x:instance", "", ""]
    assert [one.value for one in made.attributes[NAME]] == ["a"]
    with pytest.raises(BadRequestData, match="two instances"):
        read_entity(document, CORE, 0)


def test_a_fragment_says_what_is_given_of_an_entity() -> None:
    made = read_fragment({"speed": 3, "type": "Bus"}, CORE)
    assert (made.id, made.types, made.scopes, made.expires_ns) == (
        "",
        (f"{DEFAULT}Bus",),
        None,
        UNSET,
    )
    assert made.attributes[SPEED][0].value == 3
    assert made.patches == {}


def test_a_fragment_may_delete_where_it_is_an_update() -> None:
    document = {"speed": NULL, "scope": NULL, "expiresAt": NULL}
    made = read_fragment(document, CORE, nulls=True)
    assert made.attributes[SPEED][0].value == NULL
    assert (made.scopes, made.expires_ns) == ((), None)
    for member in document:
        with pytest.raises(BadRequestData):
            read_fragment({member: NULL}, CORE)


def test_an_attribute_as_a_document_of_its_own() -> None:
    (made,) = read_attribute(
        {"type": "Property", "value": 5, "@context": "https://example.org/c.jsonld"}, CORE, "speed"
    )
    assert (made.kind, made.value) == (K.PROPERTY, 5)
    (point,) = read_attribute({"type": "Point", "coordinates": [1, 2]}, CORE, "location")
    assert point.kind is K.GEO
    for name in ("scope", "type", "@invalid", "..", "datasetId", ""):
        with pytest.raises(BadRequestData):
            read_attribute({"type": "Property", "value": 5}, CORE, name)
    assert attribute_iri("speed", CORE) == SPEED


def test_patches_say_what_is_given_of_attributes() -> None:
    made = read_patches(
        {
            "id": "urn:x:a",
            "speed": {"type": "Property", "value": {"a": 1, "b": NULL}},
            "name": NULL,
            "level": {"unitCode": "MTR"},
        },
        CORE,
    )
    assert made.attributes == {}
    (speed,) = made.patches[SPEED]
    assert (speed.kind, speed.value) == (K.PROPERTY, {"a": 1, "b": NULL})
    (name,) = made.patches[NAME]
    assert (name.kind, name.value) == (None, NULL)
    (level,) = made.patches[f"{DEFAULT}level"]
    assert (level.kind, level.value, level.unit_code) == (None, UNSET, "MTR")


def test_a_patch_of_one_attribute() -> None:
    made = read_patch({"value": "y", "source": "meter"}, CORE)
    assert (made.kind, made.value) == (K.PROPERTY, "y")
    assert made.parts[f"{DEFAULT}source"][0].value == "meter"
    with pytest.raises(BadRequestData, match="nothing can be deleted"):
        read_patch({"value": {"country": NULL}}, CORE)
    for empty in ({}, {"@context": "https://example.org/c.jsonld"}):
        with pytest.raises(BadRequestData, match="empty"):
            read_patch(empty, CORE)
    with pytest.raises(BadRequestData, match="says nothing"):
        read_patch({"createdAt": "2020-01-01T00:00:00Z"}, CORE)
    with pytest.raises(BadRequestData, match="not an attribute"):
        read_patch({"value": "/Barcelona"}, CORE, "scope")


def test_bare_texts_of_a_merge_are_read_as_what_the_attribute_is() -> None:
    kinds = {SPEED: K.LANGUAGE, NAME: K.RELATIONSHIP}
    made = read_patches({"speed": "жылдам", "name": "urn:x:b"}, CORE, lang="kk", kinds=kinds)
    assert [(one.kind, one.value) for one in made.patches[SPEED]] == [
        (K.LANGUAGE, {"kk": "жылдам"})
    ]
    assert [(one.kind, one.value) for one in made.patches[NAME]] == [(K.RELATIONSHIP, "urn:x:b")]
    with pytest.raises(BadRequestData, match="not a URI"):
        read_patches({"name": "b"}, CORE, kinds=kinds)


def test_members_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ATTRIBUTES_MAX", 3)
    entity(speed=1)
    with pytest.raises(BadRequestData, match="over 3 members"):
        entity(speed=1, name=2)
    monkeypatch.setattr(attributes, "TEMPORAL_INSTANCES_MAX", 1)
    document = {**HEAD, "speed": [{"type": "Property", "value": 1}] * 2}
    with pytest.raises(BadRequestData, match="over 1 instances"):
        read_entity(document, CORE, 0, temporal=True)
