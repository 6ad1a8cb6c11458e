"""GeoJSON: geometries that are taken, and why others are not."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_hub.entities import geojson
from citytwin_hub.entities.geojson import is_geometry_like, refusal

A, B, C = [76.9, 43.2], [77.0, 43.2], [77.0, 43.3, 850.0]
RING = [A, B, C, A]


@pytest.mark.parametrize(
    ("kind", "coordinates"),
    [
        ("Point", A),
        ("Point", C),
        ("Point", [180, -90]),
        ("MultiPoint", [A, B]),
        ("LineString", [A, B]),
        ("MultiLineString", [[A, B], [B, C]]),
        ("Polygon", [RING]),
        ("Polygon", [RING, RING]),
        ("MultiPolygon", [[RING], [RING]]),
    ],
)
def test_a_geometry(kind: str, coordinates: Any) -> None:
    assert refusal({"type": kind, "coordinates": coordinates}) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Point", "an object"),
        ({"type": "Point"}, "no coordinates"),
        ({"coordinates": A}, "not a type of geometry"),
        ({"type": ["Point"], "coordinates": A}, "not a type of geometry"),
        ({"type": "Circle", "coordinates": A}, "not a type of geometry"),
        ({"type": "GeometryCollection", "geometries": []}, "not a type of geometry"),
        ({"type": "Point", "coordinates": [1]}, "a position"),
        ({"type": "Point", "coordinates": [1, 2, 3, 4]}, "a position"),
        ({"type": "Point", "coordinates": [1, True]}, "a position"),
        ({"type": "Point", "coordinates": [1, "2"]}, "a position"),
        ({"type": "Point", "coordinates": [1, float("nan")]}, "a position"),
        ({"type": "Point", "coordinates": None}, "a position"),
        ({"type": "Point", "coordinates": [181, 1]}, "181 is not a longitude"),
        ({"type": "Point", "coordinates": [43.2, 91]}, "91 is not a latitude"),
        ({"type": "MultiPoint", "coordinates": []}, "at least 1"),
        ({"type": "LineString", "coordinates": [A]}, "at least 2"),
        ({"type": "Polygon", "coordinates": []}, "at least 1"),
        ({"type": "Polygon", "coordinates": [[A, B, A]]}, "at least 4"),
        ({"type": "Polygon", "coordinates": [[A, B, C, B]]}, "not closed"),
        ({"type": "MultiPolygon", "coordinates": [[RING], [[A, B, C, B]]]}, "not closed"),
    ],
)
def test_no_geometry(value: Any, words: str) -> None:
    assert words in refusal(value)


def test_positions_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geojson, "POSITIONS_MAX", 3)
    assert refusal({"type": "MultiPoint", "coordinates": [A, B, C]}) == ""
    assert "over 3 positions" in refusal({"type": "MultiPoint", "coordinates": [A, B, C, A]})


def test_what_says_that_it_is_a_geometry() -> None:
    assert is_geometry_like({"type": "Point"})
    assert is_geometry_like({"type": "GeometryCollection"})
    assert not is_geometry_like({"type": "Property"})
    assert not is_geometry_like({"type": 1})
    assert not is_geometry_like([1, 2])
