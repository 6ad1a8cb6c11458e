"""citytwin-edge: runs a gateway's agent, and helps the technician who sets it up."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from citytwin.errors import CityTwinError
from citytwin.logs import configure

PROBE_S_MAX = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    configure(options.log, "info" if options.do is _run else "error")
    try:
        code: int = options.do(options)
    except CityTwinError as error:
        print(f"citytwin-edge: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="citytwin-edge", description="A field gateway's agent.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, do: Callable[[Any], int], words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument(
            "--config", type=Path, help="./edge.toml, else /etc/citytwin/edge.toml"
        )
        command.add_argument("--log", choices=("text", "json"), default="text")
        command.set_defaults(do=do)
        return command

    add("run", _run, "read the devices and send to the hub")
    check = add("check", _check, "check the configuration without touching the network")
    check.add_argument("--json", action="store_true")
    probe = add("probe", _probe, "read every point once; needs no hub")
    probe.add_argument("--device", default="", help="only this device")
    probe.add_argument("--json", action="store_true")
    enrol = add("enrol", _enrol, "join a hub with a token of its")
    enrol.add_argument("hub", help="host or host:port of the hub's enrolment")
    enrol.add_argument("token")
    outbox = add("outbox", _outbox, "show what waits for the hub")
    outbox.add_argument("--refused", action="store_true", help="what the hub will never take")
    outbox.add_argument("--json", action="store_true")
    return parser


def _config(options: Any) -> Any:
    from citytwin_edge.config import load

    if options.config is None:
        here, there = Path("edge.toml"), Path("/etc/citytwin/edge.toml")
        options.config = here if here.exists() else there
    return load(options.config)


def _run(options: Any) -> int:
    from random import Random

    from citytwin.clock import SystemClock
    from citytwin_edge import enrol
    from citytwin_edge.agent import Agent
    from citytwin_protos.transport import Line, open_exchange

    config = _config(options)
    identity = enrol.load(config.state)
    address = config.hub or identity.hub

    async def connect() -> Line:
        return await open_exchange(
            address,
            key=identity.key,
            certificate=identity.certificate,
            authority=identity.authority,
        )

    async def serve() -> None:
        agent = Agent(config, SystemClock(), connect, Random())  # noqa: S311  # jitter, no secret
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, agent.stop)
        await agent.run()

    asyncio.run(serve())
    return 0


def _check(options: Any) -> int:
    config = _config(options)
    site = _site()
    for device in config.devices:
        device.build(site)
    found = [
        {
            "device": device.name,
            "adapter": device.adapter,
            "points": len(device.points),
            "period_s": device.pace.period_ns / 1e9,
            "writable": sum(one.point.writable is not None for one in device.points),
        }
        for device in config.devices
    ]
    _table(found, options.json)
    if not options.json:
        print(f"{config.path}: {len(found)} devices, {len(config.points)} points; nothing is wrong")
    return 0


def _probe(options: Any) -> int:
    config = _config(options)
    devices = [d for d in config.devices if options.device in ("", d.name)]
    if not devices:
        names = ", ".join(device.name for device in config.devices)
        raise CityTwinError(f"there is no device {options.device!r}; there are {names}")
    rows = [row for part in asyncio.run(_probe_all(devices)) for row in part]
    _table(rows, options.json)
    return 1 if any(row["quality"].startswith("bad") for row in rows) else 0


async def _probe_all(devices: Sequence[Any]) -> list[list[dict[str, Any]]]:
    site = _site()
    return [await _probe_device(device, site) for device in devices]


async def _probe_device(device: Any, site: Any) -> list[dict[str, Any]]:
    """Return one row a point: raw bytes, value in its unit, quality, milliseconds."""
    from citytwin.adapter import Probed
    from citytwin.errors import DeviceError
    from citytwin.quality import Quality
    from citytwin.units import unit
    from citytwin_edge.probing import probe

    adapter = device.build(site)
    try:
        async with asyncio.timeout(PROBE_S_MAX):
            await adapter.open()
            probed = list(await probe(adapter, len(device.points)))
    except (DeviceError, OSError, TimeoutError) as error:
        words = str(error) or f"no answer within {PROBE_S_MAX:g} s"
        probed = [
            Probed(index, b"", float("nan"), Quality.BAD_SILENT, 0, words)
            for index in range(len(device.points))
        ]
    finally:
        await adapter.close()
    rows = []
    for one in probed:
        point = device.points[one.point]
        value = one.value * point.scale + point.offset
        quality = Quality(one.quality)
        rows.append(
            {
                "device": device.name,
                "point": point.point.name,
                "raw": one.raw.hex(" "),
                "value": None if value != value else float(f"{value:.9g}"),  # noqa: PLR0124
                "unit": unit(point.point.unit).symbol,
                "quality": f"{quality.severity.name.lower()}: {quality.reason}",
                "ms": round(one.elapsed_ns / 1e6, 1),
                "note": one.note,
            }
        )
    return rows


def _enrol(options: Any) -> int:
    from citytwin_edge import enrol

    config = _config(options)
    name = config.name
    identity = asyncio.run(enrol.enrol(config.state, name, options.hub, options.token))
    print(f"{name} is enrolled; its hub is {identity.hub}. Start it with: citytwin-edge run")
    return 0


def _outbox(options: Any) -> int:
    from citytwin_edge.outbox import Outbox

    config = _config(options)
    path = config.state / "outbox.db"
    if not path.exists():
        raise CityTwinError(f"there is no outbox at {path}; has the agent run?")
    outbox = Outbox(path, size_bytes_max=config.outbox_bytes_max)
    _table(outbox.inspect("refused" if options.refused else "entries"), options.json)
    if not options.json:
        stats = outbox.stats()
        print(
            f"{stats.entries} entries, {stats.samples} samples, {stats.bytes} bytes wait; "
            f"{stats.thinned_samples} samples thinned, {stats.refused_entries} entries refused"
        )
    outbox.close()
    return 0


def _site() -> Any:
    """Return what adapters need outside a running agent; texts are shown, not numbered."""
    from citytwin.adapter import Site
    from citytwin.clock import SystemClock

    return Site(SystemClock(), lambda _text: 0)


def _table(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    if not rows:
        print("(none)")
        return
    names = list(rows[0])
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in [names, *cells]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
