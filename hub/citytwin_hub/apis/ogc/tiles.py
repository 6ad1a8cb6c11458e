"""Tiles: the features of a collection as vector tiles for a map, and the TileJSON that leads there.

Tiles are of Web Mercator, counted from the north-west. What is smaller than a cell of which a tile
has 64 by 64 is thinned out to one in a cell, by the store, before it is read. A tile has what is
stored, not what points measure: live values come to the map by the live stream.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import numpy as np
import shapely
from msgspec.structs import replace
from starlette.responses import Response

from citytwin_hub.apis.ngsild.languages import parse
from citytwin_hub.apis.ogc import mvt
from citytwin_hub.apis.ogc.calls import Ask, Described, Parameter, Resource, answer
from citytwin_hub.apis.ogc.features import LOCATION, Feature
from citytwin_hub.apis.ogc.items import COLLECTION
from citytwin_hub.apis.ogc.naming import short, type_of
from citytwin_hub.apis.ogc.pages import extents
from citytwin_hub.apis.ogc.selecting import queryables
from citytwin_hub.entities import changes
from citytwin_hub.entities.errors import ResourceNotFound
from citytwin_hub.entities.geo import shape
from citytwin_hub.entities.model import AttributeKind
from citytwin_hub.entities.store import Box, EntityStore, Hints
from citytwin_hub.policy.grants import NONE, Names

MVT: Final = "application/vnd.mapbox-vector-tile"
ZOOM_MAX: Final = 22
ZOOM_BEST: Final = 16
"""The last zoom that TileJSON names: nearer, a map enlarges."""
TILE_BYTES_MAX: Final = 500_000
"""Of one tile before it is compressed: what a map draws without a pause."""
FEATURES_MAX: Final = 50_000
"""Looked at for one tile."""
CELLS: Final = 64
"""Along each side; those of a screen tile are four to eight pixels wide."""
BUFFER: Final = 64
"""Units around a tile that are in it, too, so that lines and outlines do not end at its edge."""
TOLERANCE: Final = 4.0
"""Units by which a line may be simplified: a quarter of a pixel."""
CACHE_BYTES_MAX: Final = 32 << 20
TEXT_CHARS_MAX: Final = 200

_WINDOW: Final = (-BUFFER, -BUFFER, mvt.EXTENT + BUFFER, mvt.EXTENT + BUFFER)
_ANY: Final = parse("*")
_Address = tuple[int, int, int]


class Tile(NamedTuple):
    """A tile, the change of the store after which it was made, and until when it is right."""

    changed: int
    until_ns: int
    data: bytes

    @property
    def tag(self) -> str:
        """Its entity tag: what expires changes it without a record in the store."""
        return f'W/"{self.changed}-{self.until_ns}"'


class Cache:
    """Tiles that were asked for last; for any thread."""

    def __init__(self, bytes_max: int = CACHE_BYTES_MAX) -> None:
        """Begin empty."""
        self._bytes_max, self._size, self._lock = bytes_max, 0, threading.Lock()
        self._tiles: OrderedDict[tuple[Any, ...], Tile] = OrderedDict()

    def get(self, key: tuple[Any, ...], changed: int, now_ns: int) -> Tile | None:
        """Return a tile that is still right."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is None or tile.changed != changed or 0 < tile.until_ns <= now_ns:
                return None
            self._tiles.move_to_end(key)
            return tile

    def put(self, key: tuple[Any, ...], tile: Tile) -> None:
        """Keep a tile; those that nobody wanted for longest go."""
        with self._lock:
            old = self._tiles.pop(key, None)
            self._tiles[key] = tile
            self._size += len(tile.data) - (len(old.data) if old else 0)
            while self._size > self._bytes_max:
                _, gone = self._tiles.popitem(last=False)
                self._size -= len(gone.data)


def tile(ask: Ask) -> Response:
    """Return a tile, or 304 where nothing has changed since."""
    store, now_ns = ask.tenant.entities.store, ask.broker.clock.now_ns()
    address = _address(ask.path)
    iri = type_of(ask.path["collection"], store.types())
    key, changed = (store, iri, *address), store.changed()
    cache: Cache = ask.request.app.state.tiles
    made = cache.get(key, changed, now_ns)
    if made is None:
        made = build(store, iri, address, now_ns, changed, ask.permit.rights.personal)
        cache.put(key, made)
    headers = {"ETag": made.tag, "Cache-Control": "no-cache"}
    if made.tag in ask.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(made.data, headers=headers, media_type=MVT)


def build(
    store: EntityStore,
    iri: str,
    address: _Address,
    now_ns: int,
    changed: int,
    personal: Names = NONE,
) -> Tile:
    """Make a tile of the features of a type, without personal attributes: tiles are kept."""
    zoom, column, row = address
    west, south, east, north = bounds(zoom, column, row)
    pad = (east - west) * BUFFER / mvt.EXTENT
    box = Box(LOCATION, west - pad, max(south - pad, -90), east + pad, min(north + pad, 90))
    until_ns, found = 0, list[tuple[float, mvt.Drawn]]()
    hints = Hints(types=[iri], box=box, cell=(east - west) / CELLS)
    candidates = store.candidates(hints)
    for entity in islice(candidates, FEATURES_MAX):
        alive = changes.living(entity, now_ns)
        if alive is None:
            continue
        for end_ns in _ends(alive):
            until_ns = min(until_ns or end_ns, end_ns)
        if personal.among(alive.attributes):
            some = {name: v for name, v in alive.attributes.items() if name not in personal}
            alive = replace(alive, attributes=some)
        one = _drawn(Feature(alive, _ANY), address)
        if one is not None:
            found.append(one)
    # The largest first: where there is no room for all, the smallest are missed least.
    found.sort(key=lambda one: -one[0])
    layer = mvt.Layer(short(iri), TILE_BYTES_MAX)
    for _, feature in found:
        if not layer.add(feature):
            break
    return Tile(changed, until_ns, layer.tile())


def bounds(zoom: int, column: int, row: int) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a tile, in degrees.

    >>> [round(one, 4) for one in bounds(1, 1, 0)]
    [0.0, 0.0, 180.0, 85.0511]
    """
    side = 360.0 / 2**zoom
    return (
        column * side - 180.0, _latitude(row + 1, zoom), (column + 1) * side - 180.0,
        _latitude(row, zoom),
    )  # fmt: skip


def tilejson(ask: Ask) -> Response:
    """Return where the tiles are and what is in them (TileJSON 3.0.0)."""
    name = ask.path["collection"]
    iri = type_of(name, ask.tenant.entities.store.types())
    kinds = {"number": "Number", "boolean": "Boolean", "string": "String"}
    fields = {
        one: kinds[next(iter(types))]
        for one, types in queryables(ask, iri).items()
        if len(types) == 1 and types <= kinds.keys() and _is_shown(one)
    }
    told: dict[str, Any] = {
        "tilejson": "3.0.0",
        "name": short(iri),
        "tiles": [ask.url(f"/tiles/{quote(name)}/") + "{z}/{x}/{y}.mvt"],
        "minzoom": 0,
        "maxzoom": ZOOM_BEST,
        "vector_layers": [{"id": short(iri), "fields": fields | {"id": "String"}}],
    }
    box = extents(ask).get(iri)
    return answer(told if box is None else told | {"bounds": box})


def _drawn(feature: Feature, address: _Address) -> tuple[float, mvt.Drawn] | None:
    """Return a feature in units of a tile, with its size; None where it is not in it."""
    location = feature.location
    geometry = shape(location)
    if geometry is None:
        return None

    def move(positions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return _units(positions, address)

    there = shapely.transform(geometry, move)
    properties = _properties(feature)
    if geometry.geom_type == "Point":
        x, y = there.x, there.y
        inside = _WINDOW[0] <= x <= _WINDOW[2] and _WINDOW[1] <= y <= _WINDOW[3]
        return (0.0, mvt.point(x, y, properties)) if inside else None
    clipped = shapely.clip_by_rect(there, *_WINDOW)
    if address[0] < ZOOM_BEST:
        clipped = shapely.simplify(clipped, TOLERANCE)
    one = mvt.drawn(clipped, properties)
    return None if one is None else (clipped.length, one)


def _units(positions: np.ndarray[Any, Any], address: _Address) -> np.ndarray[Any, Any]:
    """Return longitude and latitude as units of a tile (spherical Web Mercator)."""
    zoom, column, row = address
    sine = np.sin(np.radians(np.clip(positions[:, 1], -89.9, 89.9)))
    x = (positions[:, 0] + 180.0) / 360.0
    y = 0.5 - np.log((1 + sine) / (1 - sine)) / (4 * math.pi)
    return np.column_stack((x * 2**zoom - column, y * 2**zoom - row)) * mvt.EXTENT


def _properties(feature: Feature) -> dict[str, Any]:
    """Return what a map may draw by: short texts, numbers, truth values, texts by language."""
    found: dict[str, Any] = {"id": feature.entity.id}
    for name, value in feature.properties.items():
        if _is_shown(name) and isinstance(value, bool | int | float | str):
            found[name] = value[:TEXT_CHARS_MAX] if isinstance(value, str) else value
    for iri, instances in feature.entity.attributes.items():
        for one in instances:
            if one.kind is AttributeKind.LANGUAGE and not one.dataset:
                for tag, text in one.value.items():
                    if isinstance(text, str):
                        found[f"{short(iri)}:{tag}"] = text[:TEXT_CHARS_MAX]
    return found


def _is_shown(name: str) -> bool:
    return "." not in name and name not in ("createdAt", "modifiedAt")


def _ends(entity: Any) -> Iterator[int]:
    """Yield when an entity or something in it expires."""
    if entity.expires_ns is not None:
        yield entity.expires_ns
    for instances in entity.attributes.values():
        for one in instances:
            if one.expires_ns is not None:
                yield one.expires_ns


def _latitude(row: int, zoom: int) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / 2**zoom))))


def _address(path: Any) -> _Address:
    texts = [path[name] for name in ("z", "x", "y")]
    if all(one.isascii() and one.isdigit() and len(one) < 9 for one in texts):
        zoom, column, row = map(int, texts)
        if zoom <= ZOOM_MAX and column < 2**zoom and row < 2**zoom:
            return zoom, column, row
    raise ResourceNotFound(f"there is no tile {'/'.join(texts)[:60]}; zooms are 0 to {ZOOM_MAX}")


def _number(name: str, description: str) -> Parameter:
    return Parameter(name, description, {"type": "integer", "minimum": 0}, where="path")


_WHERE: Final = (_number("z", "Zoom."), _number("x", "Column."), _number("y", "Row, from north."))
ROUTES: Final = [
    Described(
        "/tiles/{collection}",
        tilejson,
        Resource(
            "Where the tiles of a collection are, as TileJSON.",
            parameters=(COLLECTION,),
            schema="TileJSON",
            fails=(404,),
        ),
    ),
    Described(
        "/tiles/{collection}/{z}/{x}/{y}.mvt",
        tile,
        Resource(
            "The features of a collection in a tile.",
            (MVT,),
            (COLLECTION, *_WHERE),
            fails=(304, 404),
        ),
    ),
]
