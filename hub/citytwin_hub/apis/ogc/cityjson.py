"""CityJSON 2.0: features with areas as city objects, of level of detail 1 where a height is known.

A footprint with ``height`` (metres) is a solid from its ground up: the lowest height of its
positions, else the property ``elevation``, else 0. Without a height it is a surface (LoD 0). What
has no area is there with its attributes and without a geometry.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

import shapely

from citytwin_hub.apis.ogc import crs
from citytwin_hub.apis.ogc.spool import Spool

KINDS: Final = frozenset(
    {
        "Bridge", "Building", "CityFurniture", "LandUse", "OtherConstruction", "PlantCover",
        "Railway", "Road", "SolitaryVegetationObject", "Tunnel", "WaterBody",
    }
)  # fmt: skip
"""The city objects that types of entities are as such; all others are GenericCityObject."""
SCALE: Final = 0.001
"""Positions are whole millimetres."""
HEIGHTS: Final = ("height", "measuredHeight", "buildingHeight")

Ring = list[int]
Surface = list[Ring]


def system_of(wanted: str, longitude: float) -> str:
    """Return a metric system: what is wanted if it is one, else the UTM zone of a longitude."""
    if crs.is_metric(wanted):
        return wanted
    zone = min(max(int((longitude + 180) // 6) + 1, 42), 44)
    return crs.EPSG.format(32600 + zone)


def write(path: Path, spool: Spool, system: str, kind: str) -> None:
    """Write a CityJSON file of what a spool has, in its metric system."""
    kind = kind if kind in KINDS else "GenericCityObject"
    west, south, _, _ = spool.box or (0.0, 0.0, 0.0, 0.0)
    vertices = path.with_suffix(".vertices")
    body = _Body((float(int(west)), float(int(south)), 0.0))
    head = {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [SCALE] * 3, "translate": body.origin},
        "metadata": {"referenceSystem": f"https://www.opengis.net/def/crs/{_path_of(system)}"},
    }
    try:
        with (
            path.open("w", encoding="utf-8") as file,
            vertices.open("w+", encoding="utf-8") as held,
        ):
            file.write(json.dumps(head)[:-1] + ', "CityObjects": {')
            for number, (one, geometry, properties) in enumerate(spool.rows()):
                written = _object(kind, geometry, properties, body, held)
                file.write(f"{',' if number else ''}\n{json.dumps(one)}: {written}")
            file.write('},\n"vertices": [')
            held.seek(0)
            shutil.copyfileobj(held, file)
            file.write("]}\n")
    finally:
        vertices.unlink(missing_ok=True)


class _Body:
    """The vertices of the whole file, counted; those of one object are in memory."""

    def __init__(self, origin: tuple[float, float, float]) -> None:
        self.origin, self._count = origin, 0
        self._mine: dict[tuple[int, int, int], int] = {}

    def begin(self) -> None:
        """Begin an object."""
        self._mine = {}

    def at(self, x: float, y: float, z: float) -> int:
        """Return the number of a position."""
        place = zip((x, y, z), self.origin, strict=True)
        key = tuple(round((one - zero) / SCALE) for one, zero in place)
        return self._mine.setdefault((key[0], key[1], key[2]), self._count + len(self._mine))

    def end(self, file: TextIO) -> None:
        """Write down the vertices of the object."""
        for position in self._mine:
            file.write(f"{',' if self._count else ''}{list(position)}")
            self._count += 1


def _object(
    kind: str, geometry: Any, properties: dict[str, Any], body: _Body, vertices: TextIO
) -> str:
    told: dict[str, Any] = {
        "type": kind,
        "attributes": {name: value for name, value in properties.items() if value is not None},
    }
    polygons = list(_polygons(geometry))
    if polygons:
        body.begin()
        told["geometry"] = [_geometry(polygons, properties, body)]
        body.end(vertices)
    return json.dumps(told, ensure_ascii=False)


def _geometry(polygons: list[Any], properties: dict[str, Any], body: _Body) -> dict[str, Any]:
    height = next((one for name in HEIGHTS if (one := _metres(properties.get(name)))), 0.0)
    ground = _metres(properties.get("elevation"))
    levels = [z for one in polygons for z in _heights(one)]
    low = min(levels) if levels else ground
    if height <= 0:
        return {
            "type": "MultiSurface",
            "lod": "0",
            "boundaries": [_flat(one, low, body) for one in polygons],
        }
    solids = [[_shell(one, low, low + height, body)] for one in polygons]
    if len(solids) == 1:
        return {"type": "Solid", "lod": "1", "boundaries": solids[0]}
    return {"type": "MultiSolid", "lod": "1", "boundaries": solids}


def _shell(polygon: Any, low: float, high: float, body: _Body) -> list[Surface]:
    """Return floor, roof and walls, all seen from outside (CityJSON 2.0, 3.3)."""
    surfaces = [[ring[::-1] for ring in _flat(polygon, low, body)], _flat(polygon, high, body)]
    for floor, roof in zip(_flat(polygon, low, body), surfaces[1], strict=True):
        for at in range(len(floor)):
            then = (at + 1) % len(floor)
            surfaces.append([[floor[at], floor[then], roof[then], roof[at]]])
    return surfaces


def _flat(polygon: Any, z: float, body: _Body) -> Surface:
    """Return an area at a height, seen from above: its outline against the clock, holes with it."""
    turned = shapely.orient_polygons(polygon)
    rings = [turned.exterior, *turned.interiors]
    return [
        [body.at(x, y, z) for x, y in shapely.get_coordinates(ring)[:-1].tolist()] for ring in rings
    ]


def _polygons(geometry: Any) -> Iterator[Any]:
    for part in shapely.get_parts(geometry) if geometry is not None else ():
        if part.geom_type == "Polygon" and part.area > 0:
            yield part


def _heights(polygon: Any) -> list[float]:
    if not polygon.has_z:
        return []
    levels = shapely.get_coordinates(polygon, include_z=True)[:, 2].tolist()
    return [z for z in levels if math.isfinite(z)]


def _metres(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _path_of(system: str) -> str:
    return f"EPSG/0/{system.rpartition('/')[2]}"
