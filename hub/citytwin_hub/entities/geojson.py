"""GeoJSON: whether a value is a geometry that NGSI-LD takes (RFC 7946, clause 3.1).

ETSI GS CIM 009, clause 4.7: every geometry but GeometryCollection.

>>> refusal({"type": "Point", "coordinates": [76.9, 43.2]})
''
>>> refusal({"type": "Point", "coordinates": [43.2, 176.9]})
'176.9 is not a latitude (-90 to 90); longitude comes first'
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, Final

POSITIONS_MAX: Final = 100_000
"""Of one geometry; a city's boundary in full detail has some ten thousand."""


class _Refused(Exception):
    """Says why."""


def refusal(value: Any) -> str:
    """Return why a value is no such geometry; empty if it is one."""
    if not isinstance(value, dict):
        return "a geometry is an object with type and coordinates"
    kind = value.get("type")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        return f"{kind!r} is not a type of geometry; there are {', '.join(_CHECKS)}"
    if "coordinates" not in value:
        return "the geometry has no coordinates"
    try:
        positions = check(value["coordinates"])
    except _Refused as error:
        return str(error)
    return f"it has over {POSITIONS_MAX} positions" if positions > POSITIONS_MAX else ""


def is_geometry_like(value: Any) -> bool:
    """Return whether an object says that it is a GeoJSON geometry, valid or not."""
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    return isinstance(kind, str) and (kind in _CHECKS or kind == "GeometryCollection")


def _number(value: Any) -> bool:
    return type(value) in {int, float} and isfinite(value)


def _position(value: Any) -> int:
    if not isinstance(value, list) or not 2 <= len(value) <= 3 or not all(map(_number, value)):
        raise _Refused("a position is an array of longitude, latitude and, perhaps, height")
    longitude, latitude = value[0], value[1]
    if not -180 <= longitude <= 180:
        raise _Refused(f"{longitude} is not a longitude (-180 to 180)")
    if not -90 <= latitude <= 90:
        raise _Refused(f"{latitude} is not a latitude (-90 to 90); longitude comes first")
    return 1


def _several(check: Callable[[Any], int], least: int, what: str) -> Callable[[Any], int]:
    def checked(value: Any) -> int:
        if not isinstance(value, list) or len(value) < least:
            raise _Refused(f"{what} is an array of at least {least}")
        return sum(map(check, value))

    return checked


def _ring(value: Any) -> int:
    positions = _several(_position, 4, "the ring of a polygon")(value)
    if value[0] != value[-1]:
        raise _Refused("a ring of the polygon is not closed: its last position is not its first")
    return positions


_line: Final = _several(_position, 2, "a line")
_polygon: Final = _several(_ring, 1, "a polygon")
_CHECKS: Final = {
    "Point": _position,
    "MultiPoint": _several(_position, 1, "a MultiPoint"),
    "LineString": _line,
    "MultiLineString": _several(_line, 1, "a MultiLineString"),
    "Polygon": _polygon,
    "MultiPolygon": _several(_polygon, 1, "a MultiPolygon"),
}
