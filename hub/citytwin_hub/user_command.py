"""User command: who there is and in which roles; of the hub's own files, also while it runs."""

from __future__ import annotations

import contextlib
import getpass
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from citytwin.clock import SystemClock
from citytwin.errors import CityTwinError
from citytwin_hub import tables
from citytwin_hub.access import Access
from citytwin_hub.accounts import Accounts
from citytwin_hub.audit import Audit, Deed
from citytwin_hub.policy import document

WORDS: Final = "add, list or remove users, and give them roles and passwords"
IS_LOCAL: Final = True
"""It reads files, and asks no hub."""
COMMAND_LINE: Final = "command line"
"""Who did it, in the audit log."""


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("action", choices=("add", "roles", "password", "list", "remove"))
    command.add_argument("name", nargs="?", default="")
    command.add_argument(
        "--role", action="append", default=[], help="a role of the policy; may be given again"
    )


def answer(options: Any, _client: object) -> Any:
    """Do what is asked; return a token, or users.

    Raises:
        CityTwinError: there is no such user or role.
    """
    policy = document.load(Path(options.config.hub.policy) if options.config.hub.policy else None)
    with opened(options, new=options.action == "add") as access:
        if options.action == "list":
            return [{"name": one.name, "role": ", ".join(one.roles)} for one in access.users()]
        if not options.name:
            raise CityTwinError(f"user {options.action} needs a NAME")
        roles = options.role or ["viewer"]
        for one in roles:
            if one not in policy.roles:
                known = ", ".join(sorted(policy.roles))
                raise CityTwinError(f"there is no role {one!r}; the policy has {known}")
        if options.action == "add":
            note(options, "user add", f"{options.name} as {', '.join(roles)}")
            return access.add(options.name, roles)
        if not access.roles(options.name):
            raise CityTwinError(f"there is no user {options.name!r}")
        if options.action == "password":
            password = _password()
            note(options, "user password", options.name)
            with contextlib.closing(Accounts(options.config.state / "access.db")) as accounts:
                accounts.set_password(options.name, password)
        elif options.action == "roles":
            if not options.role:
                raise CityTwinError("user roles needs --role, once for each role")
            note(options, "user roles", f"{options.name} as {', '.join(roles)}")
            access.put(options.name, roles)
        else:
            note(options, "user remove", options.name)
            access.remove(options.name)
        return None


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    if options.action == "list":
        yield from tables.table(found, ("name", "role"))
    elif options.action == "add":
        yield found
    else:
        yield f"{options.name}: done"


def _password() -> str:
    """Return a password that is typed twice, or the line of a pipe; empty: none any more."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    typed = getpass.getpass("Password (empty: none any more): ")
    if getpass.getpass("Once more: ") != typed:
        raise CityTwinError("the two passwords are not the same; nothing was changed")
    return typed


@contextlib.contextmanager
def opened(options: Any, *, new: bool = False) -> Iterator[Access]:
    """Give the users of the hub's state folder; ``new``: also where no hub has run yet."""
    path: Path = options.config.state / "access.db"
    if not new and not path.exists():
        raise CityTwinError(f"no hub has run with {path.parent.absolute()}; is --config right?")
    with contextlib.closing(Access(path)) as access:
        yield access


def note(options: Any, what: str, on: str) -> None:
    """Write down what the command line is about to do."""
    with contextlib.closing(Audit(options.config.state / "audit")) as audit:
        audit.append(Deed(COMMAND_LINE, what, on), SystemClock().now_ns())
