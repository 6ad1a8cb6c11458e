"""citytwin-edge: runs a gateway's agent, and helps the technician who sets it up."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from citytwin.errors import CityTwinError
from citytwin.logs import configure

STOP_S_MAX: Final = 5.0
"""A stopping agent that is not done by then ends at once; what it has accepted is on the disk."""
FAILED: Final = 70
"""Exit code of an agent of which a part failed (EX_SOFTWARE); systemd starts it again."""
SILENT: Final = 2
"""Exit code of ``probe`` when a point could not be read."""
INTERRUPTED: Final = 130
RAW_CHARS_MAX: Final = 47
"""Of a device's bytes in a table: 16 of them."""
EXPIRY_DAYS: Final = 30
"""So long before its certificate ends, an agent that starts says so."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    configure(options.log, "info" if options.do is _run else "error")
    try:
        code: int = options.do(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; nothing may be written at exit, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CityTwinError, OSError) as error:
        print(f"citytwin-edge: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="citytwin-edge", description="A field gateway's agent.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, do: Callable[[Any], int], words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument(
            "--config", type=Path, metavar="FILE", help="./edge.toml, else /etc/citytwin/edge.toml"
        )
        command.add_argument("--log", choices=("text", "json"), default="text")
        command.set_defaults(do=do)
        return command

    add("run", _run, "read the devices and send to the hub")
    check = add("check", _check, "check the configuration without touching the network")
    check.add_argument("--json", action="store_true")
    probe = add("probe", _probe, "read every point once and show it; needs no hub")
    probe.add_argument("--device", action="append", default=[], metavar="NAME", help="only this")
    probe.add_argument("--json", action="store_true")
    enrol = add("enrol", _enrol, "join a hub with a token of its")
    enrol.add_argument("hub", metavar="HUB", help="host or host:port of the hub's enrolment")
    enrol.add_argument("token", metavar="TOKEN", help="what `citytwin-hub enrol-token` printed")
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
    from citytwin_edge.dial import Dialler

    # What gRPC says by itself is no line of our log; the uplink tells what is lost and why.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    config = _config(options)
    identity = enrol.load(config.state, config.name)
    days = identity.days_left(SystemClock().now_ns())
    if days < EXPIRY_DAYS:
        _log_expiry(days)
    connect = Dialler(config.hub or identity.hub, identity, config.state)

    lock = _locked(config.state)

    async def serve() -> None:
        agent = Agent(config, SystemClock(), connect, Random())  # noqa: S311  # jitter, no secret
        loop = asyncio.get_running_loop()

        def stop() -> None:
            agent.stop()
            loop.call_later(STOP_S_MAX, os._exit, 1)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        _settle()
        await agent.run()

    try:
        asyncio.run(serve())
    except BaseExceptionGroup:
        print("citytwin-edge: a part of the agent failed, see the log above; it must be started "
              "again (systemd does)", file=sys.stderr)  # fmt: skip
        return FAILED
    finally:
        lock.close()
    return 0


def _settle() -> None:
    """Give back what starting took, and spare the collector what stays until the end."""
    import ctypes
    import gc

    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc's; others give back by themselves
        libc.malloc_trim(0)


def _locked(state: Path) -> Any:
    """Return the open lock file of a state folder; the system lets go of it when we end."""
    import fcntl

    lock = (state / "agent.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CityTwinError(
            f"another agent runs with {state}; stop that one first (systemctl stop citytwin-edge)"
        ) from None
    return lock


def _log_expiry(days: float) -> None:
    import structlog

    remedy = "get a token with `citytwin-hub enrol-token --replace` and enrol again"
    structlog.get_logger(__name__).warning(
        "certificate.expires", days_left=round(days, 1), remedy=remedy
    )


def _check(options: Any) -> int:
    config = _config(options)
    site = _site()
    found = []
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
    _table(found, options.json)
    if not options.json:
        requests = sum(row["requests"] or 0 for row in found)
        print(
            f"{config.path}: gateway {config.name}, {len(found)} devices, {len(config.points)} "
            f"points, {requests} requests per poll; nothing is wrong"
        )
    return 0


def _probe(options: Any) -> int:
    from citytwin_edge.probing import probe_all

    config = _config(options)
    names = [device.name for device in config.devices]
    for name in options.device:
        if name not in names:
            raise CityTwinError(f"there is no device {name!r}; there are {', '.join(names)}")
    devices = [d for d in config.devices if not options.device or d.name in options.device]
    rows = asyncio.run(probe_all(devices, _site()))
    _table(rows, options.json)
    return SILENT if any(row["quality"].startswith("bad") for row in rows) else 0


def _enrol(options: Any) -> int:
    from citytwin_edge import enrol

    config = _config(options)
    identity = asyncio.run(enrol.enrol(config.state, config.name, options.hub, options.token))
    print(f"{config.name} is enrolled; its hub is {identity.hub}. Start it: citytwin-edge run")
    if config.hub not in ("", identity.hub):
        print(f"Note: {config.path} says hub = {config.hub!r}, which will be used instead.")
    return 0


def _outbox(options: Any) -> int:
    from citytwin_edge.outbox import Outbox

    config = _config(options)
    path = config.state / "outbox.db"
    if not path.exists():
        raise CityTwinError(f"there is no outbox at {path}; has the agent run?")
    outbox = Outbox(path, size_bytes_max=config.outbox_bytes_max)
    try:
        _table(outbox.inspect("refused" if options.refused else "entries"), options.json)
        if not options.json:
            stats = outbox.stats()
            print(
                f"{stats.entries} entries, {stats.samples} samples, {stats.bytes} bytes wait; "
                f"{stats.thinned_samples} samples thinned, {stats.refused_entries} entries refused"
            )
    finally:
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
    cells = [[_cell(name, row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in [names, *cells]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _cell(name: str, value: Any) -> str:
    """Return what stands in a table; of long bytes the beginning (``--json`` has more)."""
    text = "" if value is None else str(value)
    if name == "raw" and len(text) > RAW_CHARS_MAX:
        return text[:RAW_CHARS_MAX] + "…"
    return text
