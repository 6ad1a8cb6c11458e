"""Policy command: checks a policy file, and shows which role may do what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from citytwin_hub import tables
from citytwin_hub.policy import document
from citytwin_hub.policy.grants import Grant

WORDS: Final = "check a policy.toml before the hub reads it, or show what each role may"
IS_LOCAL: Final = True
"""It reads files, and asks no hub."""
COLUMNS: Final = ("role", "acts", "on", "not", "where")


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("action", choices=("check", "show"))
    command.add_argument("file", nargs="?", type=Path, help="else the one of the configuration")


def answer(options: Any, _client: object) -> Any:
    """Return what each role may.

    Raises:
        ConfigError: the file is wrong; the text names line and field.
    """
    given = options.file or (Path(options.config.hub.policy) if options.config.hub.policy else None)
    policy = document.load(given)
    return [
        {"role": name, **_row(grant)}
        for name in sorted(policy.roles)
        for grant in policy.rights((name,)).grants
    ]


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    if options.action == "check":
        yield f"{len({one['role'] for one in found})} roles, nothing is wrong"
    else:
        yield from tables.table(found, COLUMNS)


def _row(grant: Grant) -> dict[str, str]:
    on = [] if grant.types is None else sorted(grant.types.names)
    on += [] if grant.attributes is None else [f".{one}" for one in sorted(grant.attributes.names)]
    if grant.points is not None:
        on.append(f"{len(grant.points)} patterns of points")
    without = [
        *sorted(grant.without_types.names),
        *(f".{one}" for one in sorted(grant.without.names)),
    ]
    return {
        "acts": " ".join(sorted(grant.acts)),
        "on": " ".join(on) or "everything",
        "not": " ".join(without),
        "where": grant.area.name if grant.area else "everywhere",
    }
