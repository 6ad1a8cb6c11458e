"""What the inventory reads of entities, and what it notes while it reads."""

import math
from typing import Any

import pytest
import shapely
from msgspec.structs import replace

from citytwin_hub.entities import inventory
from citytwin_hub.entities.errors import TooManyResults
from citytwin_hub.entities.inventory import LOCATION, Inventory, taken
from tests.hub.entities.planted import healthy, made, node, pipe


def noted(entities, limit=100, **options):
    found = Inventory(limit)
    objects, plane = taken(entities, found, **options)
    return found, objects, plane


def test_objects_have_what_the_checks_need():
    found, objects, plane = noted(healthy())
    assert dict(found.classes) == {"Junction": 6, "Pipe": 5}
    assert (found.findings, found.shares) == ([], [])
    first, link = objects[0], objects[6]
    assert (first.elevation, first.source) == (800, "s")
    assert [name for name, _ in link.ties] == ["startsAt", "endsAt"]
    assert link.shape.length == pytest.approx(50, rel=1e-3)
    assert math.isnan(link.elevation)
    assert plane.place(first.shape) == pytest.approx((76.95, 43.24))


def test_what_most_have_is_missed_by_the_others():
    city = [
        *healthy(),
        made("Junction", "bare", "Point", (10, 10)),
        pipe("x", "0", "1", [(0, 0), (1, 1)]),
    ]
    found, *_ = noted(city)
    (finding,) = found.findings
    assert (finding.kind, finding.id) == ("missing", "urn:ngsi-ld:Junction:s:bare")
    assert "elevation" in finding.what
    (share,) = found.shares
    assert (share.kind, share.attribute, share.have, share.of) == ("Junction", "elevation", 6, 7)
    few = [*healthy(), node(9, 9, 9, tag="x")]
    assert noted(few)[0].findings == []


def test_geometries_that_are_not_valid():
    bow: Any = made("Building", "bow", "Polygon", [(0, 0), (9, 9), (9, 0), (0, 9)])
    broken = replace(bow, id="urn:ngsi-ld:Building:s:b", attributes={
        LOCATION: (replace(bow.attribute(LOCATION), value={"type": "Polygon", "coordinates": 3}),)
    })  # fmt: skip
    bare = made("Building", "bare")
    found, *_ = noted([bow, broken, bare])
    assert [(one.kind, one.id[-1]) for one in found.findings] == [
        ("invalid", "w"), ("invalid", "b"), ("unplaced", "b"), ("unplaced", "e"),
    ]  # fmt: skip
    assert "Self-intersection" in found.findings[0].what


def test_a_part_is_counted_alone():
    part = shapely.box(76.9499, 43.2399, 76.9508, 43.2401)
    found, objects, _ = noted([*healthy(), made("Junction", "bare")], part=part)
    assert dict(found.classes) == {"Junction": 2, "Pipe": 2}
    assert len(objects) == 4


def test_each_kind_is_listed_up_to_the_limit(monkeypatch):
    found = Inventory(2)
    for number in range(5):
        found.note(inventory.Finding("gap", str(number), "a", "b"))
    found.note(inventory.Finding("piece", "x", "a", "b"))
    assert dict(found.counts) == {"gap": 5, "piece": 1}
    assert len(found.findings) == 3
    monkeypatch.setattr(inventory, "ENTITIES_MAX", 5)
    with pytest.raises(TooManyResults, match="with bbox"):
        noted(healthy())


def test_every_kind_has_a_title_in_three_languages():
    for title in inventory.TITLES.values():
        assert title.kk
        assert title.ru
        assert title.en
