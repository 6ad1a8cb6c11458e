"""Values: what each kind of attribute takes, and the sentence where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_hub.apis.ngsild import values as module
from citytwin_hub.apis.ngsild.values import DEPTH_MAX, Nulls, check_json, is_null, read_value, shown
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import NULL, AttributeKind
from citytwin_hub.jsonld.processing import CORE

K = AttributeKind
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
POINT = {"type": "Point", "coordinates": [76.9, 43.2]}


def read(kind: AttributeKind, value: Any, nulls: Nulls = Nulls.REFUSED) -> Any:
    return read_value(kind, value, CORE, "speed", nulls)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": [value]} if depth % 2 else [value]
    return value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (K.PROPERTY, 55),
        (K.PROPERTY, "žltý kôň — 100 €"),
        (K.PROPERTY, False),
        (K.PROPERTY, [1, "a", {"b": []}]),
        (K.PROPERTY, {"@type": "@json", "@value": None}),
        (K.PROPERTY, {"@type": "DateTime", "@value": "2026-01-01T00:00:00Z"}),
        (K.GEO, POINT),
        (K.RELATIONSHIP, "urn:x:a"),
        (K.RELATIONSHIP, ["urn:x:a", "urn:ngsi-ld:Ciudad:París"]),
        (K.LANGUAGE, {"kk": "Су", "en-GB": ["water", "aqua"], "@none": "H2O"}),
        (K.JSON, {"type": "raw", "null": None}),
        (K.JSON, [{"id": "a"}, {}]),
        (K.LIST, [1.2, [3], {"a": "b"}]),
        (K.LIST, []),
        (K.LIST_RELATIONSHIP, ["urn:x:a"]),
    ],
)
def test_what_is_taken_as_it_is(kind: AttributeKind, value: Any) -> None:
    assert read(kind, value) == value


def test_what_is_taken_in_another_form() -> None:
    assert read(K.GEO, '{"type": "Point", "coordinates": [76.9, 43.2]}') == POINT
    assert read(K.VOCAB, "monument") == f"{DEFAULT}monument"
    assert read(K.VOCAB, ["monument", "urn:x:a"]) == [f"{DEFAULT}monument", "urn:x:a"]
    assert read(K.LIST_RELATIONSHIP, ["urn:x:a", {"object": "urn:x:b"}]) == ["urn:x:a", "urn:x:b"]


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (K.PROPERTY, None, "null"),
        (K.PROPERTY, {"a": [None]}, "null"),
        (K.PROPERTY, NULL, "deletes"),
        (K.PROPERTY, {"a": {"b": NULL}}, "nothing can be deleted"),
        (K.PROPERTY, nested(DEPTH_MAX + 1), "deep"),
        (K.GEO, "not a geometry", "no geometry"),
        (K.GEO, {"type": "Point", "coordinates": [1]}, "no GeoJSON geometry"),
        (K.GEO, {"type": "GeometryCollection", "geometries": []}, "GeometryCollection"),
        (K.RELATIONSHIP, "not a uri", "not a URI"),
        (K.RELATIONSHIP, [], "URI"),
        (K.RELATIONSHIP, 3, "URI"),
        (K.RELATIONSHIP, ["urn:x:a", NULL], "not a URI"),
        (K.LANGUAGE, {}, "no texts"),
        (K.LANGUAGE, "water", "no texts"),
        (K.LANGUAGE, {"en": 5}, "in 'en' is 5"),
        (K.LANGUAGE, {"en": ["a", 5]}, "in 'en' is 5"),
        (K.LANGUAGE, {"": "x"}, "not a language"),
        (K.LANGUAGE, {"en_GB": "x"}, "not a language"),
        (K.LANGUAGE, {"@none": NULL}, "deletes"),
        (K.LANGUAGE, {"en": NULL, "kk": "а"}, "deletes"),
        (K.VOCAB, "", "array of terms"),
        (K.VOCAB, [1], "array of terms"),
        (K.VOCAB, 5, "array of terms"),
        (K.JSON, 5, "object"),
        (K.JSON, [5], "object"),
        (K.JSON, {"a": nested(DEPTH_MAX)}, "deep"),
        (K.LIST, 5, "array"),
        (K.LIST, [None], "null"),
        (K.LIST_RELATIONSHIP, ["not a uri"], "not a URI"),
        (K.LIST_RELATIONSHIP, [{"object": "urn:x:a", "b": 1}], "not a URI"),
        (K.LIST_RELATIONSHIP, "urn:x:a", "array of URIs"),
    ],
)
def test_what_is_refused(kind: AttributeKind, value: Any, words: str) -> None:
    with pytest.raises(BadRequestData, match=words) as refused:
        read(kind, value)
    assert "speed" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((kind, NULL) for kind in K),
        (K.LANGUAGE, {"@none": NULL}),
        (K.LIST, [NULL]),
        (K.LIST_RELATIONSHIP, [NULL]),
        (K.LIST_RELATIONSHIP, [{"object": NULL}]),
    ],
)
def test_null_deletes_where_it_may(kind: AttributeKind, value: Any) -> None:
    assert is_null(value, kind)
    assert read(kind, value, Nulls.DELETE) == NULL
    with pytest.raises(BadRequestData, match="deletes"):
        read(kind, value)


def test_null_inside_a_value_is_for_merging_only() -> None:
    address, texts = {"street": "Абай", "country": NULL}, {"kk": "Су", "en": NULL}
    assert read(K.PROPERTY, address, Nulls.MERGE) == address
    assert read(K.LANGUAGE, texts, Nulls.MERGE) == texts
    for nulls in (Nulls.REFUSED, Nulls.DELETE):
        for kind, value in ((K.PROPERTY, address), (K.LANGUAGE, texts)):
            with pytest.raises(BadRequestData):
                read(kind, value, nulls)
    assert not is_null(address, K.PROPERTY)


def test_lists_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_MAX", 2)
    for kind, value in (
        (K.LIST, [1, 2, 3]),
        (K.RELATIONSHIP, ["urn:x:a"] * 3),
        (K.LIST_RELATIONSHIP, ["urn:x:a"] * 3),
    ):
        with pytest.raises(BadRequestData, match="over 2 elements"):
            read(kind, value)


def test_depth_is_counted_up_to_its_limit() -> None:
    check_json(nested(DEPTH_MAX // 2), "speed")
    with pytest.raises(BadRequestData, match=f"over {DEPTH_MAX} deep"):
        check_json({"@type": "@json", "@value": nested(DEPTH_MAX)}, "speed")


def test_a_value_in_a_sentence_is_short() -> None:
    assert shown({"a": 1}) == '{"a":1}'
    assert len(shown("a" * 1000)) < 70
