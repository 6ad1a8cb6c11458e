"""What a request asks of the evolution of entities."""

import pytest

from citytwin_hub.apis.ngsild.temporal_parameters import Shape, query, query_document, retrieval
from citytwin_hub.entities.aggregates import Method
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest
from citytwin_hub.entities.evolution_store import Moment, Span
from citytwin_hub.jsonld.processing import CORE

JSON = "application/json"
SECOND = 10**9
AT = {"timeAt": "1970-01-01T00:00:05Z", "endTimeAt": "1970-01-01T00:00:09Z"}


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ({}, Span(Moment.ANY)),
        ({"timeproperty": "deletedAt"}, Span(Moment.DELETED)),
        ({"timerel": "before", **AT}, Span(Moment.OBSERVED, None, 5 * SECOND)),
        ({"timerel": "after", **AT}, Span(Moment.OBSERVED, 5 * SECOND)),
        (
            {"timerel": "between", **AT, "timeproperty": "createdAt"},
            Span(Moment.CREATED, 5 * SECOND, 9 * SECOND),
        ),
    ],
)
def test_a_window_is_a_span_of_one_moment(given, span):
    assert retrieval(given, CORE, JSON).window.span == span


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ({}, Shape.INSTANCES),
        ({"options": "sysAttrs"}, Shape.INSTANCES),
        ({"options": "temporalValues,sysAttrs"}, Shape.VALUES),
        ({"format": "temporalValues", "options": "aggregatedValues"}, Shape.VALUES),
        ({"format": "normalized", "options": "temporalValues"}, Shape.INSTANCES),
        ({"format": "aggregatedValues", "aggrMethods": "sum"}, Shape.AGGREGATED),
    ],
)
def test_format_has_the_last_word(given, shape):
    assert retrieval(given, CORE, JSON).shape is shape


def test_what_is_picked_is_what_is_read():
    seen = retrieval({"pick": "id,level"}, CORE, JSON)
    assert seen.wanted.attributes == {CORE.expand("level")}
    assert retrieval({"omit": "level"}, CORE, JSON).wanted.attributes is None
    assert retrieval({"attrs": "level"}, CORE, JSON).wanted.attributes == {CORE.expand("level")}


@pytest.mark.parametrize("methods", ["avg,max", ["avg", "max"]])
def test_a_document_says_the_same_as_parameters(methods):
    temporal = {"timerel": "after", "timeAt": AT["timeAt"]}
    document = {
        "type": "Query",
        "entities": [{"type": "Tank"}],
        "temporalQ": temporal | {"lastN": 3, "aggrMethods": methods},
        "aggrParams": {"aggrPeriodDuration": "PT1H"},
    }
    asked = query_document(document, {"limit": "7"}, CORE, JSON)
    assert asked.seen.methods == (Method.AVG, Method.MAX)
    assert (asked.seen.shape, asked.seen.window.last) == (Shape.AGGREGATED, 3)
    assert asked.seen.duration.ns == 3600 * SECOND
    assert asked.page.limit == 7
    by_get = query(temporal | {"type": "Tank", "lastN": "3"}, CORE, JSON)
    assert by_get.seen.window == asked.seen.window
    assert by_get.selection == asked.selection


@pytest.mark.parametrize(
    "more",
    [
        {"temporalQ": {"timerel": "after"}},
        {"temporalQ": {"timerel": "after", "timeAt": 7}},
        {"temporalQ": {"timerel": "after", "timeAt": AT["timeAt"], "lastN": 2.5}},
        {"temporalQ": {"timerel": "after", "timeAt": AT["timeAt"], "other": 1}},
        {"temporalQ": []},
        {"aggrParams": {"aggrMethods": [1]}},
        {"aggrParams": {"aggrMethods": []}},
        {"temporalQ": {}},
    ],
)
def test_a_document_that_is_wrong_is_refused(more):
    whole = {"temporalQ": {"timerel": "after", "timeAt": AT["timeAt"]}}
    document = {"type": "Query", "entities": [{"type": "Tank"}]} | whole | more
    with pytest.raises(BadRequestData):
        query_document(document, {}, CORE, JSON)


def test_the_simplified_representation_of_entities_is_none_of_evolutions():
    with pytest.raises(InvalidRequest, match="temporalValues"):
        retrieval({"options": "keyValues"}, CORE, JSON)
