"""Commands for when something is wrong: doctor, support-bundle."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from citytwin_edge.cli import options as common
from citytwin_edge.cli import output

SIZE_MB_MAX: Final = 20.0


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "look at everything that can be wrong, and say what to do"
    command = commands.add_parser("doctor", help=words, description=words)
    command.add_argument("--json", action="store_true")
    common.common(command, doctor)
    words = "put what helps others to help into one file, without secrets"
    command = commands.add_parser("support-bundle", help=words, description=words)
    command.add_argument("file", type=Path, metavar="FILE.tar.gz")
    command.add_argument("--size-mb-max", type=float, default=SIZE_MB_MAX, metavar="N",
                         help="limit of all that goes in; logs are cut first")  # fmt: skip
    command.add_argument("--json", action="store_true")
    common.common(command, support_bundle)


def doctor(options: Any) -> int:
    """Look at everything; the exit code is that of the worst line."""
    from citytwin_edge.console.doctor.findings import EXIT_CODES, worst

    findings, _ = asyncio.run(examined(options))
    if options.json:
        rows = [one.row() for one in findings]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        for one in findings:
            # The sentence names the port or the device.
            check = one.check if one.check == "time zone" else one.check.partition(" ")[0]
            print(f"{output.judged(f'{one.result:<9}')}{check}: {one.found}")
            if one.remedy:
                print(f"{'':<9}{output.paint('→', 'bold')} {one.remedy}")
    return EXIT_CODES[worst(findings)]


async def examined(options: Any) -> tuple[list[Any], dict[str, Any] | None]:
    """Return the doctor's findings, and the running agent's status, where one runs.

    A file that is wrong by now says nothing of the agent, which has read another.
    """
    from citytwin.clock import SystemClock
    from citytwin.errors import CityTwinError, ConfigError
    from citytwin_edge.console import client
    from citytwin_edge.console.doctor import running
    from citytwin_edge.console.doctor.examination import bad_configuration, examine
    from citytwin_edge.console.doctor.findings import Finding, Result

    status: dict[str, Any] | None = None
    unreachable: list[Finding] = []
    try:
        status = await client.ask(_state(options), "status")
    except client.NoAgent:
        pass
    except CityTwinError as error:
        unreachable = [Finding("agent", Result.FAILED, str(error))]
    try:
        config = common.load(options)
    except ConfigError as error:
        known = [] if status is None else [*running.summary(status)[1:], *running.devices(status)]
        return [bad_configuration(str(error)), *unreachable, *known], status
    return [*unreachable, *await examine(config, SystemClock(), status)], status


def _state(options: Any) -> Path:
    """Return the state folder; the usual one where the file cannot be read at all."""
    from citytwin.errors import ConfigError
    from citytwin_edge.config import GatewaySection

    try:
        return common.state_folder(options)
    except ConfigError:
        return Path(GatewaySection("").state)


def support_bundle(options: Any) -> int:
    """Write the support bundle and say what is in it."""
    from citytwin_edge.console import client
    from citytwin_edge.console.bundle import Material, write_bundle

    async def gathered() -> Material:
        findings, status = await examined(options)
        lines: list[dict[str, Any]] = []
        if status is not None:
            lines = (await client.ask(_state(options), "logs", lines=1_000_000))["lines"]
        return Material([one.row() for one in findings], status, lines)

    path, state = common.config_path(options), _state(options)
    material = asyncio.run(gathered())
    limit = int(options.size_mb_max * 1024 * 1024)
    rows = write_bundle(options.file, path, state, material, size_bytes_max=limit)
    output.show(rows, as_json=options.json)
    if not options.json:
        print(f"{options.file} is written; look into it before you send it")
    return 0
