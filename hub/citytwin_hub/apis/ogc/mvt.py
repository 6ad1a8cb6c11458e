"""Vector tiles: features as bytes of Mapbox Vector Tile 2.1; no I/O.

A tile is a Protocol Buffers message with one layer. Coordinates are whole numbers from the tile's
upper left corner, y downwards; rings turn as the specification says (4.3.3.3): outer ones clockwise
on the screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import pack
from typing import Any, Final

import shapely
from shapely import orient_polygons

EXTENT: Final = 4096
"""Units along a side of a tile."""
NUMBER_MAX: Final = 2**53
"""Whole numbers beyond it are written as floating ones: readers would lose digits anyway."""

_POINT, _LINE, _POLYGON = 1, 2, 3
_MOVE_TO, _LINE_TO, _CLOSE = 1, 2, 7
_VARINT, _BYTES = 0, 2

Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A feature in the units of a tile.

    Attributes:
        kind: 1 points, 2 lines, 3 polygons.
        commands: its geometry, encoded (4.3.1).
        properties: texts, numbers and truth values by name.
    """

    kind: int
    commands: bytes
    properties: Mapping[str, Any]


def drawn(geometry: Any, properties: Mapping[str, Any]) -> Drawn | None:
    """Return a shapely geometry in units of the tile; None where nothing of it is left."""
    parts = list(_parts(geometry))
    if not parts:
        return None
    highest = max(kind for kind, _ in parts)  # of what clipping left, points on an edge go
    pen = _Pen()
    for kind, part in parts:
        if kind == highest:
            pen.draw(kind, part)
    return Drawn(highest, pen.commands(highest), properties) if pen else None


def point(x: float, y: float, properties: Mapping[str, Any]) -> Drawn:
    """Return a point in units of the tile."""
    pen = _Pen()
    pen.points.append((round(x), round(y)))
    return Drawn(_POINT, pen.commands(_POINT), properties)


@dataclass(slots=True)
class Layer:
    """A layer that grows until it has as many bytes as it may."""

    name: str
    bytes_max: int
    size: int = 0
    _features: list[bytes] = field(default_factory=list)
    _keys: dict[str, int] = field(default_factory=dict)
    _values: dict[tuple[type, Any], int] = field(default_factory=dict)
    _tables: list[bytes] = field(default_factory=list)

    def add(self, feature: Drawn) -> bool:
        """Add a feature; return whether there was room."""
        new: list[bytes] = []
        tags: list[int] = []
        keys, values = len(self._keys), len(self._values)
        for name, value in feature.properties.items():
            if name not in self._keys:
                self._keys[name] = len(self._keys)
                new.append(_message(3, name.encode()))
            key = (type(value), value)
            if key not in self._values:
                self._values[key] = len(self._values)
                new.append(_message(4, _value(value)))
            tags += (self._keys[name], self._values[key])
        body = _packed(2, tags) + _number(3, feature.kind) + _message(4, feature.commands)
        written = _message(2, body)
        size = len(written) + sum(map(len, new))
        if self.size + size > self.bytes_max:
            _shrink(self._keys, keys)
            _shrink(self._values, values)
            return False
        self._features.append(written)
        self._tables += new
        self.size += size
        return True

    def tile(self) -> bytes:
        """Return the tile; no bytes at all where it has no feature."""
        if not self._features:
            return b""
        head = _number(15, 2) + _message(1, self.name.encode())
        body = (head, *self._features, *self._tables, _number(5, EXTENT))
        return _message(3, b"".join(body))


class _Pen:
    """Draws parts of a geometry, and leaves out what has come to nothing."""

    def __init__(self) -> None:
        self.points: list[Position] = []
        self._lines: list[list[Position]] = []

    def __bool__(self) -> bool:
        return bool(self.points or self._lines)

    def draw(self, kind: int, part: Any) -> None:
        """Draw a point, a line or a polygon."""
        if kind == _POINT:
            self.points += _whole(part)
        elif kind == _LINE:
            line = _whole(part)
            if len(line) > 1:
                self._lines.append(line)
        else:
            # shapely's y goes up, the tile's down: what is clockwise here is not there.
            outer, *holes = [_whole(ring)[:-1] for ring in _rings(orient_polygons(part))]
            if len(outer) > 2 and _area(outer) > 0:
                self._lines += [outer, *(one for one in holes if len(one) > 2 and _area(one) < 0)]

    def commands(self, kind: int) -> bytes:
        """Return what was drawn as commands and steps (4.3.1 to 4.3.3)."""
        numbers: list[int] = []
        here = (0, 0)
        if kind == _POINT:
            numbers.append(len(self.points) << 3 | _MOVE_TO)
            here = _steps(numbers, self.points, here)
            return _varints(numbers)
        for line in self._lines:
            numbers.append(1 << 3 | _MOVE_TO)
            here = _steps(numbers, line[:1], here)
            numbers.append((len(line) - 1) << 3 | _LINE_TO)
            here = _steps(numbers, line[1:], here)
            if kind == _POLYGON:
                numbers.append(1 << 3 | _CLOSE)
        return _varints(numbers)


def _parts(geometry: Any) -> Iterable[tuple[int, Any]]:
    for part in shapely.get_parts(geometry):
        if part.is_empty:
            continue
        if part.geom_type in ("Point", "LineString", "LinearRing", "Polygon"):
            yield {"Point": _POINT, "Polygon": _POLYGON}.get(part.geom_type, _LINE), part
        else:
            yield from _parts(part)


def _rings(polygon: Any) -> list[Any]:
    return [polygon.exterior, *polygon.interiors]


def _whole(part: Any) -> list[Position]:
    """Return positions as whole numbers, without those that are the one before."""
    found: list[Position] = []
    for x, y in shapely.get_coordinates(part):
        here = (round(x), round(y))
        if not found or here != found[-1]:
            found.append(here)
    return found


def _area(ring: Sequence[Position]) -> int:
    """Return twice the area of a ring; positive: clockwise on the screen (4.3.3.3)."""
    following = [*ring[1:], ring[0]]
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, following, strict=True))


def _steps(numbers: list[int], line: Iterable[Position], here: Position) -> Position:
    for x, y in line:
        for step in (x - here[0], y - here[1]):
            numbers.append(step << 1 if step >= 0 else (-step << 1) - 1)
        here = (x, y)
    return here


def _shrink(table: dict[Any, int], size: int) -> None:
    while len(table) > size:
        table.popitem()


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return _number(7, int(value))
    if isinstance(value, str):
        return _message(1, value.encode())
    if isinstance(value, int) and abs(value) < NUMBER_MAX:
        return _number(6, value << 1 if value >= 0 else (-value << 1) - 1)
    return _varint(3 << 3 | 1) + pack("<d", float(value))


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3 | _VARINT) + _varint(value)


def _message(tag: int, body: bytes) -> bytes:
    return _varint(tag << 3 | _BYTES) + _varint(len(body)) + body


def _packed(tag: int, numbers: Iterable[int]) -> bytes:
    return _message(tag, _varints(numbers))


def _varint(number: int) -> bytes:
    return _varints((number,))


def _varints(numbers: Iterable[int]) -> bytes:
    out = bytearray()
    for number in numbers:
        left = number
        while left > 0x7F:
            out.append(left & 0x7F | 0x80)
            left >>= 7
        out.append(left)
    return bytes(out)
