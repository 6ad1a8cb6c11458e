"""Gaps, duplicates, overlaps, elevations, and what lies outside: planted, and found one by one."""

import pytest
import shapely

from citytwin_hub.entities.inventory import Inventory, taken
from citytwin_hub.entities.inventory_shapes import check_outside, check_shapes
from tests.hub.entities.planted import healthy, made, node, square


def found_in(entities, **options):
    found = Inventory(100)
    objects, plane = taken(entities, Inventory(0))
    check_shapes(objects, plane, found, **options)
    return [
        (one.kind, one.id.rpartition(":")[2], one.other.rpartition(":")[2])
        for one in found.findings
    ]


def road(name, *places):
    return made("RoadSegment", name, "LineString", places)


def test_a_healthy_network_has_no_findings():
    assert found_in(healthy()) == []


@pytest.mark.parametrize(
    ("away", "gap_m", "kinds"),
    [(0, 1, []), (0.03, 1, []), (0.5, 1, ["gap"]), (3, 1, []), (3, 5, ["gap"])],
)
def test_ends_that_nearly_touch(away, gap_m, kinds):
    roads = [road("a", (0, 0), (100, 0)), road("b", (50, away), (50, 80))]
    found = found_in(roads, gap_m=gap_m)
    assert [kind for kind, *_ in found] == kinds
    assert all(one[1:] == ("b", "a") for one in found)


def test_an_end_at_a_node_is_no_gap():
    roads = [
        made("Pipe", "a", "LineString", [(0, 0), (100, 0)]),
        made("Valve", "b", "LineString", [(100.5, 0), (120, 0)]),
        made("Cable", "c", "LineString", [(100.4, 0), (100.4, 80)]),
    ]
    # Either end nearly touches the other line; a cable is no pipe.
    assert {one[:2] for one in found_in(roads)} == {("gap", "a"), ("gap", "b")}
    assert found_in([*roads, node(1, 100, 0), node(2, 100.5, 0)]) == []


def test_what_is_there_twice():
    city = [
        made("Building", "a", "Polygon", square(0, 0)),
        made("Building", "b", "Polygon", square(0, 0)),
        made("LandUse", "c", "Polygon", square(0, 0)),
        made("Hydrant", "d", "Point", (5, 5)),
        made("Hydrant", "e", "Point", (5, 5)),
    ]
    assert ("duplicate", "b", "a") in found_in(city)
    assert ("duplicate", "e", "d") in found_in(city)
    assert len([one for one in found_in(city) if one[0] == "duplicate"]) == 2


def test_areas_that_overlap():
    city = [
        made("Building", "a", "Polygon", square(0, 0)),
        made("Building", "b", "Polygon", square(5, 5)),
        made("Building", "c", "Polygon", square(10, -10)),
        made("Building", "d", "Polygon", square(19.5, -10)),
        made("Garage", "e", "Polygon", square(1, 1)),
    ]
    assert found_in(city) == [("overlap", "a", "b")]


def test_an_elevation_that_its_neighbours_do_not_have():
    street = [node(n, n * 40, 0) for n in range(12)]
    assert found_in(street) == []
    street[5] = node(5, 200, 0, elevation=0)
    street.append(node(77, 5000, 0, elevation=0))  # has no neighbours
    street.append(node(78, 5000, 900, elevation=80_000))
    assert found_in(street) == [("elevation", "5", ""), ("elevation", "78", "")]


def test_a_slope_is_no_error():
    assert found_in([node(n, n * 100, 0, elevation=900 + n * 25) for n in range(12)]) == []


def test_what_lies_outside_the_city():
    found = Inventory(100)
    objects, plane = taken([*healthy(), node(9, 4000, 0)], found)
    check_outside(objects, shapely.box(-10, -10, 260, 10), plane, found)
    (finding,) = found.findings
    assert finding.id.endswith(":9")
    assert "3740 m outside" in finding.what
