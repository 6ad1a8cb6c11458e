"""Coordinates in other systems, beside published ones."""

import math

import pytest
import shapely

from citytwin_hub.apis.ogc import crs
from citytwin_hub.entities.errors import BadRequestData


def test_axes_are_in_the_order_of_the_authority():
    place = shapely.Point(76.95, 43.24)
    there = crs.transformed(place, crs.CRS84, crs.EPSG.format(4326))
    assert (there.x, there.y) == (43.24, 76.95)
    assert crs.transformed(place, crs.CRS84, crs.CRS84) is place
    high = crs.transformed(shapely.Point(75, 43, 900), crs.CRS84, crs.EPSG.format(32643))
    assert (round(high.x), high.z) == (500_000, 900)


def test_web_mercator_is_that_of_its_formula():
    there = crs.transformed(shapely.Point(76.95, 43.24), crs.CRS84, crs.EPSG.format(3857))
    x = 6378137 * math.radians(76.95)
    y = 6378137 * math.log(math.tan(math.pi / 4 + math.radians(43.24) / 2))
    assert (there.x, there.y) == pytest.approx((x, y), abs=1e-3)


@pytest.mark.parametrize(("code", "meridian"), [(32642, 69), (32643, 75), (32644, 81)])
def test_the_zones_of_kazakhstan_have_their_middle_at_500_km(code, meridian):
    there = crs.transformed(shapely.Point(meridian, 43), crs.CRS84, crs.EPSG.format(code))
    assert there.x == pytest.approx(500_000, abs=1e-3)
    back = crs.transformed(there, crs.EPSG.format(code), crs.CRS84)
    assert (back.x, back.y) == pytest.approx((meridian, 43), abs=1e-9)


def test_a_system_is_named_by_uri_or_curie_and_no_other_is_taken():
    assert crs.system("[EPSG:32643]", "crs") == crs.EPSG.format(32643)
    assert crs.system(crs.CRS84, "crs") == crs.CRS84
    for wrong in ("EPSG:2154", "", "32643"):
        with pytest.raises(BadRequestData, match="crs"):
            crs.system(wrong, "crs")
    assert crs.is_metric(crs.EPSG.format(3857))
    assert not crs.is_metric(crs.EPSG.format(4326))
