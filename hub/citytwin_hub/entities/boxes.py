"""Boxes around GeoJSON geometries, for the R*Tree.

>>> box_of([{"type": "Point", "coordinates": [76.9, 43.2]}])
(76.9, 76.9, 43.2, 43.2)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from citytwin_hub.entities.model import AttributeKind, Entity


def box_of(geometries: Iterable[Any]) -> tuple[float, float, float, float] | None:
    """Return (west, east, south, north) around some GeoJSON geometries; None without positions."""
    lons: list[float] = []
    lats: list[float] = []
    for geometry in geometries:
        for lon, lat in _positions(geometry):
            lons.append(lon)
            lats.append(lat)
    return (min(lons), max(lons), min(lats), max(lats)) if lons else None


def geometries_of(entity: Entity | None) -> list[tuple[str, Any]]:
    """Return the geometries of each attribute."""
    if entity is None:
        return []
    return [
        (iri, one.value)
        for iri, instances in entity.attributes.items()
        for one in instances
        if one.kind is AttributeKind.GEO
    ]


def boxes_of(entity: Entity | None) -> dict[str, tuple[float, float, float, float]]:
    """Return (west, east, south, north) around the geometries of each attribute."""
    shapes: dict[str, list[Any]] = {}
    for iri, geometry in geometries_of(entity):
        shapes.setdefault(iri, []).append(geometry)
    boxes = {iri: box_of(some) for iri, some in shapes.items()}
    return {iri: box for iri, box in boxes.items() if box is not None}


def _positions(geometry: Any) -> Iterator[tuple[float, float]]:
    if not isinstance(geometry, dict):
        return
    for part in geometry.get("geometries", ()):
        yield from _positions(part)
    yield from _flat(geometry.get("coordinates"))


def _flat(coordinates: Any) -> Iterator[tuple[float, float]]:
    if not isinstance(coordinates, list) or not coordinates:
        return
    if isinstance(coordinates[0], list):
        for part in coordinates:
            yield from _flat(part)
    elif len(coordinates) >= 2:
        yield float(coordinates[0]), float(coordinates[1])
