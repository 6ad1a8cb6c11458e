"""Distances on the earth: metres between geometries given in degrees.

Between two points it is the geodesic of the WGS 84 ellipsoid (T. Vincenty, "Direct and inverse
solutions of geodesics on the ellipsoid", Survey Review 23, 1975); where that does not converge, as
between opposite points of the globe, the great circle of the mean sphere, within 0.6 %. Edges are
straight in longitude and latitude, as GeoJSON wants them (RFC 7946, clause 3.1.1). The nearest
places of two geometries are looked for on the sphere, by azimuthal equidistant projection.

>>> round(between(76.95, 43.24, 76.96, 43.24))
812
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import shapely.ops

_RADIUS_M: Final = 6_371_008.8
_EQUATOR_M: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257223563
_POLE_M: Final = _EQUATOR_M * (1 - _FLATTENING)
_STEPS_MAX: Final = 50
_EDGE_DEG: Final = 0.1
_ROUNDS: Final = 4

SPHERE_ERROR: Final = 0.006
"""The great circle of the mean sphere differs from the geodesic by less than this share."""


def great_circle(west: float, south: float, east: float, north: float) -> float:
    """Return the metres between two points on the mean sphere; arguments: lon, lat, lon, lat."""
    phi1, phi2 = math.radians(south), math.radians(north)
    half_phi = (phi2 - phi1) / 2
    half_lam = math.radians(east - west) / 2
    share = math.sin(half_phi) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(half_lam) ** 2
    return 2 * _RADIUS_M * math.asin(min(1.0, math.sqrt(share)))


def between(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Return the metres between two points on the ellipsoid."""
    if lon1 == lon2 and lat1 == lat2:
        return 0.0
    f = _FLATTENING
    span = math.radians(lon2 - lon1)
    u1 = math.atan((1 - f) * math.tan(math.radians(lat1)))
    u2 = math.atan((1 - f) * math.tan(math.radians(lat2)))
    sin1, cos1, sin2, cos2 = math.sin(u1), math.cos(u1), math.sin(u2), math.cos(u2)
    lam = span
    for _ in range(_STEPS_MAX):
        sin_lam, cos_lam = math.sin(lam), math.cos(lam)
        sin_sigma = math.hypot(cos2 * sin_lam, cos1 * sin2 - sin1 * cos2 * cos_lam)
        if sin_sigma == 0:
            return 0.0
        cos_sigma = sin1 * sin2 + cos1 * cos2 * cos_lam
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_alpha = cos1 * cos2 * sin_lam / sin_sigma
        cos2_alpha = 1 - sin_alpha**2
        cos_mid = cos_sigma - 2 * sin1 * sin2 / cos2_alpha if cos2_alpha > 1e-12 else 0.0
        c = f / 16 * cos2_alpha * (4 + f * (4 - 3 * cos2_alpha))
        before = lam
        bend = cos_mid + c * cos_sigma * (2 * cos_mid**2 - 1)
        lam = span + (1 - c) * f * sin_alpha * (sigma + c * sin_sigma * bend)
        if abs(lam - before) < 1e-12:
            return _arc(cos2_alpha, sigma, sin_sigma, cos_sigma, cos_mid)
    return great_circle(lon1, lat1, lon2, lat2)


def _arc(
    cos2_alpha: float, sigma: float, sin_sigma: float, cos_sigma: float, cos_mid: float
) -> float:
    """Return the length of a geodesic (Vincenty's equations 3, 4, 6 and 19)."""
    squared = cos2_alpha * (_EQUATOR_M**2 - _POLE_M**2) / _POLE_M**2
    a = 1 + squared / 16384 * (4096 + squared * (squared * (320 - 175 * squared) - 768))
    b = squared / 1024 * (256 + squared * (squared * (74 - 47 * squared) - 128))
    third = b / 6 * cos_mid * (4 * sin_sigma**2 - 3) * (4 * cos_mid**2 - 3)
    delta = b * sin_sigma * (cos_mid + b / 4 * (cos_sigma * (2 * cos_mid**2 - 1) - third))
    return _POLE_M * a * (sigma - delta)


def distance(one: Any, other: Any) -> float:
    """Return the least metres between two shapely geometries, neither of them empty."""
    if one.geom_type == "Point" and other.geom_type == "Point":
        return between(one.x, one.y, other.x, other.y)
    if one.intersects(other):
        return 0.0
    one, other = _fine(one), _fine(other)
    here = one if one.geom_type == "Point" else _first(one, other)
    there = here
    for _ in range(_ROUNDS):
        there = _nearest(other, here)
        if one.geom_type == "Point":
            break
        again = _nearest(one, there)
        if again.equals(here):
            break
        here = again
    return between(here.x, here.y, there.x, there.y)


def _fine(geometry: Any) -> Any:
    """Return a geometry whose edges are short, so that projected they are still where they were."""
    west, south, east, north = geometry.bounds
    if max(east - west, north - south) <= _EDGE_DEG:
        return geometry
    return shapely.segmentize(geometry, _EDGE_DEG)


def _first(one: Any, other: Any) -> Any:
    """Return about where a geometry is nearest to another: degrees made equally long."""
    lat = (one.bounds[1] + one.bounds[3]) / 2
    scale = np.array([max(0.01, math.cos(math.radians(lat))), 1.0])

    def scaled(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return points * scale  # type: ignore[no-any-return]  # numpy's operator says Any

    place = shapely.ops.nearest_points(
        shapely.transform(one, scaled), shapely.transform(other, scaled)
    )[0]
    return shapely.Point(place.x / scale[0], place.y)


def _nearest(geometry: Any, place: Any) -> Any:
    """Return the point of a geometry that is nearest to a place, on the sphere."""
    lon0, lat0 = math.radians(place.x), math.radians(place.y)
    sin0, cos0 = math.sin(lat0), math.cos(lat0)

    def project(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        lon, lat = np.radians(points[:, 0]) - lon0, np.radians(points[:, 1])
        east = np.cos(lat) * np.sin(lon)
        north = cos0 * np.sin(lat) - sin0 * np.cos(lat) * np.cos(lon)
        along = sin0 * np.sin(lat) + cos0 * np.cos(lat) * np.cos(lon)
        across = np.hypot(east, north)
        scale = np.where(across > 0, np.arctan2(across, along) / np.maximum(across, 1e-300), 1.0)
        return np.column_stack((east * scale, north * scale))

    flat = shapely.transform(geometry, project)
    x, y = shapely.ops.nearest_points(flat, shapely.Point(0, 0))[0].coords[0]
    angle = math.hypot(x, y)
    if angle == 0:
        return place
    lat = math.asin(math.cos(angle) * sin0 + y * math.sin(angle) * cos0 / angle)
    lon = lon0 + math.atan2(
        x * math.sin(angle), angle * cos0 * math.cos(angle) - y * sin0 * math.sin(angle)
    )
    return shapely.Point(math.degrees(lon), math.degrees(lat))
