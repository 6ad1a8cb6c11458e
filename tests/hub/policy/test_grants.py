"""Grants: names, places and patterns, and what is about everything."""

import shapely

from citytwin import Place
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.policy.grants import LOCATION, Act, Area, Grant, Names, Rights, pattern

READ = frozenset({Act.READ})


def placed(*places):
    geometries = tuple(
        Attribute(kind=AttributeKind.GEO, value=one, dataset=f"urn:d:{number}")
        for number, one in enumerate(places)
    )
    return Entity(id="urn:x:1", types=("urn:t#Tank",), attributes={LOCATION: geometries})


def test_a_name_is_an_iri_or_its_last_part():
    names = Names(["Pump", "https://a.example/Tank"])
    assert "https://b.example/Pump" in names
    assert "urn:x#Pump" in names
    assert "https://a.example/Tank" in names
    assert "https://b.example/Tank" not in names
    assert 3 not in names
    assert (bool(names), bool(Names())) == (True, False)


def test_an_area_has_what_touches_it_and_nothing_without_a_place():
    area = Area("m", shapely.box(1, 1, 2, 2))
    assert area.has(placed({"type": "LineString", "coordinates": [[0, 1.5], [3, 1.5]]}))
    assert area.has(
        placed({"type": "Point", "coordinates": [9, 9]}, {"type": "Point", "coordinates": [1, 1]})
    )
    assert not area.has(placed({"type": "Point", "coordinates": [2.1, 1]}))
    assert not area.has(Entity(id="urn:x:1", types=("T",)))
    assert (area.has_place(Place(1.5, 1.5)), area.has_place(Place(3, 3)), area.has_place(None)) == (
        True, False, False,
    )  # fmt: skip


def test_types_that_are_left_out_win():
    grant = Grant(acts=READ, types=Names(["Tank"]), without_types=Names(["Secret"]))
    assert grant.takes_types(("Tank",))
    assert not grant.takes_types(("Tank", "Secret"))
    assert not Grant(acts=READ, points=()).takes_types(("Tank",))


def test_a_pattern_keeps_to_its_part_of_a_name():
    assert pattern("a-*/b/?").fullmatch("a-7/b/c")
    assert not pattern("a-*/b/?").fullmatch("a-7/x/b/c")
    assert not pattern("a.b/c/d").fullmatch("axb/c/d")


def test_what_is_whole():
    limited = Grant(acts=frozenset({Act.WRITE}), types=Names(["Tank"]))
    rights = Rights(("a",), (Grant(acts=READ), limited))
    assert (rights.is_whole(Act.READ), rights.is_whole(Act.WRITE)) == (True, False)
    assert not rights.is_unlimited
    assert Rights(("a",), (Grant(acts=READ),)).is_unlimited
    coarse = Rights(("a",), (Grant(acts=READ),), rounding={"level": 0.5})
    assert (coarse.is_coarse, coarse.is_whole(Act.READ)) == (True, False)
    assert (coarse.step("urn:x#level"), coarse.step("urn:x#other")) == (0.5, 0)
