"""Distances: published geodesics, and geometries against a plain search over their points."""

from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin_hub.entities.distances import SPHERE_ERROR, between, distance, great_circle

# Flinders Peak to Buninyong: the worked example of the GDA94 Technical Manual (on GRS 80).
FLINDERS = (144.42486788888, -37.951033416667)
BUNINYONG = (143.92649552778, -37.652821138889)


def dense(geometry: shapely.LineString, step: float = 0.01) -> list[tuple[float, float]]:
    return [(x, y) for x, y in shapely.segmentize(geometry, step).coords]


lons = st.floats(-179, 179, allow_nan=False)
lats = st.floats(-85, 85, allow_nan=False)


def test_a_published_geodesic() -> None:
    assert between(*FLINDERS, *BUNINYONG) == pytest.approx(54_972.271, abs=0.01)


def test_a_quarter_of_the_meridian() -> None:
    assert between(0, 0, 0, 90) == pytest.approx(10_001_965.729, abs=0.01)


def test_opposite_points_are_half_the_globe_apart() -> None:
    assert between(0, 0, 180, 0) == pytest.approx(20_003_931, rel=SPHERE_ERROR)
    assert between(5, 5, 5, 5) == 0


@given(lons, lats, lons, lats)
def test_the_sphere_differs_by_less_than_is_said(
    lon1: float, lat1: float, lon2: float, lat2: float
) -> None:
    exact = between(lon1, lat1, lon2, lat2)
    assert great_circle(lon1, lat1, lon2, lat2) == pytest.approx(exact, rel=SPHERE_ERROR, abs=1e-3)


def test_a_line_is_as_far_as_its_nearest_point() -> None:
    line = shapely.LineString([(0, 60), (10, 60)])
    assert distance(line, shapely.Point(10, 60.009)) == pytest.approx(1_002, abs=3)
    assert distance(line, shapely.Point(10, 59.99)) == pytest.approx(1_114, abs=3)
    assert distance(shapely.Point(5, 60), line) == 0


def test_degrees_of_longitude_are_short_near_the_pole() -> None:
    line = shapely.LineString([(1, 85), (0, 85.6)])
    expected = min(between(0, 85, *each) for each in dense(line, 0.001))
    assert distance(shapely.Point(0, 85), line) == pytest.approx(expected, rel=5e-4)
    assert expected < between(0, 85, 1, 85) < between(0, 85, 0, 85.6)


def test_the_date_line_is_no_wall() -> None:
    assert distance(shapely.Point(179.99, 0), shapely.Point(-179.99, 0)) < 2_300
    line = shapely.LineString([(-179.99, -1), (-179.99, 1)])
    assert distance(shapely.Point(179.99, 0), line) < 2_300


@settings(max_examples=30, deadline=None)
@given(
    st.floats(-70, 70),
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=4, unique=True),
)
def test_the_distance_of_lines_is_that_of_their_nearest_points(
    lat: float, steps: list[tuple[int, int]]
) -> None:
    one = shapely.LineString([(20 + lon / 9, lat + step / 9) for lon, step in steps[:2]])
    other = shapely.LineString([(22.5 + lon / 9, lat + step / 9) for lon, step in steps[2:4]])
    plain = min(great_circle(*a, *b) for a in dense(one) for b in dense(other))
    tolerance = 1_200 + plain * SPHERE_ERROR
    assert math.isclose(distance(one, other), plain, abs_tol=tolerance)
