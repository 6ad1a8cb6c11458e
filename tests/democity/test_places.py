"""Places: positions on the globe, and which district is nearest."""

import math

import pytest

from democity.places import (
    CENTRE_LAT,
    CENTRE_LON,
    DISTRICTS,
    RIVERS,
    STREETS,
    nearest,
    position,
)

ALMATY = (76.6, 43.0, 77.3, 43.5)


def haversine_m(a, b):
    """Great-circle distance, mean earth radius 6,371,009 m."""
    (lon1, lat1), (lon2, lat2) = (map(math.radians, at) for at in (a, b))
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6_371_009 * math.asin(math.sqrt(half))


@pytest.mark.parametrize(("east", "north"), [(0, 0), (9000, 0), (-9000, 4000), (3000, -9000)])
def test_metres_become_degrees_that_far_apart(east, north):
    there = position(east, north)
    distance = haversine_m((CENTRE_LON, CENTRE_LAT), there)
    assert distance == pytest.approx(math.hypot(east, north), rel=0.01, abs=1)
    assert (there[0] - CENTRE_LON) * east >= 0
    assert (there[1] - CENTRE_LAT) * north >= 0


def test_the_nearest_district_is_the_one_that_one_stands_in():
    for district in DISTRICTS:
        assert nearest(district.lon, district.lat) == district
    by_distance = min(DISTRICTS, key=lambda one: haversine_m((one.lon, one.lat), (76.95, 43.25)))
    assert nearest(76.95, 43.25) == by_distance
    assert nearest(76.95, 43.25, DISTRICTS[2:4]) in DISTRICTS[2:4]


def test_everything_has_a_name_in_each_language_and_lies_in_almaty():
    west, south, east, north = ALMATY
    assert len({district.id for district in DISTRICTS}) == 8
    for label, line in (*STREETS, *RIVERS):
        assert all((label.kk, label.ru, label.en))
        assert len(line) >= 2
        for lat, lon in line:
            assert west < lon < east
            assert south < lat < north
    for district in DISTRICTS:
        assert all((district.label.kk, district.label.ru, district.label.en))
