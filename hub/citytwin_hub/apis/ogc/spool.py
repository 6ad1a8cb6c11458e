"""Spool: features on their way to a file, once on disk, so that memory has a limit.

What a file says at its beginning (its columns, its extent) is known before it is written. The spool
holds JSON lines: identifier, WKB in hexadecimal, properties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import shapely

from citytwin_hub.apis.ogc import crs
from citytwin_hub.apis.ogc.features import Feature
from citytwin_hub.apis.ogc.selecting import json_type
from citytwin_hub.entities.errors import TooManyResults

FEATURES_MAX: Final = 2_000_000
COLUMNS_MAX: Final = 2_000
"""Different properties: more make no table that anybody reads."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[str, str | None, dict[str, Any]]).decode
Row = tuple[str, Any, dict[str, Any]]
"""Identifier, shapely geometry or None, properties."""


class Spool:
    """Features in a file of their own, and what is known of all of them.

    Attributes:
        types: the JSON types of each property's values, ``null`` left out.
        shapes: the types of their geometries, as shapely calls them.
        box: west, south, east, north around them; None without geometries.
        count: how many they are.
    """

    def __init__(self, path: Path, system: str) -> None:
        """Write to a new file; geometries are moved to a system, x first as files want it."""
        self._path = path
        self._system = crs.CRS84 if system == crs.EPSG.format(4326) else system
        self.types: dict[str, set[str]] = {}
        self.shapes: set[str] = set()
        self.box: tuple[float, float, float, float] | None = None
        self.count = 0

    def fill(self, features: Iterable[Feature]) -> None:
        """Take all features.

        Raises:
            TooManyResults: there are more features or properties than a file may have.
        """
        with self._path.open("wb") as file:
            for feature in features:
                self.count += 1
                if self.count > FEATURES_MAX or len(self.types) > COLUMNS_MAX:
                    raise TooManyResults(
                        f"a file has at most {FEATURES_MAX} features with {COLUMNS_MAX} properties;"
                        " choose fewer with bbox or filter"
                    )
                geometry = self._moved(feature.geometry)
                for name, value in feature.properties.items():
                    self.types.setdefault(name, set()).add(json_type(value))
                written = None if geometry is None else shapely.to_wkb(geometry, hex=True)
                file.write(_encode((feature.entity.id, written, feature.properties)) + b"\n")
        for types in self.types.values():
            types.discard("null")

    def rows(self) -> Iterator[Row]:
        """Yield every feature."""
        with self._path.open("rb") as file:
            for line in file:
                one, written, properties = _decode(line)
                yield one, written and shapely.from_wkb(written), properties

    def _moved(self, geometry: Any) -> Any:
        if geometry is None:
            return None
        there = crs.transformed(geometry, crs.CRS84, self._system)
        if not all(abs(one) < float("inf") for one in there.bounds):
            return None
        self.shapes.add(there.geom_type + (" Z" if there.has_z else ""))
        box, mine = self.box, there.bounds
        if box is not None:
            ends: tuple[Callable[..., float], ...] = (min, min, max, max)
            west, south, east, north = (
                end(a, b) for end, a, b in zip(ends, box, mine, strict=True)
            )
            self.box = (west, south, east, north)
        else:
            self.box = mine
        return there
