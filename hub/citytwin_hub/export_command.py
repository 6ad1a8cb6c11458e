"""Export command: what `citytwin-hub export-entities` asks the hub for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from citytwin_hub import exports

WORDS: Final = "write all entities of a type to a file"
FORMATS: Final = ("csv", "parquet", "geoparquet", "cityjson")


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("type", help="a type of entities: Building, Pipe, …")
    command.add_argument("--format", choices=FORMATS, default="csv")
    command.add_argument("--filter", help="CQL2: level > 3 AND name LIKE 'Alm%%'")
    command.add_argument("--bbox", help="west,south,east,north in degrees")
    command.add_argument("--crs", help="[EPSG:32643]; degrees without it")
    command.add_argument("--lang", help="languages of texts: kk,ru")
    command.add_argument("-o", "--output", type=Path, required=True)


def answer(options: Any, client: exports.Downloads) -> dict[str, Any]:
    """Write the file; return how many entities are in it, and where it is.

    Raises:
        CityTwinError: the hub refuses, or the file cannot be written.
    """
    chosen = {name: getattr(options, name) for name in ("filter", "bbox", "crs", "lang")}
    query = {name: value for name, value in chosen.items() if value}
    count = exports.entities(client, options.output, options.type, {"f": options.format, **query})
    return {"entities": count, "file": str(options.output)}


def lines(_options: Any, found: dict[str, Any]) -> Iterator[str]:
    """Yield an answer as people read it."""
    yield f"{found['entities']} entities in {found['file']}"
