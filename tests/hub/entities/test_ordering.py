"""Ordering: by members, paths, distance; mixed types; what is absent comes last."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import AttributeKind
from citytwin_hub.entities.ordering import KEYS_MAX, parse
from tests.hub.entities.test_q import entity, find, one
from tests.hub.naming import Vocabulary

NAMES = Vocabulary()


def place(lon: float) -> Any:
    return one({"type": "Point", "coordinates": [lon, 40]}, AttributeKind.GEO)


NEAR = entity("urn:x:near", name=one("b"), rank=one(5), location=place(8.1), at=one({"c": 1}))
MID = entity(
    "urn:x:mid",
    name=one("á", parts={"https://example.org/n": (one(1),)}),
    rank=one("a"),
    location=place(9),
    at=one({"c": 3}),
)
FAR = entity("urn:x:far", "Zone", name=one("A", created_ns=5), location=place(10), at=one(None))


def ordered(*order_by: str, **more: Any) -> list[str]:
    ordering = parse(order_by, NAMES, **more)
    return [each.id.rpartition(":")[2] for each in ordering.sorted([NEAR, MID, FAR], find)]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (["id"], ["far", "mid", "near"]),
        (["id;asc"], ["far", "mid", "near"]),
        (["id;desc"], ["near", "mid", "far"]),
        (["type;desc", "id"], ["far", "mid", "near"]),
        (["type", "id"], ["mid", "near", "far"]),
        (["name"], ["far", "near", "mid"]),
        (["name;desc"], ["mid", "near", "far"]),
        (["rank"], ["near", "mid", "far"]),
        (["rank;desc"], ["mid", "near", "far"]),
        (["at[c];desc"], ["mid", "near", "far"]),
        (["at"], ["near", "mid", "far"]),
        (["name.n"], ["mid", "near", "far"]),
        (["name.createdAt"], ["far", "near", "mid"]),
        (["createdAt"], ["near", "mid", "far"]),
        (["scope"], ["near", "mid", "far"]),
        (["none"], ["near", "mid", "far"]),
    ],
)
def test_entities_are_ordered(order_by: list[str], expected: list[str]) -> None:
    assert ordered(*order_by) == expected


def test_by_distance() -> None:
    assert ordered("location;dist-asc", coordinates="[9.2,40]") == ["mid", "far", "near"]
    assert ordered("location;dist-desc", coordinates=[8, 40]) == ["far", "mid", "near"]
    line = [[10, 39], [10, 41]]
    assert ordered("location;dist-asc", geometry="LineString", coordinates=line)[0] == "far"


def test_by_collation() -> None:
    assert ordered("name", collation="und") == ["far", "mid", "near"]


@pytest.mark.parametrize(
    ("order_by", "more", "why"),
    [
        ([], {}, "orderBy names 1 to"),
        (["a"] * (KEYS_MAX + 1), {}, "orderBy names 1 to"),
        (["name;up"], {}, "'up' is none of"),
        (["name[a"], {}, "orderBy: its end at character 7"),
        ([""], {}, "orderBy: its end at character 1"),
        (["name==3"], {}, "orderBy: '=' at character 5"),
        (["location;dist-asc"], {}, "needs the coordinates"),
        (["id;dist-asc"], {"coordinates": [8, 40]}, "has no distance"),
        (["location;dist-asc"], {"coordinates": "8,40"}, "not a JSON array"),
        (["name"], {"collation": "!!"}, "collation"),
    ],
)
def test_a_wrong_order_is_refused(order_by: list[str], more: Any, why: str) -> None:
    with pytest.raises(BadRequestData, match=why.replace("[", r"\[")):
        parse(order_by, NAMES, **more)
