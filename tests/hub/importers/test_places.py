"""Coordinates of other systems, and geometries that can be kept."""

import re
from typing import Any

import pytest
import shapely

from citytwin_hub.importers import places
from citytwin_hub.importers.frame import SourceError


def test_coordinates_become_degrees():
    # Almaty's centre in UTM zone 43N.
    utm = places.Projection("EPSG:32643")
    place: Any = utm.place(657_950.0, 4_790_050.0)
    lon, lat = place
    assert 76.9 < lon < 77.0
    assert 43.2 < lat < 43.3
    shape = shapely.Polygon(
        [(657950, 4790050, 800), (657960, 4790050, 800), (657960, 4790060, 801)]
    )
    geometry: Any
    geometry, reason = places.outline(shape, utm)
    assert not reason
    assert geometry["coordinates"][0][0] == (lon, lat, 800)


def test_what_is_no_system_or_no_place_is_refused():
    with pytest.raises(SourceError, match=r"is no coordinate system"):
        places.Projection("EPSG:1")
    assert places.Projection("EPSG:32643").place(1e30, 0) is None
    for shape, words in (
        (None, "no geometry"),
        (shapely.Point(), "no geometry"),
        (shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "not valid: Self-intersection"),
        (shapely.Point(657950, 4790050), "nowhere on Earth"),
        (shapely.Point(float("nan"), 1), "no number|no geometry"),
    ):
        geometry, reason = places.outline(shape, None)
        assert geometry is None
        assert re.search(words, reason)


def test_a_line_needs_two_places():
    assert places.line([(1.0, 2.0), (1.0, 2.0)]) is None
    assert places.line([(1.0, 2.0), None]) is None
    line: Any = places.line([(1.0, 2.0), (3.0, 4.0)])
    assert line["coordinates"] == [[1.0, 2.0], [3.0, 4.0]]


def test_a_geometry_has_only_so_many_positions(monkeypatch):
    monkeypatch.setattr(places, "POSITIONS_MAX", 2)
    line = shapely.LineString([(76, 43), (77, 43), (77, 44)])
    assert places.outline(line, None) == (None, "it has over 2 positions")
