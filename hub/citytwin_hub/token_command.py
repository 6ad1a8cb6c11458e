"""Token command: tokens of users for their machines, each with a name and, perhaps, an end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from citytwin.batch import SECOND_NS
from citytwin.clock import SystemClock
from citytwin.errors import CityTwinError
from citytwin_hub import tables
from citytwin_hub.user_command import note, opened

WORDS: Final = "give a user's machines tokens of their own, list or revoke them"
IS_LOCAL: Final = True
"""It reads files, and asks no hub."""
DAYS_MAX: Final = 3_660.0


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("action", choices=("add", "list", "revoke"))
    command.add_argument("user", nargs="?", default="")
    command.add_argument("label", nargs="?", default="", help="what the token is called")
    command.add_argument("--days", type=float, default=0.0, help="how long it opens (0: for ever)")


def answer(options: Any, _client: object) -> Any:
    """Do what is asked; return a token, or tokens without what opens.

    Raises:
        CityTwinError: there is no such user or token.
    """
    with opened(options) as access:
        if options.action == "list":
            return [
                {"user": one.user, "label": one.label, "expires": _moment(one.expires_ns)}
                for one in access.tokens()
                if options.user in ("", one.user)
            ]
        if not options.user or not options.label:
            raise CityTwinError(f"token {options.action} needs a USER and a LABEL")
        if not 0 <= options.days <= DAYS_MAX:
            raise CityTwinError(f"--days is 0 to {DAYS_MAX:g}")
        if not access.roles(options.user):
            raise CityTwinError(f"there is no user {options.user!r}")
        note(options, f"token {options.action}", f"{options.user}/{options.label}")
        if options.action == "add":
            life_ns = int(options.days * 86_400 * SECOND_NS)
            now_ns = SystemClock().now_ns()
            return access.issue(options.user, options.label, now_ns, life_ns=life_ns)
        if not access.revoke(options.user, options.label):
            raise CityTwinError(f"{options.user} has no token {options.label!r}")
        return None


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    if options.action == "list":
        yield from tables.table(found, ("user", "label", "expires"))
    elif options.action == "add":
        yield found
    else:
        yield f"{options.user}/{options.label}: opens nothing any more"


def _moment(time_ns: int) -> str:
    if not time_ns:
        return "never"
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
