"""Places: coordinates of any system to degrees of WGS 84, and geometries that can be kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import CRSError, ProjError

from citytwin_hub.importers.frame import SourceError

WGS84: Final = "EPSG:4326"
DEGREE_DIGITS: Final = 7
"""About a centimetre; what is finer would change with every re-projection."""
POSITIONS_MAX: Final = 100_000


class Projection:
    """Takes coordinates of a system to longitude, latitude and, if there is one, height."""

    def __init__(self, crs: str) -> None:
        """Read the system.

        Raises:
            SourceError: there is no such system, or it is not one of places on Earth.
        """
        try:
            system = pyproj.CRS.from_user_input(crs)
            self._transform = pyproj.Transformer.from_crs(system, WGS84, always_xy=True)
        except (CRSError, ProjError) as error:
            raise SourceError(f"{crs[:80]!r} is no coordinate system ({error}); try EPSG:32643"
                              ) from None  # fmt: skip
        self.name = system.to_string()[:80] if len(system.to_string()) <= 80 else system.name

    def place(self, x: float, y: float) -> tuple[float, float] | None:
        """Return longitude and latitude; None: that is nowhere on Earth."""
        lon, lat = self._transform.transform(x, y)
        if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):
            return None
        return round(lon, DEGREE_DIGITS), round(lat, DEGREE_DIGITS)

    def points(self, places: np.ndarray) -> np.ndarray:
        """Return positions (n × 2 or n × 3) in degrees; heights stay as they are."""
        moved = np.array(places, dtype=float)
        moved[:, 0], moved[:, 1] = self._transform.transform(places[:, 0], places[:, 1])
        moved[:, :2] = moved[:, :2].round(DEGREE_DIGITS)
        return moved

    def back(self, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y in the system of longitudes and latitudes (n × 2); inf: it has none."""
        found = self._transform.transform(where[:, 0], where[:, 1], direction="INVERSE")
        return np.asarray(found[0]), np.asarray(found[1])


def point(place: Sequence[float] | None) -> dict[str, Any] | None:
    """Return a GeoJSON Point."""
    return {"type": "Point", "coordinates": list(place)} if place else None


def line(places: Sequence[Sequence[float] | None]) -> dict[str, Any] | None:
    """Return a GeoJSON LineString through places; None where one is missing or all are one."""
    if len(places) < 2 or None in places or len({tuple(one) for one in places if one}) < 2:
        return None
    return {"type": "LineString", "coordinates": [list(one) for one in places if one]}


def outline(shape: Any, projection: Projection | None) -> tuple[dict[str, Any] | None, str]:
    """Return a shapely geometry as GeoJSON in degrees, or what is wrong with it.

    A polygon that crosses itself is refused and not mended: what it should be is not known here.
    """
    if shape is None or shape.is_empty:
        return None, "it has no geometry"
    if shapely.get_num_coordinates(shape) > POSITIONS_MAX:
        return None, f"it has over {POSITIONS_MAX} positions"
    places = shapely.get_coordinates(shape, include_z=bool(shape.has_z))
    if not np.isfinite(places[:, :2]).all():
        return None, "it has a position that is no number"
    if shape.has_z and not np.isfinite(places[:, 2]).all():
        shape = shapely.force_2d(shape)
    if not shape.is_valid:
        return None, f"its geometry is not valid: {shapely.is_valid_reason(shape)}"
    if projection is not None:
        shape = shapely.transform(shape, projection.points, include_z=bool(shape.has_z))
    low_lon, low_lat, high_lon, high_lat = shape.bounds
    if not (-180 <= low_lon <= high_lon <= 180 and -90 <= low_lat <= high_lat <= 90):
        return None, "it lies nowhere on Earth; is the coordinate system right?"
    return shapely.geometry.mapping(shape), ""
