"""citytwin-hub: runs the hub, and asks or tells a running one."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from citytwin import files
from citytwin.clock import SystemClock
from citytwin.errors import CityTwinError
from citytwin.kernel import MATURITY
from citytwin.logs import configure
from citytwin_hub import (
    audit_command,
    config_command,
    export_command,
    fit_command,
    graph_command,
    identity_command,
    import_command,
    inventory_command,
    loose_ends_command,
    policy_command,
    scenario_command,
    tables,
    token_command,
    user_command,
)
from citytwin_hub import config as configuration

ASKING: Final = {
    "audit": audit_command, "config": config_command, "export-entities": export_command,
    "graph": graph_command, "identity": identity_command, "import": import_command,
    "inventory": inventory_command, "loose-ends": loose_ends_command, "policy": policy_command,
    "scenario": scenario_command, "token": token_command, "user": user_command,
}  # fmt: skip
"""Commands whose module says what is asked of the running hub, and how its answer reads."""
SAMPLE_COLUMNS: Final = ("point", "time_ms", "value", "text", "quality")
STEP_COLUMNS: Final = ("point", "time_ms", "low", "mean", "high", "count", "quality")
MS: Final = 1_000_000
FAILED: Final = 70
INTERRUPTED: Final = 130
EXPIRES_MIN_MAX: Final = 7 * 24 * 60
WAIT_S: Final = 0.5
SETTLED_S_MAX: Final = 60.0
LIFE_S: Final = 30.0
"""So long a command holds where nothing is said."""
"""After a command has expired, its outcome and read-back may still be on their way."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    configure(options.log, "info" if options.do is _run else "error")
    try:
        options.config = configuration.load(options.config)
        code: int = options.do(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; nothing may be written at exit, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CityTwinError, OSError) as error:
        print(f"citytwin-hub: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="citytwin-hub", description="The hub of a city.")
    parser.set_defaults(config=None, hub="", token="", json=False, log="text")
    # Before and after the command: what is not given twice must not be reset by the second place.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for one in (parser, common):
        add_common = functools.partial(one.add_argument, default=argparse.SUPPRESS)
        add_common("--config", type=Path, metavar="FILE",
                   help=f"{', else '.join(configuration.PLACES)}, else defaults")  # fmt: skip
        add_common("--hub", help="address of the hub, http://host:port (or CITYTWIN_HUB)")
        add_common("--token", help="API token (or CITYTWIN_TOKEN)")
        add_common("--json", action="store_true", help="print JSON instead of a table")
        add_common("--log", choices=("text", "json"), help="form of the log")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, do: Callable[[Any], int], words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words, parents=[common])
        command.set_defaults(do=do)
        return command

    add("run", _run, "run the hub")
    token = add("enrol-token", _enrol_token, "print a one-time token for a gateway")
    token.add_argument("--gateway", required=True, help="the gateway's name")
    token.add_argument("--replace", action="store_true", help="the name may be taken already")
    token.add_argument("--expires-min", type=float, default=60.0, help="minutes (60)")
    gateways = add("gateways", _gateways, "list gateways, or revoke one")
    gateways.add_argument("--revoke", metavar="NAME", help="let this gateway connect no more")
    points = add("points", _points, "list points")
    points.add_argument("--gateway", default="", help="only this gateway's")
    points.add_argument("text", nargs="?", default="", help="only those whose id or label has it")
    read = add("read", _read, "print latest values, or samples of a time")
    read.add_argument("point", nargs="+", help="a point's id")
    read.add_argument("--last", help="samples of the last 90s, 15m, 2h or 3d")
    read.add_argument("--step", help="sums by step instead: 10s, 5m, 1h")
    export = add("export", _export, "write samples to a file")
    what = export.add_mutually_exclusive_group(required=True)
    what.add_argument("--points", nargs="+", default=[], metavar="ID", help="these points")
    what.add_argument("--gateway", default="", help="all points of a gateway")
    export.add_argument("--start", required=True, help="2026-11-21T00:00:00+05:00")
    export.add_argument("--end", required=True, help="likewise; not included")
    export.add_argument("--format", choices=("csv", "parquet"), default="csv")
    export.add_argument("-o", "--output", type=Path, required=True)
    fit_command.add_to(add("fit", _fit, fit_command.WORDS))
    _add_commanding(add)
    for name, module in ASKING.items():
        module.add_to(add(name, functools.partial(_told, module), module.WORDS))
    add("commands", _commands, "list the newest commands")
    add("alarms", _alarms, "list open alarms")
    return parser


def _add_commanding(add: Callable[..., argparse.ArgumentParser]) -> None:
    command = add("command", _command, "set a writable point")
    command.add_argument("point")
    command.add_argument("value", type=float)
    command.add_argument("--expires", type=float, default=LIFE_S, help=f"seconds ({LIFE_S:g})")
    command.add_argument("--wait", action="store_true", help="until it is settled or refused")
    words = (
        "let a gateway learn a watched point anew: its meter was exchanged, or its plant changed"
    )
    anew = add("learn-anew", _learn_anew, words)
    anew.add_argument("point", help="gateway/device/point, as its anomaly is called")
    anew.add_argument("--wait", action="store_true", help="until it has begun")


# ---- on the hub's own files
def _run(options: Any) -> int:
    import structlog

    from citytwin_hub import grpclog

    with grpclog.told(SystemClock()):
        from citytwin_hub.hub import Hub

        async def serve() -> None:
            hub = Hub(options.config, SystemClock())
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, hub.stop)
            await hub.run()

        try:
            asyncio.run(serve())
        except BaseExceptionGroup as failed:
            structlog.get_logger(__name__).exception("hub.failed", exc_info=failed)
            print("citytwin-hub: a part of the hub failed, see the log above; it must be started "
                  "again (systemd does)", file=sys.stderr)  # fmt: skip
            return FAILED
    return 0


def _enrol_token(options: Any) -> int:
    from citytwin_hub.authority import Authority
    from citytwin_hub.registry import Registry

    if not 0 < options.expires_min <= EXPIRES_MIN_MAX:
        raise CityTwinError(f"--expires-min must be above 0 and at most {EXPIRES_MIN_MAX}")
    state, now_ns = options.config.state, SystemClock().now_ns()
    if not (state / "registry.db").exists():
        print(f"citytwin-hub: no hub has run with {state.absolute()} yet; this makes it",
              file=sys.stderr)  # fmt: skip
    authority = Authority(state / "authority", now_ns, options.config.link.names)
    registry = Registry(state / "registry.db")
    token = registry.issue_token(
        options.gateway,
        authority.server_fingerprint,
        now_ns,
        life_ns=int(options.expires_min * 60e9),
        replace=options.replace,
    )
    registry.close()
    if options.json:
        print(json.dumps({"gateway": options.gateway, "token": token}))
    else:
        print(token)
        port = configuration.split_address(options.config.link.enrol_bind)[1]
        print(
            f"For {options.expires_min:g} minutes, once. At the gateway type:\n"
            f"  citytwin-edge enrol THIS-HUB:{port} {token}",
            file=sys.stderr,
        )
    return 0


def _revoke(options: Any) -> int:
    from citytwin_hub.registry import Registry

    registry = Registry(_existing(options, "registry.db"))
    registry.revoke(options.revoke)
    print(f"{options.revoke} is revoked; if it is connected, it is cut off within seconds")
    return 0


def _existing(options: Any, name: str) -> Path:
    path: Path = options.config.state / name
    if not path.exists():
        raise CityTwinError(f"no hub has run with {path.parent.absolute()}; is --config right?")
    return path


# ---- of the running hub
def _client(options: Any) -> Any:
    from citytwin_hub.client import HubClient

    return contextlib.closing(HubClient.of(options.config, options.hub, options.token))


def _gateways(options: Any) -> int:
    if options.revoke:
        return _revoke(options)
    with _client(options) as client:
        found = client.get("gateways")["gateways"]
    _show(options, found, ("name", "state", "connected", "points", "samples", "outbox_entries",
                           "refused", "last_seen_ms", "software", "address"))  # fmt: skip
    for gateway in found:
        if gateway["refused"] and not options.json:
            moment = tables.local_time(gateway["refused_ms"])
            print(f"{gateway['name']}: refused last at {moment}: {gateway['refused_reason']}")
    return 0


def _points(options: Any) -> int:
    with _client(options) as client:
        found = list(client.points(options.gateway, options.text))
    _show(options, found, ("row", "id", "unit", "kind", "source", "writable", "feeds"))
    return 0


def _read(options: Any) -> int:
    with _client(options) as client:
        rows = client.rows(options.point)
        listed = ",".join(str(row) for row in rows.values())
        if not options.last and not options.step:
            known = {value["row"]: value for value in client.get("latest", rows=listed)["values"]}
            values = [
                {"point": name, **known.get(row, {"row": row, "reason": "nothing heard yet"})}
                for name, row in rows.items()
            ]
            _show(options, values, ("point", "value", "text", "reason", "time_ms"))
            return 0
        end_ms = SystemClock().now_ns() // MS + 1
        answer = client.get(
            "history",
            rows=listed,
            start_ms=end_ms - tables.duration_ms(options.last or "1h"),
            end_ms=end_ms,
            step_ms=tables.duration_ms(options.step) if options.step else None,
        )
    names = {row: name for name, row in rows.items()}
    found = [
        {"point": names[part["row"]], **dict(zip(columns, line, strict=True))}
        for part in answer["samples"] or answer["steps"] or []
        for columns in [[key for key in part if key != "row" and part[key] is not None]]
        for line in zip(*(part[key] for key in columns), strict=True)
    ]
    columns = STEP_COLUMNS if options.step else SAMPLE_COLUMNS
    _show(options, found, columns)
    return 0


def _export(options: Any) -> int:
    from citytwin_hub import exports

    start_ms, end_ms = tables.moment_ms(options.start), tables.moment_ms(options.end)
    if start_ms >= end_ms:
        raise CityTwinError(f"--end {options.end} is not after --start {options.start}")
    with _client(options) as client:
        if options.gateway:
            rows = {point["id"]: point["row"] for point in client.points(options.gateway)}
            if not rows:
                raise CityTwinError(
                    f"gateway {options.gateway!r} has no points; see: citytwin-hub gateways"
                )
        else:
            rows = client.rows(options.points)
        names = {row: name for name, row in rows.items()}
        parts = exports.samples(client, list(names), start_ms, end_ms)
        count = exports.write(options.output, options.format, parts, names)
    if options.json:
        print(json.dumps({"samples": count, "file": str(options.output)}))
    else:
        print(f"{count} samples in {options.output}")
    return 0


def _fit(options: Any) -> int:
    with _client(options) as client:
        about, table = fit_command.answer(options, client)
    if options.output is not None:
        files.replace(options.output, lambda file: file.write(table.encode()))
    if options.json:
        print(json.dumps(about, ensure_ascii=False, indent=1))
    elif options.output is None:
        print(table, end="")
    return 0


def _command(options: Any) -> int:
    wish = {"point": options.point, "value": options.value, "expires_s": options.expires}
    with _client(options) as client:
        shown = client.post("commands", wish)
        if options.wait:
            from citytwin_hub.commands import FINAL

            tries = round((options.expires + SETTLED_S_MAX) / WAIT_S)
            shown = asyncio.run(_until_final(client, shown["id"], FINAL, tries))
    _show(options, [_with_why(shown)], ("id", "point", "value", "state", "why"))
    return 0 if shown["state"] == "settled" or not options.wait else 1


def _learn_anew(options: Any) -> int:
    options.point, options.value, options.expires = f"{options.point}{MATURITY}", 0.0, LIFE_S
    return _command(options)


async def _until_final(client: Any, number: str, final: frozenset[str], tries: int) -> Any:
    shown = client.get(f"commands/{number}")
    for _ in range(tries):
        if shown["state"] in final:
            break
        await asyncio.sleep(WAIT_S)
        shown = client.get(f"commands/{number}")
    return shown


def _told(command: Any, options: Any) -> int:
    """Ask what a command's module asks, and print the answer as JSON or as its lines."""
    alone = command is import_command
    is_local = alone or getattr(command, "IS_LOCAL", False)
    with contextlib.nullcontext() if is_local else _client(options) as client:
        found = command.answer(options, client)
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        print(*command.lines(options, found), sep="\n")
    return int(command.code(found)) if alone else 0


def _commands(options: Any) -> int:
    with _client(options) as client:
        found = [_with_why(one) for one in client.get("commands")["commands"]]
    _show(options, found, ("id", "point", "value", "state", "issued_by", "issued_ms", "why"))
    return 0


def _with_why(command: dict[str, Any]) -> dict[str, Any]:
    return {**command, "why": command["reason"]["en"]}


def _alarms(options: Any) -> int:
    with _client(options) as client:
        found = client.get("alarms")["alarms"]
    for alarm in found:
        alarm["what"] = alarm["text"]["en"]
    _show(options, found, ("id", "state", "severity", "since_ms", "what", "acknowledged_by"))
    return 0


def _show(options: Any, items: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Print items as JSON, or as a table."""
    if options.json:
        print(json.dumps(items, ensure_ascii=False, indent=1))
    else:
        print(*tables.table(items, columns), sep="\n")
