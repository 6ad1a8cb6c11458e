"""Projections: what they mean, and where a wrong one is wrong."""

from __future__ import annotations

import pytest

from citytwin_hub.apis.ngsild.projections import SIZE_CHARS_MAX, parse, refuse_both
from citytwin_hub.entities.errors import BadRequestData
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()


def test_members_are_core_names_or_iris() -> None:
    projection = parse("id|type,level,city{name,country{id}}", NAMES, "pick")
    assert list(projection.members) == ["id", "type", BASE + "level", BASE + "city"]
    assert projection.depth == 2
    assert parse(["id", "level"], NAMES, "pick").members.keys() == {"id", BASE + "level"}
    assert list(parse("https://e.org/a#b", NAMES, "pick").members) == ["https://e.org/a#b"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "its end at character 1"),
        ("id;name", "';' at character 3"),
        ("id,city{name", "its end at character 13"),
        ("id,city{{name}", "'{' at character 9"),
        ("id,,name", "',' at character 4"),
        ("name||level", "'|' at character 6"),
        ("id,city{,name}", "',' at character 9"),
        ("id,city{}", "'}' at character 9"),
        ("id}", "'}' at character 3"),
    ],
)
def test_a_wrong_projection_is_refused_where_it_is_wrong(text: str, where: str) -> None:
    with pytest.raises(BadRequestData, match=where.replace("|", r"\|").replace("{", r"\{")):
        parse(text, NAMES, "pick")


def test_a_projection_has_limits() -> None:
    with pytest.raises(BadRequestData, match="more than 10 links"):
        parse("a{" * 11 + "a" + "}" * 11, NAMES, "pick")
    with pytest.raises(BadRequestData, match="longer than"):
        parse("a" * (SIZE_CHARS_MAX + 1), NAMES, "omit")


@pytest.mark.parametrize(
    ("pick", "omit", "refused"),
    [
        ("name", "name", True),
        ("name", "level", False),
        ("city{name}", "city", True),
        ("city", "city{name}", False),
        ("city{name}", "city{level}", False),
        ("city{name}", "city{name}", True),
    ],
)
def test_a_member_cannot_be_picked_and_omitted(pick: str, omit: str, refused: bool) -> None:
    both = parse(pick, NAMES, "pick"), parse(omit, NAMES, "omit")
    if refused:
        with pytest.raises(BadRequestData, match="both in pick and in omit"):
            refuse_both(*both)
    else:
        refuse_both(*both)
