"""Viewing: which representation a request wants, and what is refused."""

from __future__ import annotations

import pytest

from citytwin_hub.apis.ngsild.asked import Asked
from citytwin_hub.apis.ngsild.parameters import read
from citytwin_hub.apis.ngsild.view import Form
from citytwin_hub.apis.ngsild.viewing import view
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest
from tests.hub.naming import BASE, Vocabulary

JSON, GEO = "application/json", "application/geo+json"


def asked(media: str = JSON, **given: str) -> Asked:
    return read(given, Vocabulary(), media)


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({}, Form.NORMALIZED),
        ({"options": "keyValues"}, Form.SIMPLIFIED),
        ({"options": "simplified"}, Form.SIMPLIFIED),
        ({"format": "concise"}, Form.CONCISE),
        ({"format": "keyValues", "options": "normalized"}, Form.SIMPLIFIED),
    ],
)
def test_format_comes_before_options(given: dict[str, str], form: Form) -> None:
    assert view(asked(**given)).form is form


@pytest.mark.parametrize(
    "given",
    [
        {"format": "invalid"},
        {"options": "invalid"},
        {"options": "keyValues,invalid"},
        {"format": "keyValues", "options": "invalid"},
        {"options": ""},
    ],
)
def test_an_unknown_representation_is_an_invalid_request(given: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="is none of"):
        view(asked(**given))


def test_a_geometry_is_wanted_with_geojson_only() -> None:
    assert view(asked(GEO)).geometry == BASE + "location"
    assert view(asked(GEO, geometryProperty="place")).geometry == BASE + "place"
    assert view(asked()).geometry is None
    with pytest.raises(BadRequestData, match="geometryProperty is only for"):
        view(asked(geometryProperty="location"))


def test_a_projection_of_a_document_is_a_list() -> None:
    given = Asked(values={"pick": ["id", "level"]}, names=Vocabulary(), media=JSON)
    pick = view(given).pick
    assert pick is not None
    assert pick.members.keys() == {"id", BASE + "level"}


def test_times_of_the_system_are_no_attributes() -> None:
    assert view(asked(attrs="level,createdAt")).attrs == frozenset({BASE + "level"})
