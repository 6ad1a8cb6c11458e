"""Commands for the page that the gateway itself serves: page unlock, page lock."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from citytwin_edge.cli import options as common

MINUTES: Final = 15.0


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "unlock the gateway's own page for a while, or lock it"
    command = commands.add_parser("page", help=words, description=words)
    command.add_argument("what", choices=("unlock", "lock"))
    command.add_argument("--minutes", type=float, default=MINUTES, metavar="N", help="how long")
    command.add_argument("--json", action="store_true")
    common.common(command, page)


def page(options: Any) -> int:
    """Ask the running agent for a PIN, or to forget it."""
    from citytwin_edge.console import client

    state = common.state_folder(options)
    if options.what == "lock":
        done = asyncio.run(client.ask(state, "page-lock"))
        print(json.dumps(done) if options.json else "the page is locked for everybody")
        return 0
    done = asyncio.run(client.ask(state, "page-unlock", minutes=options.minutes))
    if options.json:
        print(json.dumps(done))
    else:
        where = " or ".join(done["addresses"])
        print(f"PIN {done['pin']}")
        print(f"Type it at {where} within {options.minutes:g} min; then the page is locked again.")
    return 0
