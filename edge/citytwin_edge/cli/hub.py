"""Commands that have to do with the hub: enrol."""

from __future__ import annotations

import asyncio
from typing import Any

from citytwin_edge.cli import options as common
from citytwin_edge.cli import output


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "join a hub with a token of its"
    command = commands.add_parser("enrol", help=words, description=words)
    command.add_argument("hub", metavar="HUB", help="host or host:port of the hub's enrolment")
    command.add_argument("token", metavar="TOKEN", help="what `citytwin-hub enrol-token` printed")
    command.add_argument("--json", action="store_true")
    common.common(command, enrol)


def enrol(options: Any) -> int:
    """Join a hub."""
    from citytwin_edge import enrol as joining

    config = common.load(options)
    identity = asyncio.run(joining.enrol(config.state, config.name, options.hub, options.token))
    if options.json:
        row = {"gateway": config.name, "hub": identity.hub, "used": config.hub or identity.hub}
        output.show([row], as_json=True)
        return 0
    print(f"{config.name} is enrolled; its hub is {identity.hub}. Start it: sudo systemctl enable "
          "--now citytwin-edge (without a service: citytwin-edge run)")  # fmt: skip
    if config.hub not in ("", identity.hub):
        print(f"Note: {config.path} says hub = {config.hub!r}, which will be used instead.")
    return 0
