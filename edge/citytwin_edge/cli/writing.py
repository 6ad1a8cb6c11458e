"""The command that acts: write."""

from __future__ import annotations

import asyncio
import getpass
import sys
from typing import Any, Final

from citytwin.errors import CityTwinError
from citytwin_edge.cli import asking, output
from citytwin_edge.cli import options as common

NOT_DONE: Final = 2
"""Exit code of ``write`` when the device did not take the value, or it was not read back."""


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "set a writable point, within its limits, and read it back"
    command = commands.add_parser("write", help=words, description=words)
    command.add_argument("point", help="device/point")
    command.add_argument("value", type=float, help="in the point's unit")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--json", action="store_true")
    common.common(command, write)


def write(options: Any) -> int:
    """Set a point: by the commander of the agent where one runs, else here."""
    from citytwin.units import unit
    from citytwin_edge.commissioning import writing
    from citytwin_edge.console import client

    config = common.load(options)
    device, index = writing.found(config, options.point)
    point = device.points[index].point
    writing.check(device, index, options.value)
    said = f"{point.id} = {options.value:g} {unit(point.unit).symbol}".rstrip()
    if not options.yes and not asking.agreed(f"set {said}"):
        raise CityTwinError(f"{said} was not set: say yes, or give --yes")

    async def done() -> dict[str, Any]:
        try:
            about = {"point": point.id, "value": options.value, "by": getpass.getuser()}
            answer: dict[str, Any] = await client.ask(config.state, "write", **about)
        except client.NoAgent:
            return await writing.write(config, device, index, options.value)
        return answer

    result = asyncio.run(done())
    names = ("point", "before", "value", "state", "read", "confirmed", "reason")
    row = {name: result[name] for name in names}
    if not options.json:
        row["confirmed"] = "yes" if result["confirmed"] else "no"
    output.show([row], as_json=options.json)
    if result["confirmed"]:
        return 0
    if result["reason"]:
        return NOT_DONE
    read = "nothing" if result["read"] is None else f"{result['read']:g}"
    print(f"citytwin-edge: {said} is not confirmed: {read} was read back; look at the device: is "
          "it in local mode, blocked, or slow?", file=sys.stderr)  # fmt: skip
    return NOT_DONE
