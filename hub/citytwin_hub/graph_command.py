"""Graph command: what `citytwin-hub graph` asks the running hub, and the lines that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from citytwin.errors import CityTwinError
from citytwin_hub import tables
from citytwin_hub.config_command import Asks

WORDS: Final = "what is downstream of an object, who loses supply when it closes, now or then"
ACTIONS: Final = ("downstream", "upstream", "neighbours", "path", "loss", "isolation")


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("action", choices=ACTIONS)
    command.add_argument("object", nargs="+", help="URN; path: from and to; loss: what closes")
    command.add_argument("--at", help="as it was at this moment, 2026-03-15T00:00:00+05:00")
    command.add_argument("--kind", action="append", help="only along this kind of relation")
    command.add_argument("--type", action="append", help="list only objects of this type: Building")
    command.add_argument("--source", action="append", help="loss: supply begins here")
    command.add_argument("--source-type", action="append", help="loss: and at objects of this type")
    command.add_argument("--no-backups", action="store_true", help="loss: no backup stands in")
    command.add_argument("--any-way", action="store_true", help="path: along any relation")
    command.add_argument("--valve-type", action="append", help="isolation: what can be closed")
    command.add_argument("--limit", type=int, default=1000, help="objects that are listed (1000)")
    command.add_argument("--tenant", help="of this tenant")


def answer(options: Any, client: Asks) -> Any:
    """Ask what is asked; return the hub's answer.

    Raises:
        CityTwinError: it has no answer, or too few or many objects are named.
    """
    action, objects = options.action, options.object
    query = {name: getattr(options, name) for name in ("at", "kind", "type", "limit", "tenant")}
    if action == "loss":
        more = {"closed": objects, "source": options.source, "source_type": options.source_type}
        return client.get(
            "graph/loss", **query, **more, backups=False if options.no_backups else None
        )
    if action == "path":
        if len(objects) != 2:
            raise CityTwinError("path needs two objects: FROM TO")
        begin, end = objects
        way = True if options.any_way else None
        return client.get("graph/path", **query, begin=begin, end=end, any_way=way)
    if len(objects) != 1:
        raise CityTwinError(f"{action} needs one object")
    if action == "isolation":
        query["valve_type"] = options.valve_type
    return client.get(f"graph/{action}", **query, of=objects[0])


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    action = options.action
    if action == "path":
        if found["found"]:
            yield from tables.table(found["path"], ("id", "relation"))
        else:
            yield "(no way)"
        return
    if action == "neighbours":
        yield from tables.table(found["neighbours"], ("kind", "direction", "id", "relation"))
        return
    if action == "isolation":
        yield "close " + (", ".join(found["valves"]) or "nothing: no valve is known")
        yield f"{found['count']} objects then stand alone:"
    yield from _objects(found["objects"], found["count"])
    if action == "loss":
        yield f"{found['count']} lose supply, which begins at {found['sources_count']} objects"
        if found["backups"]:
            yield f"{found['held_count']} are held by {', '.join(found['backups'])}"


def _objects(objects: list[dict[str, Any]], count: int) -> Iterator[str]:
    rows = [{"id": one["id"], "type": ", ".join(one["types"])} for one in objects]
    yield from tables.table(rows, ("id", "type"))
    if count > len(rows):
        yield f"… and {count - len(rows)} more (--limit)"
