"""Asked: each reader takes its sort of value and refuses others."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_hub.apis.ngsild.asked import LIST_MAX, Asked
from citytwin_hub.entities.errors import BadRequestData
from tests.hub.naming import BASE, Vocabulary


def asked(**values: Any) -> Asked:
    return Asked(values=values, names=Vocabulary(), media="")


def test_values_are_read() -> None:
    given = asked(q="a", local="true", count=False, limit="5", joinLevel=2, id=["urn:x:1"])
    assert "q" in given
    assert given.text("q") == "a"
    assert given.text("lang") is None
    assert given.flag("local")
    assert not given.flag("count")
    assert not given.flag("none")
    assert given.number("limit", 20) == 5
    assert given.number("joinLevel", 1) == 2
    assert given.number("offset", 7) == 7
    assert given.uris("id") == frozenset({"urn:x:1"})
    assert given.uris("datasetId") is None
    datasets = asked(datasetId=["@none", "urn:x:1"]).uris("datasetId", "@none")
    assert datasets == frozenset({"@none", "urn:x:1"})
    attributes = asked(attrs=["level", "https://e.org/a"]).attributes("attrs")
    assert attributes == frozenset({BASE + "level", "https://e.org/a"})
    assert given.attributes("attrs") is None


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", 42),
        ("listed", "a"),
        ("listed", []),
        ("listed", ["a", 5]),
        ("listed", ["a", ""]),
        ("listed", ["a"] * (LIST_MAX + 1)),
        ("flag", "yes"),
        ("flag", 1.5),
        ("uris", ["not a uri"]),
        ("uris", ["urn:x:1", "@none"]),
        ("attributes", ["id"]),
        ("attributes", ["type"]),
        ("attributes", ["a b"]),
        ("attributes", ["a;b"]),
    ],
)
def test_another_sort_is_refused(reader: str, value: Any) -> None:
    with pytest.raises(BadRequestData, match=r"^x"):
        getattr(asked(x=value), reader)("x")


@pytest.mark.parametrize("value", ["-1", "", "1.5", "٣", "9999999999", -1, True, 1.0])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(BadRequestData, match="whole number"):
        asked(limit=value).number("limit", 1)
