"""Inventory command: what `citytwin-hub inventory` asks the running hub, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from citytwin import files
from citytwin.errors import CityTwinError
from citytwin_hub import tables

WORDS: Final = "look through the city: gaps, pieces, duplicates, overlaps, elevations, what misses"
SHOWN: Final = 20
"""Of each kind in the terminal; --html and --json have more."""


class Slow(Protocol):
    """Asks the hub for what takes minutes."""

    def get_slowly(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET."""
        ...


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("--bbox", default="", help="west,south,east,north: only this part")
    command.add_argument("--within", default="", help="west,south,east,north: where the city is")
    command.add_argument("--type", action="append", help="only entities of this type: Pipe")
    command.add_argument("--gap-m", type=float, help="ends nearer than so nearly touch (1)")
    command.add_argument("--limit", type=int, default=1000, help="how many of each kind (1000)")
    command.add_argument("--lang", choices=("kk", "ru", "en"), default="en")
    command.add_argument("--html", type=Path, help="write a page to this file")
    command.add_argument("--tenant", default="", help="of this tenant")


def answer(options: Any, client: Slow) -> Any:
    """Ask; return the hub's answer, and write the page if one is wanted.

    Raises:
        CityTwinError: the hub refuses, or the file cannot be written.
    """
    query = {
        "bbox": options.bbox or None, "within": options.within or None, "gap_m": options.gap_m,
        "limit": options.limit, "tenant": options.tenant or None,
    }  # fmt: skip
    if options.html is not None and options.type:
        raise CityTwinError("--html shows the whole city: leave --type out, or use --json")
    found = client.get_slowly("inventory", type=options.type, **query)
    if options.html is not None:
        from citytwin_hub.apis.inventory import page_of

        text = page_of(found, options.lang)
        files.replace(options.html, lambda file: file.write(text.encode()))
    return found


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    rows = [{"class": one, "count": count} for one, count in sorted(found["classes"].items())]
    yield from tables.table(rows, ("class", "count"))
    for kind, count in found["counts"].items():
        yield ""
        yield f"{found['titles'][kind][options.lang]}: {count}"
        some = [one for one in found["findings"] if one["kind"] == kind]
        for one in some[:SHOWN]:
            yield f"  {one['id']}: {one['what']}; {one['remedy']}"
        if count > SHOWN:
            yield f"  … and {count - SHOWN} more: see --html FILE or --json"
    if not found["counts"]:
        yield "nothing is wrong"
    yield from found["notes"]
    if options.html is not None:
        yield f"the page is in {options.html}"
