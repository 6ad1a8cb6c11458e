"""Loose ends command: what `citytwin-hub loose-ends` asks the running hub, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from citytwin_hub import tables
from citytwin_hub.config_command import Asks

WORDS: Final = "points that give no entity anything, and entities that nothing measures"


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("--type", action="append", help="only entities of this type: Pump")
    command.add_argument(
        "--silent-s", type=float, help="an entity without a sample for as long is silent (3600)"
    )
    command.add_argument("--limit", type=int, default=1000, help="how many of each (1000)")


def answer(options: Any, client: Asks) -> Any:
    """Ask; return the hub's answer."""
    return client.get(
        "loose-ends", type=options.type, silent_s=options.silent_s, limit=options.limit
    )


def lines(_options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    counts = found["counts"]
    rows = [{"point": one, "feeds": "(nothing)"} for one in found["points"]]
    rows += [
        {"point": one["point"], "feeds": f"{one['entity']}, which is not there"}
        for one in found["astray"]
    ]
    yield f"{counts['points'] + counts['astray']} points give no entity anything"
    yield from tables.table(rows, ("point", "feeds"))
    yield ""
    yield f"{counts['unmeasured']} entities are measured by no point"
    yield from tables.table([{"id": one} for one in found["unmeasured"]], ("id",))
    yield ""
    yield f"{counts['silent']} entities have points that say nothing"
    silent = [
        one | {"points": " ".join(one["points"]), "last_ms": one["last_ms"] or "never"}
        for one in found["silent"]
    ]
    yield from tables.table(silent, ("id", "last_ms", "points"))
