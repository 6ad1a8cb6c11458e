"""Identity command: what `citytwin-hub identity` asks the running hub, and the lines it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from citytwin.errors import CityTwinError
from citytwin_hub import tables
from citytwin_hub.config_command import Asks

WORDS: Final = "what a URN or a name of another system means; give, merge and split URNs"


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("--tenant", default="", help="of this tenant")
    action = command.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, words: str, *arguments: str) -> Any:
        one = action.add_parser(name, help=words)
        for argument in arguments:
            one.add_argument(argument)
        return one

    resolve = add("resolve", "what it means today: URN, or SYSTEM NAME")
    resolve.add_argument("what", nargs="+", help="URN, or SYSTEM NAME")
    register = add("register", "give a new object of a class its URN", "kind")
    register.add_argument("--place", type=_place, help="LON,LAT where it was first seen")
    add("adopt", "take a URN that was given elsewhere", "urn")
    add("alias", "let a name of a source system mean an object", "system", "name", "urn")
    add("withdraw", "let a name mean nothing any more", "system", "name")
    merge = add("merge", "let several objects be the first of them", "into")
    merge.add_argument("urns", nargs="+", help="what it takes in")
    split = add("split", "let an object be several new ones", "urn")
    split.add_argument("parts", nargs="+", help="CLASS or CLASS@LON,LAT of each part")
    journal = add("journal", "who did what and when")
    journal.add_argument("--after", type=int, default=0, help="only what has a higher number")


def answer(options: Any, client: Asks) -> Any:
    """Ask what is asked; return the hub's answer.

    Raises:
        CityTwinError: the hub refuses, or what is named cannot be meant.
    """
    action = options.action
    if action == "resolve":
        if len(options.what) > 2:
            raise CityTwinError("resolve needs a URN, or SYSTEM NAME")
        names = ("urn",) if len(options.what) == 1 else ("system", "name")
        query = dict(zip(names, options.what, strict=True))
        return client.get("identity/resolve", tenant=options.tenant, **query)
    if action == "journal":
        return client.get("identity/journal", after=options.after, tenant=options.tenant)
    tenant = f"?tenant={quote(options.tenant)}" if options.tenant else ""
    path, body = _asked(options)
    return client.post(path + tenant, body)


def _asked(options: Any) -> tuple[str, dict[str, Any]]:
    action = options.action
    if action == "register":
        return "identity", {"kind": options.kind, "place": options.place}
    if action == "adopt":
        return "identity/adopt", {"urn": options.urn}
    if action == "merge":
        return "identity/merge", {"urns": [options.into, *options.urns], "into": options.into}
    if action == "split":
        parts = [_part(one) for one in options.parts]
        return "identity/split", {"urn": options.urn, "parts": parts}
    body = {"system": options.system, "name": options.name}
    if action == "alias":
        return "identity/aliases", body | {"urn": options.urn}
    return "identity/withdraw", body


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    action = options.action
    if action == "journal":
        rows = [one | {"what": " ".join(one["what"])} for one in found["deeds"]]
        yield from tables.table(rows, ("number", "at_ms", "by", "act", "what"))
    elif action == "resolve":
        if not found["current"]:
            yield f"{found['asked']} was merged or split; today it is"
        yield from found["urns"]
        yield from tables.table(found["aliases"], ("system", "name"))
    elif action == "withdraw":
        yield f"{found['name']} of {found['system']} means no object any more"
    else:
        yield from found["urns"] if action == "split" else [found["urn"]]


def _part(text: str) -> dict[str, Any]:
    kind, _, place = text.partition("@")
    return {"kind": kind, "place": _place(place) if place else None}


def _place(text: str) -> tuple[float, float]:
    try:
        lon, lat = map(float, text.split(","))
    except ValueError:
        raise CityTwinError(f"{text!r} is no place: LON,LAT such as 76.95,43.24") from None
    return lon, lat
