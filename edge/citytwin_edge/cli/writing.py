"""The commands that act: write, learn-anew."""

from __future__ import annotations

import asyncio
import getpass
import sys
from typing import Any, Final

from citytwin.errors import CityTwinError
from citytwin.kernel import MATURITY
from citytwin_edge.cli import asking, output
from citytwin_edge.cli import options as common

NOT_DONE: Final = 2
"""Exit code when the value was not taken, or not read back."""


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "set a writable point, within its limits, and read it back"
    command = commands.add_parser("write", help=words, description=words)
    command.add_argument("point", help="device/point")
    command.add_argument("value", type=float, help="in the point's unit")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--json", action="store_true")
    common.common(command, write)
    words = "let a watched point be learnt anew: its meter was exchanged, or its plant changed"
    anew = commands.add_parser("learn-anew", help=words, description=words)
    anew.add_argument("point", help="device/point, as its anomaly is called: meter-1/total.flow")
    anew.add_argument("--yes", action="store_true", help="do not ask")
    anew.add_argument("--json", action="store_true")
    common.common(anew, learn_anew)


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
    _show(options, result)
    if result["confirmed"]:
        return 0
    if result["reason"]:
        return NOT_DONE
    read = "nothing" if result["read"] is None else f"{result['read']:g}"
    print(f"citytwin-edge: {said} is not confirmed: {read} was read back; look at the device: is "
          "it in local mode, blocked, or slow?", file=sys.stderr)  # fmt: skip
    return NOT_DONE


def learn_anew(options: Any) -> int:
    """Let the agent forget what it has learnt of one point, as by any command, and begin again."""
    from citytwin_edge.console import client

    config = common.load(options)
    device = options.point.split("/")[0]
    if device not in {one.name for one in config.devices} or options.point.count("/") != 1:
        raise CityTwinError(f"there is no device of {options.point!r}; write device/point")
    if not options.yes and not asking.agreed(f"forget what was learnt of {options.point}"):
        raise CityTwinError(f"{options.point} goes on as it is: say yes, or give --yes")
    about = {"point": options.point + MATURITY, "value": 0, "by": getpass.getuser()}
    try:
        result = asyncio.run(client.ask(config.state, "write", **about))
    except client.NoAgent:
        raise CityTwinError(
            "no agent runs here, and it is the agent that learns: sudo systemctl start "
            "citytwin-edge"
        ) from None
    _show(options, result)
    return 0 if result["confirmed"] else NOT_DONE


def _show(options: Any, result: dict[str, Any]) -> None:
    names = ("point", "before", "value", "state", "read", "confirmed", "reason")
    row = {name: result[name] for name in names}
    if not options.json:
        row["confirmed"] = "yes" if result["confirmed"] else "no"
    output.show([row], as_json=options.json)
