"""The evolution of entities, written in each of its representations."""

import pytest

from citytwin_hub.apis.ngsild import languages
from citytwin_hub.apis.ngsild.temporal_parameters import Shape, TemporalView
from citytwin_hub.apis.ngsild.temporal_writing import TemporalWriter
from citytwin_hub.apis.ngsild.view import Form, View
from citytwin_hub.entities.aggregates import Method
from citytwin_hub.entities.evolution_store import Dated
from citytwin_hub.entities.model import NULL, Attribute, AttributeKind
from citytwin_hub.entities.windows import Evolution, Window
from citytwin_hub.jsonld.processing import CORE

SECOND = 10**9
MOMENT = "1970-01-01T00:00:07Z"
LEVEL = CORE.expand("level")
VALUES = {
    AttributeKind.PROPERTY: (3, 3, "values", 3),
    AttributeKind.GEO: ({"type": "Point"}, {"type": "Point"}, "values", {"type": "Point"}),
    AttributeKind.RELATIONSHIP: ("urn:x:1", "urn:x:1", "objects", "urn:x:1"),
    AttributeKind.LANGUAGE: (
        {"kk": "Су"}, {"kk": "Су"}, "languageMaps", {"languageMap": {"kk": "Су"}},
    ),
    AttributeKind.VOCAB: (CORE.expand("open"), "open", "vocabs", {"vocab": "open"}),
    AttributeKind.JSON: ({"a": None}, {"a": None}, "jsons", {"json": {"a": None}}),
    AttributeKind.LIST: ([1, 2], [1, 2], "valueLists", [1, 2]),
    AttributeKind.LIST_RELATIONSHIP: (
        ["urn:x:1"], [{"object": "urn:x:1"}], "objectLists", ["urn:x:1"],
    ),
}  # fmt: skip
MEMBERS = {
    "values": "value", "objects": "object", "languageMaps": "languageMap", "vocabs": "vocab",
    "jsons": "json", "valueLists": "valueList", "objectLists": "objectList",
}  # fmt: skip


def evolution(*instances):
    dated = [Dated(7 * SECOND, one) for one in instances]
    return Evolution(
        id="urn:ngsi-ld:Tank:1",
        types=(CORE.expand("Tank"),),
        created_ns=0,
        modified_ns=SECOND,
        deleted_ns=None,
        attributes={LEVEL: dated},
        kinds={LEVEL: instances[0].kind},
    )


def written(shape, *instances, **view):
    seen = TemporalView(shape=shape, view=View(**view), window=Window())
    return TemporalWriter(CORE, seen).entity(evolution(*instances))["level"]


@pytest.mark.parametrize("kind", AttributeKind)
def test_every_kind_has_instances_and_values(kind):
    value, normalized, series, simple = VALUES[kind]
    one = Attribute(kind=kind, value=value, observed_ns=7 * SECOND, instance="urn:i:1")
    assert written(Shape.INSTANCES, one) == [
        {
            "type": kind.value,
            MEMBERS[series]: normalized,
            "observedAt": MOMENT,
            "instanceId": "urn:i:1",
        }
    ]
    assert written(Shape.VALUES, one) == {"type": kind.value, series: [[simple, MOMENT]]}


@pytest.mark.parametrize("kind", AttributeKind)
def test_what_was_deleted_has_null_for_its_value(kind):
    value, _, series, _ = VALUES[kind]
    one = Attribute(
        kind=kind, value=value, observed_ns=7, unit_code="X", deleted_ns=9 * SECOND,
    )  # fmt: skip
    null = {
        AttributeKind.LANGUAGE: {"@none": NULL},
        AttributeKind.LIST: [NULL],
        AttributeKind.LIST_RELATIONSHIP: [{"object": NULL}],
    }.get(kind, NULL)
    assert written(Shape.INSTANCES, one) == [
        {"type": kind.value, MEMBERS[series]: null, "deletedAt": "1970-01-01T00:00:09Z"}
    ]
    assert NULL in str(written(Shape.VALUES, one)[series])


def test_a_language_makes_a_property_of_a_language_property():
    one = Attribute(kind=AttributeKind.LANGUAGE, value={"kk": "Су", "ru": "Вода"})
    spoken = languages.parse("ru")
    assert written(Shape.INSTANCES, one, languages=spoken) == [
        {"type": "Property", "lang": "ru", "value": "Вода"}
    ]
    assert written(Shape.VALUES, one, languages=spoken) == {
        "type": "Property",
        "values": [["Вода", MOMENT]],
    }


def test_concise_instances_go_without_their_type():
    one = Attribute(kind=AttributeKind.PROPERTY, value=3, instance="urn:i:1")
    assert written(Shape.INSTANCES, one, form=Form.CONCISE) == [
        {"value": 3, "instanceId": "urn:i:1"}
    ]


def test_aggregated_values_have_their_periods_by_dataset():
    result = {Method.AVG: [(2.5, 0, SECOND)], Method.COUNT: [(2, 0, SECOND)]}
    some = {"": (AttributeKind.PROPERTY, result), "urn:d:1": (AttributeKind.PROPERTY, {})}
    seen = TemporalView(shape=Shape.AGGREGATED, view=View(), window=Window())
    one = Attribute(kind=AttributeKind.PROPERTY, value=3)
    document = TemporalWriter(CORE, seen).entity(evolution(one), {LEVEL: some})
    span = ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]
    assert document["level"] == [
        {"type": "Property", "avg": [[2.5, *span]], "totalCount": [[2, *span]]},
        {"type": "Property", "datasetId": "urn:d:1"},
    ]
