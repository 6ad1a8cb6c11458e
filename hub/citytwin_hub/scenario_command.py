"""Scenario command: what `citytwin-hub scenario` asks the running hub, and the lines it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from citytwin_hub import tables
from citytwin_hub.config_command import Asks

WORDS: Final = "branch the city for a what-if, compare it with the present, keep or discard it"


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    action = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    action.add_parser("list", help="the branches that there are")
    create = action.add_parser(
        "create", help="branch the city as it is now; prints the branch's id"
    )
    create.add_argument("name", help="for people: 'pump 3 closed'")
    compare = action.add_parser("compare", help="what is not as it is now, and who changed it")
    compare.add_argument("id")
    compare.add_argument("--limit", type=int, default=1000, help="how many are listed (1000)")
    keep = action.add_parser("keep", help="make the city what it is in the branch")
    keep.add_argument("id")
    keep.add_argument("--force", action="store_true", help="also where it was changed since")
    discard = action.add_parser("discard", help="drop the branch")
    discard.add_argument("id")


def answer(options: Any, client: Asks) -> Any:
    """Ask what is asked; return the hub's answer."""
    action = options.action
    if action == "list":
        return client.get("scenarios")
    if action == "create":
        return client.post("scenarios", {"name": options.name})
    if action == "compare":
        return client.get("scenarios/differences", id=options.id, limit=options.limit)
    identifier = quote(options.id, safe=":")
    if action == "keep":
        force = "&force=true" if options.force else ""
        return client.post(f"scenarios/keep?id={identifier}{force}", None)
    return client.post(f"scenarios/discard?id={identifier}", None)


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    action = options.action
    if action == "list":
        columns = ("id", "name", "created_ms", "used_ms", "failure")
        yield from tables.table(found["scenarios"], columns)
    elif action == "create":
        yield found["id"]
    elif action == "compare":
        rows = [one | {"attributes": " ".join(map(_short, one["attributes"]))}
                for one in found["differences"]]  # fmt: skip
        yield from tables.table(rows, ("id", "change", "by", "attributes"))
        if found["count"] > len(rows):
            yield f"… and {found['count'] - len(rows)} more (--limit)"
    elif action == "keep":
        yield f"{found['entities']} objects are now as in the branch"
    else:
        yield f"{found['id']} is discarded"


def _short(iri: str) -> str:
    return iri.replace("#", "/").rpartition("/")[2]
