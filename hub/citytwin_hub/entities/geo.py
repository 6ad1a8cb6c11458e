"""Geo queries: whether a geometry of an entity is so to a given geometry.

ETSI GS CIM 009, clause 4.10. Relationships are those of OGC Simple Features in the plane of
longitude and latitude; ``near`` is in metres on the WGS 84 ellipsoid (``distances.py``). An entity
without the GeoProperty does not match. Of several instances one is enough.

>>> query = parse("near;maxDistance==900", "Point", [76.95, 43.24], "location")
>>> query.relates({"type": "Point", "coordinates": [76.96, 43.24]})
True
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import shapely
import shapely.errors
import shapely.geometry

from citytwin_hub.entities.distances import SPHERE_ERROR, between, distance, great_circle
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import AttributeKind, Entity

POSITIONS_MAX: Final = 10_000
"""Of a query's geometry; a city's border has some thousands."""

_TEXT_CHARS_MAX: Final = 1_000_000
_METRES_PER_DEGREE: Final = 110_500.0  # A little less than the shortest degree of latitude.
_DISTANCE: Final = re.compile(
    r"(maxDistance|minDistance)==(\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?)", re.ASCII
)

# How deep the positions of each geometry are, and the fewest in each line.
_DEPTHS: Final[Mapping[str, tuple[int, int]]] = {
    "Point": (0, 1),
    "MultiPoint": (1, 1),
    "LineString": (1, 2),
    "MultiLineString": (2, 2),
    "Polygon": (2, 4),
    "MultiPolygon": (3, 4),
}


class Relation(Enum):
    """The geospatial relationships (clause 4.10)."""

    NEAR = "near"
    WITHIN = "within"
    CONTAINS = "contains"
    INTERSECTS = "intersects"
    EQUALS = "equals"
    DISJOINT = "disjoint"
    OVERLAPS = "overlaps"


@dataclass(frozen=True, slots=True)
class GeoQuery:
    """A geo query (immutable).

    Attributes:
        relation: how an entity's geometry is to ``reference``.
        reference: a shapely geometry, degrees, longitude first.
        attribute: the IRI of the GeoProperty.
        max_m: of ``near``: at most as far; None: no such limit.
        min_m: of ``near``: at least as far; None: no such limit.
    """

    relation: Relation
    reference: Any = field(compare=False)
    attribute: str
    max_m: float | None = None
    min_m: float | None = None

    def matches(self, entity: Entity) -> bool:
        """Tell whether one of an entity's geometries is so."""
        for instance in entity.attributes.get(self.attribute, ()):
            if instance.kind is AttributeKind.GEO and self.relates(instance.value):
                return True
        return False

    def relates(self, value: Any) -> bool:
        """Tell whether a GeoJSON geometry is so; what is no geometry is not."""
        if self.relation is Relation.NEAR and self.reference.geom_type == "Point":
            position = _position(value)
            if position is not None:
                return self._is_near_point(*position)
        geometry = shape(value)
        if geometry is None:
            return False
        if self.relation is Relation.NEAR:
            return self._is_near(geometry)
        reference = self.reference
        match self.relation:
            case Relation.WITHIN:
                answer = reference.contains(geometry)
            case Relation.CONTAINS:
                answer = reference.within(geometry)
            case Relation.INTERSECTS:
                answer = reference.intersects(geometry)
            case Relation.DISJOINT:
                answer = reference.disjoint(geometry)
            case Relation.EQUALS:
                answer = reference.equals(geometry)
            case _:
                answer = reference.overlaps(geometry)
        return bool(answer)

    def box(self) -> tuple[float, float, float, float] | None:
        """Return west, south, east, north of where a matching geometry must touch; None: nowhere.

        It is a hint: what touches it may still not match.
        """
        if self.relation is Relation.DISJOINT:
            return None
        west, south, east, north = self.reference.bounds
        if self.relation is not Relation.NEAR:
            return west, south, east, north
        if self.max_m is None:
            return None
        lat = self.max_m / _METRES_PER_DEGREE * 1.01
        south, north = south - lat, north + lat
        if max(abs(south), abs(north)) >= 89.0:
            return -180.0, max(-90.0, south), 180.0, min(90.0, north)
        # sin(half the distance) / cos(lat): the great circle leaves its parallel towards the pole.
        lon = lat / math.cos(math.radians(max(abs(south), abs(north))))
        if lon >= 180.0 or west - lon < -180.0 or east + lon > 180.0:
            return -180.0, south, 180.0, north
        return west - lon, south, east + lon, north

    def _is_near(self, geometry: Any) -> bool:
        return self._allows(distance(self.reference, geometry))

    def _is_near_point(self, lon: float, lat: float) -> bool:
        """Tell whether a point is near: by the sphere, unless the limit is just there."""
        here_lon, here_lat = self.reference.x, self.reference.y
        rough = great_circle(here_lon, here_lat, lon, lat)
        limit = self.max_m if self.max_m is not None else self.min_m or 0.0
        # Whichever of both the error is a share of, it is less than this.
        if abs(rough - limit) > (rough + limit) * SPHERE_ERROR:
            return self._allows(rough)
        return self._allows(between(here_lon, here_lat, lon, lat))

    def _allows(self, metres: float) -> bool:
        if self.max_m is not None and metres > self.max_m:
            return False
        return self.min_m is None or metres >= self.min_m


def _position(value: Any) -> tuple[float, float] | None:
    """Return longitude and latitude of a GeoJSON Point; None when it is none."""
    if not isinstance(value, dict) or value.get("type") != "Point":
        return None
    coordinates = value.get("coordinates")
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        return None
    lon, lat = coordinates[0], coordinates[1]
    return (lon, lat) if type(lon) in (int, float) and type(lat) in (int, float) else None


def shape(value: Any) -> Any:
    """Return a GeoJSON geometry as shapely's; None when it is none."""
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    if kind == "Point":
        position = _position(value)
        return None if position is None else shapely.Point(*position)
    if kind not in _DEPTHS and kind != "GeometryCollection":
        return None
    try:
        geometry = shapely.geometry.shape(value)
        if geometry.is_empty:
            return None
        return geometry if geometry.is_valid else shapely.make_valid(geometry)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None
    except shapely.errors.ShapelyError:
        return None


def parse(georel: Any, geometry: Any, coordinates: Any, attribute: str) -> GeoQuery:
    """Return what a geo query means.

    Args:
        georel: such as ``near;maxDistance==2000`` or ``within``.
        geometry: the type of the reference geometry.
        coordinates: its coordinates, a list or JSON text of one.
        attribute: the IRI of the GeoProperty.

    Raises:
        BadRequestData: one of them is wrong or not there.
    """
    if not (isinstance(georel, str) and isinstance(geometry, str) and coordinates):
        raise BadRequestData("a geo query needs georel, geometry and coordinates")
    name, *modifiers = georel.split(";")
    if name not in {relation.value for relation in Relation}:
        allowed = ", ".join(relation.value for relation in Relation)
        raise BadRequestData(f"georel {name!r} is none of {allowed}")
    relation = Relation(name)
    limits = _limits(relation, modifiers)
    return GeoQuery(relation, reference(geometry, coordinates), attribute, *limits)


def _limits(relation: Relation, modifiers: list[str]) -> tuple[float | None, float | None]:
    if relation is not Relation.NEAR:
        if modifiers:
            raise BadRequestData(f"georel {relation.value} takes no distance, only near does")
        return None, None
    match = _DISTANCE.fullmatch(modifiers[0]) if len(modifiers) == 1 else None
    metres = float(match[2]) if match is not None else 0.0
    if match is None or not 0 < metres < math.inf:
        raise BadRequestData(
            "georel near needs one distance in metres over 0: near;maxDistance==2000 or "
            "near;minDistance==2000"
        )
    return (metres, None) if match[1] == "maxDistance" else (None, metres)


def reference(geometry: str, coordinates: Any) -> Any:
    """Return a geometry of a request as shapely's, prepared for many comparisons.

    Raises:
        BadRequestData: it is not a geometry of GeoJSON within the earth.
    """
    depth = _DEPTHS.get(geometry)
    if depth is None:
        raise BadRequestData(f"geometry {geometry!r} is none of {', '.join(_DEPTHS)}")
    if isinstance(coordinates, str):
        coordinates = _read(coordinates)
    count = _check(coordinates, *depth, closed=geometry.endswith("Polygon"))
    if count > POSITIONS_MAX:
        raise BadRequestData(f"coordinates have more than {POSITIONS_MAX} positions: simplify them")
    built = shape({"type": geometry, "coordinates": coordinates})
    if built is None:
        raise BadRequestData(f"coordinates are not those of a {geometry}")
    shapely.prepare(built)
    return built


def _read(text: str) -> Any:
    try:
        return json.loads(text) if len(text) <= _TEXT_CHARS_MAX else None
    except (ValueError, RecursionError):
        return None


def _check(coordinates: Any, depth: int, fewest: int, *, closed: bool) -> int:
    """Return how many positions coordinates have, if they are nested as deep as they should be."""
    if not isinstance(coordinates, list) or not coordinates:
        raise BadRequestData("coordinates are not a JSON array as the geometry needs")
    if depth == 0:
        _check_position(coordinates)
        return 1
    if depth == 1:
        for position in coordinates:
            _check(position, 0, 1, closed=False)
        if len(coordinates) < fewest or (closed and coordinates[0] != coordinates[-1]):
            raise BadRequestData(
                f"coordinates: a line needs {fewest} positions at least, and a ring ends where it "
                "began"
            )
        return len(coordinates)
    return sum(_check(part, depth - 1, fewest, closed=closed) for part in coordinates)


def _check_position(position: list[Any]) -> None:
    numbers = all(type(each) in (int, float) and math.isfinite(each) for each in position)
    if not 2 <= len(position) <= 4 or not numbers:
        raise BadRequestData(f"coordinates: {position!r} is not a position [longitude, latitude]")
    if abs(position[0]) > 180 or abs(position[1]) > 90:
        raise BadRequestData(
            f"coordinates: {position!r} is not on the earth: longitude -180 to 180, latitude -90 "
            "to 90"
        )
