"""Parameters: what each means, and which are refused, alone or together."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_hub.apis.ngsild import parameters
from citytwin_hub.apis.ngsild.asked import Asked
from citytwin_hub.apis.ngsild.parameters import LIMIT_DEFAULT, EntityQuery, Page, once
from citytwin_hub.apis.ngsild.view import Form, Join
from citytwin_hub.entities.errors import (
    BadRequestData,
    EntityError,
    InvalidRequest,
    TooManyResults,
)
from tests.hub.entities.test_selection import TANK
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()
JSON, GEO = "application/json", "application/geo+json"


def query(media: str = JSON, **given: str) -> EntityQuery:
    assert given.keys() <= parameters.QUERY
    return parameters.query(given, NAMES, media)


def test_a_query_selects_entities() -> None:
    for matching in (
        {"type": "Tank"},
        {"type": "Pump,Tank", "id": "urn:x:1,urn:x:tank"},
        {"type": "Tank", "idPattern": "^urn:x:ta"},
        {"attrs": "level,none"},
        {"q": "level==3"},
        {"type": "Tank", "scopeQ": "/Almaty"},
        {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": "[1,1]"},
        {"type": "*"},
        {"local": "true"},
        {"type": "Tank", "pick": "level"},
        {"type": "Tank", "pick": "id,none"},
    ):
        assert query(**matching).selection.matches(TANK), matching
    for other in (
        {"type": "Pump"},
        {"type": "Tank", "id": "urn:x:1"},
        {"attrs": "none"},
        {"q": "level==4"},
        {"type": "Tank", "scopeQ": "/Astana"},
        {"type": "Tank", "pick": "none"},
        {
            "georel": "equals",
            "geometry": "Point",
            "coordinates": "[1,1]",
            "geoproperty": "place",
        },
    ):
        assert not query(**other).selection.matches(TANK), other


def test_a_query_says_how_entities_are_represented() -> None:
    view = query(
        type="Tank",
        options="sysAttrs,concise",
        lang="kk",
        datasetId="@none,urn:d:1",
        join="flat",
        joinLevel="2",
        containedBy="urn:x:1",
        pick="city{country{name}}",
    ).view
    assert (view.form, view.sys_attrs, view.join, view.join_level) == (
        Form.CONCISE,
        True,
        Join.FLAT,
        2,
    )
    assert view.languages is not None
    assert view.datasets == frozenset({"", "urn:d:1"})
    assert view.contained_by == {"urn:x:1"}
    assert view.pick is not None
    assert view.pick.depth == 2
    assert query(type="Tank", join="@none").view.join is None


def test_retrieving_may_want_a_type() -> None:
    wanted = parameters.retrieval({"type": "Tank", "local": "true"}, NAMES, JSON)
    assert wanted.types is not None
    assert wanted.types.matches([BASE + "Tank"])
    assert wanted.local


def test_a_page_is_a_part_of_the_results() -> None:
    assert query(type="Tank").page == Page(limit=LIMIT_DEFAULT)
    page = query(type="Tank", limit="0", offset="3", count="true").page
    assert page == Page(limit=0, offset=3, count=True)
    with pytest.raises(TooManyResults, match="in pages"):
        query(type="Tank", limit="1001")


def test_an_order_is_read() -> None:
    ordered = query(type="Tank", orderBy="name;desc,id").ordering
    assert ordered is not None
    assert [key.descending for key in ordered.keys] == [True, False]
    by_distance = query(type="Tank", orderBy="location;dist-asc", orderFrom="[8,40]")
    assert by_distance.selection.geo is None
    line = query(
        type="Tank",
        orderBy="location;dist-asc",
        orderFrom="[[8,40],[9,40]]",
        geometry="LineString",
    )
    assert line.ordering is not None
    assert line.ordering.place.geom_type == "LineString"


def test_values_are_expanded_where_it_is_asked_for() -> None:
    plain = query(type="Tank", q="category==a").selection.q
    assert plain != query(type="Tank", q="category==a", expandValues="category").selection.q
    assert plain == query(type="Tank", q="category==a", jsonKeys="category").selection.q


def test_a_filter_of_sources_is_read_and_kept() -> None:
    wanted = query(type="Tank", csf='kind=="sensor"', splitEntities="true", entityMap="true")
    assert wanted.sources is not None
    assert wanted.split
    assert wanted.entity_map


@pytest.mark.parametrize(
    "given",
    [
        {"id": "thisisnouri", "type": "Tank"},
        {"idPattern": "invalid**", "type": "Tank"},
        {"attrs": "id,type"},
        {"id": "urn:x:1"},
        {},
        {"attrs": "createdAt"},
        {"q": 'modifiedAt>"2020-01-01T00:00:00Z"'},
        {"idPattern": ".*"},
        {"pick": "level"},
        {"type": "Tank", "attrs": "owner{name}"},
        {"type": ""},
        {"type": "Tank", "pick": "name", "omit": "name"},
        {"type": "Tank", "pick": "name", "attrs": "level"},
        {"type": "Tank", "omit": "name", "attrs": "level"},
        {"type": "Tank", "pick": "id;name"},
        {"type": "Tank", "pick": ""},
        {"type": "*", "local": "false"},
        {"type": "Tank", "q": 'owner{name}=="x"'},
        {"type": "Tank", "q": 'owner{works{name}}=="x"', "join": "inline", "joinLevel": "1"},
        {"type": "Tank", "pick": "owner{name}"},
        {"type": "Tank", "omit": "a{b{c}}", "join": "inline", "joinLevel": "1"},
        {"type": "Tank", "csf": "))bad(("},
        {"type": "Tank", "georel": "within"},
        {"type": "Tank", "geometry": "Point"},
        {"type": "Tank", "coordinates": "[1,1]"},
        {"type": "Tank", "limit": "0"},
        {"type": "Tank", "limit": "-1"},
        {"type": "Tank", "offset": "99999999"},
        {"type": "Tank", "count": "maybe"},
        {"type": "Tank", "join": "outer"},
        {"type": "Tank", "join": "inline", "joinLevel": "0"},
        {"type": "Tank", "join": "inline", "joinLevel": "11"},
        {"type": "Tank", "datasetId": "nouri"},
        {"type": "Tank", "containedBy": "nouri"},
        {"type": "Tank", "lang": ""},
        {"type": "Tank", "scopeQ": "//"},
        {"type": "Tank", "orderBy": "location;dist-asc"},
        {"type": "Tank", "orderBy": "name", "collation": "!!nope"},
        {"type": "Tank", "collation": "und"},
        {"type": "Tank", "expandValues": "id"},
    ],
)
def test_what_is_wrong_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(BadRequestData):
        query(**given)


def test_a_parameter_is_given_once() -> None:
    assert once([("a", "1"), ("b", "2")]) == {"a": "1", "b": "2"}
    with pytest.raises(InvalidRequest, match="id is given twice"):
        once([("id", "1"), ("id", "2")])


def test_every_refusal_is_the_clients_mistake() -> None:
    for status in (BadRequestData.status, InvalidRequest.status, TooManyResults.status):
        assert 400 <= status < 500
    assert issubclass(InvalidRequest, EntityError)


def test_no_parameter_has_no_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every parameter that is let in is read."""
    seen: set[str] = set()

    class Watched(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            seen.add(key)
            return super().get(key, default)

        def __contains__(self, key: object) -> bool:
            seen.add(str(key))
            return super().__contains__(key)

    def watched(**more: Any) -> Asked:
        return Asked(values=Watched(more["values"]), names=more["names"], media=more["media"])

    monkeypatch.setattr(parameters, "Asked", watched)
    query(orderBy="id", georel="within", geometry="Point", coordinates="[1,1]")
    assert seen >= parameters.QUERY
