"""Geo queries: what they mean, what is refused, and a plain loop over shapely as the judge."""

from __future__ import annotations

import math
from typing import Any

import pytest
import shapely
import shapely.geometry
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin_hub.entities.distances import distance
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.geo import POSITIONS_MAX, GeoQuery, Relation, parse, shape
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity

HERE = [76.95, 43.24]
SQUARE = [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]
HOLED = [*SQUARE, [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]]


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


def query(georel: str, geometry: str = "Point", coordinates: Any = HERE) -> GeoQuery:
    return parse(georel, geometry, coordinates, "location")


@pytest.mark.parametrize(
    ("georel", "geometry", "coordinates", "value", "expected"),
    [
        ("equals", "Point", "[76.95, 43.24]", point(*HERE), True),
        ("contains", "Point", HERE, point(*HERE), True),
        ("intersects", "Point", HERE, point(*HERE), True),
        ("disjoint", "Point", HERE, point(*HERE), False),
        ("disjoint", "Point", HERE, point(0, 0), True),
        ("within", "Polygon", SQUARE, point(5, 5), True),
        ("within", "Polygon", HOLED, point(5, 5), False),
        ("within", "Polygon", HOLED, point(2, 2), True),
        ("contains", "Point", [5, 5], {"type": "Polygon", "coordinates": SQUARE}, True),
        ("within", "Point", [5, 5], {"type": "Polygon", "coordinates": SQUARE}, False),
        (
            "overlaps",
            "Polygon",
            [[[5, 5], [15, 5], [15, 15], [5, 15], [5, 5]]],
            {"type": "Polygon", "coordinates": SQUARE},
            True,
        ),
        ("near;maxDistance==900", "Point", HERE, point(76.96, 43.24), True),
        ("near;maxDistance==800", "Point", HERE, point(76.96, 43.24), False),
        ("near;minDistance==800", "Point", HERE, point(76.96, 43.24), True),
        ("near;minDistance==900", "Point", HERE, point(76.96, 43.24), False),
        ("near;maxDistance==811", "Point", HERE, point(76.96, 43.24), False),
        ("near;maxDistance==813", "Point", HERE, point(76.96, 43.24), True),
        ("near;maxDistance==2000", "LineString", [[0, 60], [10, 60]], point(10, 60.009), True),
        ("near;maxDistance==2000", "LineString", [[0, 61], [10, 61]], point(10, 60.009), False),
        ("near;maxDistance==1", "Polygon", SQUARE, point(5, 5), True),
    ],
)
def test_a_geometry_relates(
    georel: str, geometry: str, coordinates: Any, value: Any, expected: bool
) -> None:
    assert query(georel, geometry, coordinates).relates(value) is expected


def test_an_entity_matches_by_any_instance_of_the_geoproperty() -> None:
    instances = tuple(
        Attribute(kind=AttributeKind.GEO, value=point(lon, 0), dataset=f"urn:d:{lon}")
        for lon in (0, 5)
    )
    entity = Entity(id="urn:x:1", types=("T",), attributes={"location": instances})
    assert query("equals", "Point", [5, 0]).matches(entity)
    assert not query("equals", "Point", [6, 0]).matches(entity)
    assert not parse("equals", "Point", [5, 0], "other").matches(entity)
    text = Attribute(kind=AttributeKind.PROPERTY, value=point(5, 0))
    no_geo = Entity(id="urn:x:1", types=("T",), attributes={"location": (text,)})
    assert not query("equals", "Point", [5, 0]).matches(no_geo)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        {},
        {"type": "Point"},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "Polygon", "coordinates": [[[0, 0]]]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Circle", "coordinates": [0, 0]},
        {"type": "LineString", "coordinates": None},
    ],
)
def test_what_is_no_geometry_never_matches(value: Any) -> None:
    assert shape(value) is None
    assert not query("disjoint").relates(value)


def test_a_ring_that_crosses_itself_is_mended() -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    assert shape(bow).is_valid


@pytest.mark.parametrize(
    ("georel", "geometry", "coordinates", "why"),
    [
        ("touches", "Point", HERE, "none of near, within"),
        ("near", "Point", HERE, "near needs one distance"),
        ("near;maxDistance==0", "Point", HERE, "over 0"),
        ("near;maxDistance==-1", "Point", HERE, "near needs one distance"),
        ("near;maxDistance==inf", "Point", HERE, "near needs one distance"),
        ("near;maxDistance==1e400", "Point", HERE, "near needs one distance"),
        ("near;maxDistance==5;minDistance==1", "Point", HERE, "near needs one distance"),
        ("near;maxDistance=5", "Point", HERE, "near needs one distance"),
        ("within;maxDistance==5", "Point", HERE, "takes no distance"),
        ("within", "Circle", HERE, "'Circle' is none of"),
        ("within", "Point", "76.95,43.24", "not a JSON array"),
        ("within", "Point", [76.95], "not a position"),
        ("within", "Point", ["a", 1], "not a position"),
        ("within", "Point", [181, 0], "not on the earth"),
        ("within", "LineString", [[0, 0]], "a line needs 2"),
        ("within", "Polygon", [[0, 0], [1, 1]], "not a JSON array"),
        ("within", "Polygon", [[[0, 0], [1, 1], [1, 0], [0, 1]]], "a ring ends where"),
        ("within", "MultiPoint", [HERE] * (POSITIONS_MAX + 1), "simplify"),
        ("within", "Point", "[" * 100_000, "not a JSON array"),
        (None, "Point", HERE, "needs georel, geometry and coordinates"),
        ("within", None, HERE, "needs georel, geometry and coordinates"),
        ("within", "Point", "", "needs georel, geometry and coordinates"),
        ("within", "Point", 5, "not a JSON array"),
    ],
)
def test_what_is_no_geo_query_is_refused(
    georel: Any, geometry: Any, coordinates: Any, why: str
) -> None:
    with pytest.raises(BadRequestData, match=why):
        query(georel, geometry, coordinates)


grid = st.integers(-4, 4)
position = st.tuples(grid, grid).map(list)


def triangle(corners: list[list[int]]) -> list[list[list[int]]]:
    return [[*corners, corners[0]]]


geometries = (
    st.builds(lambda at: {"type": "Point", "coordinates": at}, position)
    | st.builds(
        lambda line: {"type": "LineString", "coordinates": line},
        st.lists(position, min_size=2, max_size=3, unique_by=tuple),
    )
    | st.builds(
        lambda corners: {"type": "Polygon", "coordinates": triangle(corners)},
        st.lists(position, min_size=3, max_size=3, unique_by=tuple),
    )
)
PLAIN = {
    Relation.WITHIN: "within",
    Relation.CONTAINS: "contains",
    Relation.INTERSECTS: "intersects",
    Relation.EQUALS: "equals",
    Relation.DISJOINT: "disjoint",
    Relation.OVERLAPS: "overlaps",
}


@given(st.sampled_from(list(PLAIN)), geometries, st.lists(geometries, max_size=8))
def test_a_query_is_a_plain_loop_over_shapely(
    relation: Relation, asked: dict[str, Any], there: list[dict[str, Any]]
) -> None:
    made = query(relation.value, asked["type"], asked["coordinates"])
    reference = shapely.make_valid(shapely.geometry.shape(asked))
    box = made.box()
    for value in there:
        geometry = shapely.make_valid(shapely.geometry.shape(value))
        expected = getattr(geometry, PLAIN[relation])(reference)
        assert made.relates(value) is bool(expected)
        if expected and box is not None:
            west, south, east, north = geometry.bounds
            assert box[0] <= east
            assert box[2] >= west
            assert box[1] <= north
            assert box[3] >= south


@settings(deadline=None)
@given(
    st.tuples(st.floats(-180, 180), st.floats(-89, 89)),
    st.floats(1, 3_000_000),
    st.floats(0, 2 * math.pi),
    st.floats(0, 1.5),
)
def test_what_is_near_is_in_the_box(
    centre: tuple[float, float], metres: float, direction: float, share: float
) -> None:
    made = query(f"near;maxDistance=={metres}", "Point", list(centre))
    lat = centre[1] + math.degrees(share * metres / 6_371_000) * math.cos(direction)
    lat = max(-90.0, min(90.0, lat))
    across = share * metres / 6_371_000 * math.sin(direction)
    lon = centre[0] + math.degrees(across / max(0.02, math.cos(math.radians(lat))))
    lon = (lon + 180) % 360 - 180
    near = distance(shapely.Point(*centre), shapely.Point(lon, lat)) <= metres
    assert made.relates(point(lon, lat)) is near
    box = made.box()
    if near and box is not None:
        assert shapely.box(*box).intersects(shapely.Point(lon, lat))
