"""Commands that ask a running agent how it is: status, logs, versions."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from citytwin_edge.cli import options as common
from citytwin_edge.cli import output

NOT_WELL: Final = 2
"""Exit code of ``status`` when a device fails or nothing is delivered."""
UNIT: Final = "citytwin-edge"
LINES: Final = 100


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "show how the running agent is: devices, hub, outbox, clock"
    command = commands.add_parser("status", help=words, description=words)
    command.add_argument("--json", action="store_true")
    common.common(command, status)
    words = "show the last lines of the agent's log"
    command = commands.add_parser("logs", help=words, description=words)
    command.add_argument("--follow", "-f", action="store_true", help="go on as lines come")
    command.add_argument("--device", default="", metavar="NAME", help="of this device")
    command.add_argument("--lines", "-n", type=int, default=LINES, metavar="N", help="how many")
    command.add_argument("--json", action="store_true", help="one line of JSON each")
    common.common(command, logs)
    words = "show what is installed and on what it runs"
    command = commands.add_parser("versions", help=words, description=words)
    command.add_argument("--json", action="store_true")
    common.common(command, versions, config=False)


def status(options: Any) -> int:
    """Show how the running agent is."""
    from citytwin_edge.console import client
    from citytwin_edge.console.doctor import running
    from citytwin_edge.console.doctor.findings import Result

    found: dict[str, Any] = asyncio.run(client.ask(common.state_folder(options), "status"))
    findings = running.summary(found)
    failing = [one for one in found["devices"] if one["state"] == "failing"]
    code = NOT_WELL if failing or any(one.result == Result.FAILED for one in findings) else 0
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return code
    for one in findings:
        print(f"{one.check:<15}{output.judged(f'{one.result:<9}')}{one.found}")
    print()
    output.show([device_row(one, found["time_ns"]) for one in found["devices"]], as_json=False)
    return code


def device_row(one: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
    """Return a device of a status as a row of a table."""
    from citytwin_edge.console.sentences import age

    counts = ("good", "uncertain", "bad")
    points = ", ".join(f"{one[name]} {name}" for name in counts if one[name])
    return {
        "device": one["device"],
        "state": one["state"],
        "since": age(one["since_ns"], now_ns) if one["since_ns"] else "",
        "answered %": f"{100 * one['success']:.1f}",
        "ms p50": _number(one["latency_p50_ms"]),
        "p99": _number(one["latency_p99_ms"]),
        "missed": one["missed"],
        "points": points,
        "last error": one["error"],
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def logs(options: Any) -> int:
    """Show the log of the running agent, or, when none runs, what systemd has kept of it."""
    from citytwin_edge.console import client

    state = common.state_folder(options)

    async def show() -> None:
        about = {"device": options.device, "lines": options.lines, "follow": options.follow}
        async with aclosing(client.items(state, "logs", **about)) as items:
            async for item in items:
                if item["dropped"]:
                    print(f"({item['dropped']} lines came too fast and are left out)", flush=True)
                for line in item["lines"]:
                    text = json.dumps(line, ensure_ascii=False) if options.json else _text(line)
                    print(text, flush=True)

    try:
        asyncio.run(show())
    except client.NoAgent as none:
        return _from_journal(options, none)
    return 0


def _text(line: Mapping[str, Any]) -> str:
    fields = dict(line)
    time = str(fields.pop("timestamp", ""))[:19].replace("T", " ")
    level, event = str(fields.pop("level", "")), fields.pop("event", "")
    trace = fields.pop("exception", None)
    about = " ".join(f"{name}={value}" for name, value in fields.items())
    text = f"{time} {output.judged(f'{level:<8}')} {event}  {about}".rstrip()
    return f"{text}\n{trace}" if trace else text


def _from_journal(options: Any, none: Exception) -> int:
    program = shutil.which("journalctl")
    if program is None:
        raise none
    command = [
        program,
        "--unit",
        UNIT,
        "--output",
        "cat",
        "--no-pager",
        "--lines",
        str(options.lines),
    ]
    if options.follow:
        command.append("--follow")
    if options.device:
        command += ["--grep", options.device]
    return subprocess.run(command, check=False).returncode  # noqa: S603  # ends with Ctrl-C


def versions(options: Any) -> int:
    """Show what is installed."""
    from citytwin_edge.console.doctor import machine

    found = machine.versions()
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return 0
    output.show([{"what": name, "version": one} for name, one in found.items()], as_json=False)
    return 0
