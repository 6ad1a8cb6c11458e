"""Coordinate reference systems: what features can be had in, and how they come there.

OGC API - Features - Part 2 (18-058r1). The hub keeps longitude and latitude (CRS84). Axes are in
the order of each system's authority: EPSG:4326 has latitude first.

>>> from shapely import Point
>>> there = transformed(Point(76.95, 43.24), CRS84, EPSG.format(32643))
>>> round(there.x), round(there.y)
(658323, 4789313)
"""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np
import shapely
from pyproj import Transformer

from citytwin_hub.entities.errors import BadRequestData

CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CRS84H: Final = "http://www.opengis.net/def/crs/OGC/0/CRS84h"
EPSG: Final = "http://www.opengis.net/def/crs/EPSG/0/{}"
ALL: Final = (CRS84, *(EPSG.format(code) for code in (4326, 3857, 32642, 32643, 32644)))
"""CRS84, WGS 84 with latitude first, Web Mercator, and the UTM zones of Kazakhstan."""
DECIMALS: Final = 3
"""Of metres: a millimetre."""

_local = threading.local()  # a transformer serves one thread at a time


def system(text: str, what: str) -> str:
    """Return a system's URI, which may be given as such or as a CURIE ``[EPSG:32643]``.

    Raises:
        BadRequestData: features are not to be had in it.
    """
    curie = text.strip("[]")
    for uri in ALL:
        if text == uri or curie == name_of(uri):
            return uri
    raise BadRequestData(f"{what} {text[:200]!r} is none of {', '.join(ALL)}")


def name_of(uri: str) -> str:
    """Return authority and code: ``OGC:CRS84``, ``EPSG:4326``."""
    return "OGC:CRS84" if uri == CRS84 else "EPSG:" + uri.rpartition("/")[2]


def transformed(geometry: Any, source: str, target: str) -> Any:
    """Return a shapely geometry in another system; infinite where that system does not reach."""
    if source == target:
        return geometry
    transformer = _transformer(source, target)

    def move(positions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        moved = transformer.transform(positions[:, 0], positions[:, 1])
        return np.column_stack((*moved, *positions[:, 2:].T))  # heights stay as they are

    return shapely.transform(geometry, move, include_z=bool(shapely.has_z(geometry)))


def is_metric(uri: str) -> bool:
    """Return whether coordinates are metres, not degrees."""
    return uri not in (CRS84, EPSG.format(4326))


def _transformer(source: str, target: str) -> Transformer:
    known: dict[tuple[str, str], Transformer] | None = getattr(_local, "known", None)
    if known is None:
        known = _local.known = {}
    pair = (source, target)
    if pair not in known:
        known[pair] = Transformer.from_crs(name_of(source), name_of(target))
    return known[pair]
