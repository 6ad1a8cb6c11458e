"""Attributes: every representation comes to the same; what a kind cannot have is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from citytwin_hub.apis.ngsild import attributes as module
from citytwin_hub.apis.ngsild.attributes import PARTS_DEPTH_MAX
from citytwin_hub.apis.ngsild.reading import read_fragment, read_patch, read_patches
from citytwin_hub.apis.ngsild.view import Form, View
from citytwin_hub.apis.ngsild.writing import Writer
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.fragment import Patch
from citytwin_hub.entities.model import NULL, Attribute, AttributeKind, Entity
from citytwin_hub.jsonld.processing import CORE

K = AttributeKind
CORE_IRI = "https://uri.etsi.org/ngsi-ld/"
DEFAULT = f"{CORE_IRI}default-context/"
POINT = {"type": "Point", "coordinates": [76.9, 43.2]}


def read(given: Any, name: str = "speed", *, nulls: bool = False) -> tuple[Attribute, ...]:
    return read_fragment({name: given}, CORE, nulls=nulls).attributes[CORE.expand(name)]


def patched(given: Any) -> Patch:
    (patch,) = read_patches({"speed": given}, CORE).patches[f"{DEFAULT}speed"]
    return patch


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        (55, K.PROPERTY, 55),
        ("a", K.PROPERTY, "a"),
        ([1, 2], K.PROPERTY, [1, 2]),
        ([], K.PROPERTY, []),
        ([{"a": 1}, {"b": 2}], K.PROPERTY, [{"a": 1}, {"b": 2}]),
        ({"street": "Абай"}, K.PROPERTY, {"street": "Абай"}),
        ({"@type": "DateTime", "@value": "x"}, K.PROPERTY, {"@type": "DateTime", "@value": "x"}),
        ({"value": 55}, K.PROPERTY, 55),
        ({"type": "Property", "value": 55}, K.PROPERTY, 55),
        ({"@type": "Property", "value": 55}, K.PROPERTY, 55),
        ({"type": f"{CORE_IRI}Property", "value": 55}, K.PROPERTY, 55),
        ({"type": "Property", "value": POINT}, K.PROPERTY, POINT),
        (POINT, K.GEO, POINT),
        ({"value": POINT}, K.GEO, POINT),
        ({"type": "GeoProperty", "value": POINT}, K.GEO, POINT),
        ({"object": "urn:x:a"}, K.RELATIONSHIP, "urn:x:a"),
        ({"type": "Relationship", "object": ["urn:x:a"]}, K.RELATIONSHIP, ["urn:x:a"]),
        ({"languageMap": {"kk": "Су"}}, K.LANGUAGE, {"kk": "Су"}),
        ({"vocab": "a"}, K.VOCAB, f"{DEFAULT}a"),
        ({"json": {"type": "raw"}}, K.JSON, {"type": "raw"}),
        ({"valueList": [1, 2]}, K.LIST, [1, 2]),
        ({"objectList": [{"object": "urn:x:a"}]}, K.LIST_RELATIONSHIP, ["urn:x:a"]),
    ],
)
def test_every_representation(given: Any, kind: AttributeKind, value: Any) -> None:
    assert read(given) == (Attribute(kind=kind, value=value),)
    patch = patched(given)
    assert (patch.kind, patch.value) == (kind, value)


def test_all_that_is_said_of_a_value() -> None:
    (made,) = read(
        {
            "type": "Property",
            "value": 3.2,
            "unitCode": "MTR",
            "observedAt": "1970-01-01T00:00:01Z",
            "expiresAt": "1970-01-01T00:00:02Z",
            "datasetId": "urn:x:d",
            "valueType": "xsd:double",
            "instanceId": "urn:x:i",
            "createdAt": "2020-01-01T00:00:00Z",
            "source": {"type": "Relationship", "object": "urn:x:a", "objectType": ["Meter"]},
            "quality": "good",
        }
    )
    assert (made.value, made.unit_code, made.dataset) == (3.2, "MTR", "urn:x:d")
    assert (made.observed_ns, made.expires_ns) == (1_000_000_000, 2_000_000_000)
    assert (made.value_type, made.instance, made.created_ns) == ("xsd:double", "", 0)
    (source,) = made.parts[f"{DEFAULT}source"]
    assert (source.kind, source.object_type) == (K.RELATIONSHIP, (f"{DEFAULT}Meter",))
    assert made.parts[f"{DEFAULT}quality"][0].value == "good"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "Property"}, "no 'value'"),
        ({"type": "Relationship"}, "no 'object'"),
        ({"type": "LanguageProperty"}, "no 'languageMap'"),
        ({"type": "PostalAddress", "street": "a"}, "PostalAddress"),
        ({"type": 3, "value": 1}, "type 3"),
        ({"value": 1, "object": "urn:x:a"}, "both 'value' and 'object'"),
        ({"type": "Property", "value": 1, "object": "urn:x:a"}, "has 'object'"),
        ({"type": "Property", "value": 1, "languageMap": {"en": "a"}}, "has 'languageMap'"),
        ({"type": "Property", "value": 1, "valueList": [1]}, "has 'valueList'"),
        ({"type": "ListProperty", "valueList": [1], "value": 3}, "has 'value'"),
        ({"type": "JsonProperty", "json": {}, "value": 1}, "has 'value'"),
        ({"type": "Relationship", "object": "urn:x:a", "value": 42}, "has 'value'"),
        ({"type": "Property", "value": 1, "previousValue": 0}, "previousValue"),
        ({"type": "Relationship", "object": "urn:x:a", "previousObject": "urn:x:b"}, "previousO"),
        ({"type": "Relationship", "object": "urn:x:a", "entity": {}}, "'entity'"),
        ({"type": "Property", "value": 1, "entityIdSealed": "urn:x:a"}, "entityIdSealed"),
        ({"type": "Relationship", "object": "urn:x:a", "unitCode": "MTR"}, "no unit"),
        ({"type": "JsonProperty", "json": {}, "unitCode": "MTR"}, "no unit"),
        ({"type": "Property", "value": 1, "unitCode": 5}, "speed.unitCode"),
        ({"type": "Property", "value": 1, "objectType": "A"}, "leads nowhere"),
        (
            {"type": "LanguageProperty", "languageMap": {"en": "x"}, "valueType": "a:b"},
            "langString",
        ),
        ({"type": "Property", "value": 1, "@context": {}}, "@context"),
        ({"type": "Property", "value": 1, "observedAt": "1970-01-01"}, "speed.observedAt"),
        ({"type": "Property", "value": 1, "my part": 1}, "my part"),
        ({"type": "Property", "value": 1, "id": "urn:x:a"}, "keyword"),
        ({"type": "Property", "value": 1, "sub": {"value": NULL}}, "speed.sub"),
        ({"type": "Property", "value": 1, "sub": NULL}, "speed.sub"),
        ({"type": "Property", "value": 1, "a": 1, f"{DEFAULT}a": 2}, "twice"),
        ({"value": {"type": "Point", "coordinates": [1]}}, "no GeoJSON geometry"),
        ({"type": "GeometryCollection", "geometries": []}, "GeometryCollection"),
        ([{"type": "Property", "value": 1}, 5], "something else"),
        ([{"value": 1}, {"value": 2, "datasetId": "@none"}], "two instances with no datasetId"),
        ([{"value": 1, "datasetId": "urn:x:a"}] * 2, "two instances with the datasetId 'urn:x:a'"),
    ],
)
def test_what_is_refused(given: Any, words: str) -> None:
    with pytest.raises(BadRequestData, match=words):
        read(given)


def test_instances_by_dataset() -> None:
    many = read([{"value": 55, "datasetId": "@none"}, {"value": 11, "datasetId": "urn:x:gps"}])
    assert [(one.dataset, one.value) for one in many] == [("", 55), ("urn:x:gps", 11)]
    assert read({"dataset": {"@none": 55, "urn:x:gps": {"languageMap": {"kk": "а"}}}})[0] == (
        Attribute(kind=K.PROPERTY, value=55)
    )


def test_location_is_a_geo_property() -> None:
    assert read(POINT, "location")[0].kind is K.GEO
    for wrong in (7, {"type": "Property", "value": 7}, {"object": "urn:x:a"}):
        for name in ("location", "observationSpace", "operationSpace"):
            with pytest.raises(BadRequestData, match="always a GeoProperty"):
                read(wrong, name)
    assert read({"type": "GeoProperty", "value": NULL}, "location", nulls=True)[0].value == NULL


def test_a_proof_seals_names() -> None:
    proof = {
        "type": "Property",
        "entityIdSealed": "urn:x:a",
        "entityTypeSealed": "Vehicle",
        "value": {"type": "DataIntegrityProof", "proofValue": "z"},
    }
    (made,) = read(proof, "ngsildproof")
    assert (made.sealed_id, made.sealed_type) == ("urn:x:a", (f"{DEFAULT}Vehicle",))
    for wrong in ({"value": "z"}, {"entityTypeSealed": 42}, {"entityIdSealed": True}):
        with pytest.raises(BadRequestData):
            read({**proof, **wrong}, "ngsildproof")


def test_nulls_of_an_update_and_of_a_merge() -> None:
    assert read({"languageMap": {"@none": NULL}}, nulls=True)[0].value == NULL
    for document, kind in (
        (NULL, None),
        ({"value": NULL}, None),
        ({"type": "GeoProperty", "value": NULL}, K.GEO),
        ({"type": "LanguageProperty", "languageMap": {"@none": NULL}}, K.LANGUAGE),
    ):
        patch = patched(document)
        assert (patch.kind, patch.value) == (kind, NULL)
    patch = patched({"unitCode": NULL, "observedAt": NULL, "expiresAt": NULL, "source": NULL})
    assert (patch.unit_code, patch.observed_ns, patch.expires_ns) == (None, None, None)
    assert (patch.object_type, patch.value) == (UNSET, UNSET)
    assert patch.parts[f"{DEFAULT}source"][0].value == NULL
    with pytest.raises(BadRequestData, match="datasetId cannot be deleted"):
        read_patch({"datasetId": NULL}, CORE)


def test_parts_and_instances_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: dict[str, Any] = {"type": "Property", "value": 1}
    for _ in range(PARTS_DEPTH_MAX):
        deep = {"type": "Property", "value": 1, "sub": deep}
    read(deep)
    with pytest.raises(BadRequestData, match=f"over {PARTS_DEPTH_MAX} deep"):
        read({"type": "Property", "value": 1, "sub": deep})
    with pytest.raises(BadRequestData, match=f"over {PARTS_DEPTH_MAX} deep"):
        patched({"type": "Property", "value": 1, "sub": deep})
    monkeypatch.setattr(module, "INSTANCES_MAX", 1)
    with pytest.raises(BadRequestData, match="over 1 instances"):
        read([{"value": 1}, {"value": 2, "datasetId": "urn:x:a"}])
    monkeypatch.setattr(module, "ATTRIBUTES_MAX", 1)
    with pytest.raises(BadRequestData, match="over 1 attributes"):
        read({"value": 1, "a": 1, "b": 2})


TEXTS = st.text("абвgd ", min_size=1, max_size=5)
VALUES: dict[AttributeKind, st.SearchStrategy[Any]] = {
    K.PROPERTY: st.one_of(st.integers(-9, 9), st.booleans(), TEXTS, st.lists(TEXTS, min_size=2)),
    K.GEO: st.just(POINT),
    K.RELATIONSHIP: st.sampled_from(["urn:x:a", "urn:x:b"]),
    K.LANGUAGE: st.dictionaries(st.sampled_from(["kk", "ru", "en-GB"]), TEXTS, min_size=1),
    K.VOCAB: st.sampled_from([f"{DEFAULT}a", "urn:x:b"]),
    K.JSON: st.dictionaries(TEXTS, st.none() | TEXTS),
    K.LIST: st.lists(st.integers(-9, 9), min_size=1),
    K.LIST_RELATIONSHIP: st.lists(st.just("urn:x:a"), min_size=1, max_size=3),
}


@st.composite
def attributes(draw: st.DrawFn, parts: bool = True) -> Attribute:
    kind = draw(st.sampled_from(list(K)))
    names = st.sampled_from([f"{DEFAULT}source", f"{DEFAULT}quality"])
    return Attribute(
        kind=kind,
        value=draw(VALUES[kind]),
        unit_code=draw(st.sampled_from(["", "MTR"])) if kind in {K.PROPERTY, K.LIST} else "",
        observed_ns=draw(st.none() | st.integers(0, 10**18)),
        value_type=draw(st.sampled_from(["", f"{DEFAULT}length"])) if kind is K.PROPERTY else "",
        parts=draw(st.dictionaries(names, st.tuples(attributes(parts=False)))) if parts else {},
    )


@given(
    several=st.lists(attributes(), min_size=1, max_size=3),
    form=st.sampled_from([Form.NORMALIZED, Form.CONCISE]),
)
def test_what_is_written_is_read_back(several: list[Attribute], form: Form) -> None:
    from msgspec.structs import replace

    instances = tuple(
        replace(one, dataset=f"urn:x:d{number}" if number else "")
        for number, one in enumerate(several)
    )
    entity = Entity(id="urn:x:a", types=(f"{DEFAULT}T",), attributes={f"{DEFAULT}a": instances})
    written = Writer(CORE, View(form=form)).entity(entity)
    assert read(written["a"], "a") == instances
