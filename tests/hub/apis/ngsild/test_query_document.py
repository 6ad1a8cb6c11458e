"""Query documents: every member, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_hub.apis.ngsild import query_document
from citytwin_hub.apis.ngsild.parameters import EntityQuery
from citytwin_hub.apis.ngsild.query_document import SELECTORS_MAX, geo_document, selectors
from citytwin_hub.apis.ngsild.view import Form, Join
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest
from tests.hub.entities.test_selection import TANK
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()
JSON = "application/json"


def query(given: dict[str, str] | None = None, /, **members: Any) -> EntityQuery:
    return query_document.query({"type": "Query", **members}, given or {}, NAMES, JSON)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"entities": [{"type": "Tank"}]}, True),
        ({"entities": [{"type": "Pump"}, {"type": "Tank", "id": "urn:x:tank"}]}, True),
        ({"entities": [{"type": "Pump,Tank", "id": ["urn:x:1", "urn:x:tank"]}]}, True),
        ({"entities": [{"type": "Tank", "idPattern": "pump"}]}, False),
        ({"entities": [{"type": "Tank", "id": "urn:x:tank", "idPattern": "pump"}]}, True),
        ({"attrs": ["level"]}, True),
        ({"attrs": ["none"]}, False),
        ({"q": "level>2"}, True),
        ({"q": "level%3E2"}, True),
        ({"entities": [{"type": "Tank"}], "scopeQ": "/Almaty/#"}, True),
        ({"geoQ": {"georel": "within", "geometry": "Point", "coordinates": [1, 1]}}, True),
        ({"geoQ": {"georel": "within", "geometry": "Point", "coordinates": "[2, 1]"}}, False),
    ],
)
def test_a_document_selects_entities(members: dict[str, Any], expected: bool) -> None:
    assert query(**members).selection.matches(TANK) is expected


def test_a_document_says_how_entities_are_represented() -> None:
    wanted = query(
        {"options": "sysAttrs", "format": "concise", "limit": "2", "count": "true"},
        entities=[{"type": "Tank"}],
        pick=["id", "city{name}"],
        omit=["level"],
        lang="kk",
        join="inline",
        joinLevel=2,
        containedBy=["urn:x:1"],
        datasetId=["@none"],
    )
    view = wanted.view
    assert (view.form, view.sys_attrs, view.join) == (Form.CONCISE, True, Join.INLINE)
    assert view.pick is not None
    assert view.pick.members.keys() == {"id", BASE + "city"}
    assert view.omit is not None
    assert view.omit.members.keys() == {BASE + "level"}
    assert view.datasets == frozenset({""})
    assert (wanted.page.limit, wanted.page.count) == (2, True)


def test_a_document_says_an_order() -> None:
    ordering = query(
        entities=[{"type": "Tank"}],
        ordering={
            "orderBy": ["location;dist-asc", "name"],
            "coordinates": [[8, 40], [9, 40]],
            "geometry": "LineString",
            "collation": "de-u-co-phonebk",
        },
        geoQ={"georel": "within", "geometry": "Point", "coordinates": [1, 1]},
    ).ordering
    assert ordering is not None
    assert len(ordering.keys) == 2
    assert ordering.place.geom_type == "LineString"
    assert ordering.collation is not None


TYPED = {"entities": [{"type": "Tank"}]}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"entities": []},
        {"entities": {"type": "Tank"}},
        {"entities": [{"id": "urn:x:1"}]},
        {"entities": [{"type": "Tank", "id": "not a uri"}]},
        {"entities": [{"type": "Tank", "id": ["urn:x:1", 5]}]},
        {"entities": [{"type": 5}]},
        {"entities": [{"type": "Tank", "name": "x"}]},
        {"entities": ["Tank"]},
        {"entities": [{"type": "Tank"}] * (SELECTORS_MAX + 1)},
        {**TYPED, "attrs": []},
        {**TYPED, "attrs": "level"},
        {**TYPED, "pick": []},
        {**TYPED, "omit": [5]},
        {**TYPED, "q": 42},
        {**TYPED, "join": "inline", "joinLevel": 0},
        {**TYPED, "join": 5},
        {**TYPED, "temporalQ": {"timerel": "after"}},
        {**TYPED, "geoQ": {"georel": "within"}},
        {**TYPED, "geoQ": "within"},
        {**TYPED, "ordering": {"orderBy": ["location;dist-asc"]}},
        {**TYPED, "ordering": {"orderBy": ["location;dist-asc"], "coordinates": "8,40"}},
        {**TYPED, "ordering": {"orderBy": ["id;asc"], "geometry": 5}},
        {**TYPED, "ordering": {"orderBy": "id"}},
        {**TYPED, "ordering": {"collation": "und"}},
        {**TYPED, "ordering": {"orderBy": ["id;asc"], "collation": "not a bcp47 tag!!"}},
        {**TYPED, "unknown": 1},
        {**TYPED, "type": "NotQuery"},
    ],
)
def test_a_wrong_document_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(BadRequestData):
        query(**members)


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequestData, match="not a JSON object"):
        query_document.query([], {}, NAMES, JSON)


def test_parameters_beside_a_document_are_checked() -> None:
    with pytest.raises(InvalidRequest):
        query({"options": "none"}, **TYPED)


def test_parts_are_read_for_subscriptions() -> None:
    assert selectors(None, NAMES) == ()
    assert len(selectors([{"type": "Tank"}], NAMES)) == 1
    geo = geo_document(
        {"georel": "near;maxDistance==5", "geometry": "Point", "coordinates": [1, 1]}, NAMES
    )
    assert geo.matches(TANK)
    with pytest.raises(BadRequestData, match="geoQ needs"):
        geo_document({}, NAMES)
