"""Commands that look at devices: check, probe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from citytwin_edge.cli import options as common
from citytwin_edge.cli import output

if TYPE_CHECKING:
    from citytwin_edge.gateway import Device, GatewayConfig

SILENT: Final = 2
"""Exit code of ``probe`` when a point could not be read."""


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "check the configuration without touching the network"
    command = commands.add_parser("check", help=words, description=words)
    command.add_argument("--json", action="store_true")
    common.common(command, check)
    words = "read every point once and show it; needs no hub"
    command = commands.add_parser("probe", help=words, description=words)
    common.devices(command)
    command.add_argument("--json", action="store_true")
    common.common(command, probe)


def check(options: Any) -> int:
    """Check the configuration and show what it comes to."""
    config = common.load(options)
    site = common.site()
    found: list[dict[str, Any]] = []
    for device in config.devices:
        # How many requests a poll takes is known to adapters that ask.
        requests = getattr(device.build(site), "requests", None)
        found.append(
            {
                "device": device.name,
                "adapter": device.adapter,
                "points": len(device.points),
                "writable": sum(one.point.writable is not None for one in device.points),
                "period_s": device.pace.period_ns / 1e9,
                "requests": requests,
            }
        )
    output.show(found, as_json=options.json)
    if not options.json:
        for one in config.kernels:
            outputs = ", ".join(point.id for point in one.build().outputs)
            print(f"kernel {one.name} ({one.kernel}) gives {outputs or 'what it lets pass'}")
        requests = sum(row["requests"] or 0 for row in found)
        print(
            f"{config.path}: gateway {config.name}, {len(found)} devices, {len(config.points)} "
            f"points, {requests} requests per poll; nothing is wrong"
        )
    return 0


def probe(options: Any) -> int:
    """Read every point of the chosen devices once: by the agent where one runs, else here."""
    config = common.load(options)
    rows = asyncio.run(rows_of(config, common.chosen(config, options.device)))
    output.show(rows, as_json=options.json)
    return SILENT if any(row["quality"].startswith("bad") for row in rows) else 0


async def rows_of(config: GatewayConfig, devices: Sequence[Device]) -> list[dict[str, Any]]:
    """Return one row for every point of these devices, read now."""
    from citytwin_edge.console import client
    from citytwin_edge.probing import probe_all

    try:
        # A running agent has the ports open; it asks on them, between its polls.
        names = [device.name for device in devices]
        found = await client.ask(config.state, "probe", devices=names)
    except client.NoAgent:
        return await probe_all(devices, common.site())
    rows: list[dict[str, Any]] = found["rows"]
    return rows
