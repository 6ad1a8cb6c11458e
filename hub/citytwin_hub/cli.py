"""citytwin-hub: runs the hub, and asks or tells a running one."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from citytwin.clock import SystemClock
from citytwin.errors import CityTwinError
from citytwin.logs import configure
from citytwin_hub import config as configuration

STEP_OF_EXPORT_MS: Final = 3_600_000
"""An export asks for an hour at a time: its memory does not grow with its length."""
MS: Final = 1_000_000
WAIT_S: Final = 0.5
SETTLED_S_MAX: Final = 60.0
"""After a command has expired, its outcome and read-back may still be on their way."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    configure(options.log)
    try:
        options.config = configuration.load(options.config)
        code: int = options.do(options)
    except CityTwinError as error:
        print(f"citytwin-hub: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="citytwin-hub", description="The hub of a city.")
    parser.add_argument("--config", type=Path, help="the hub's TOML file; without one, defaults")
    parser.add_argument("--hub", default="", help="address of the hub, http://host:port")
    parser.add_argument("--token", default="", help="API token (or CITYTWIN_TOKEN)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--log", choices=("text", "json"), default="text", help="form of the log")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, do: Callable[[Any], int], words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words)
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
    export.add_argument("--points", nargs="+", required=True, help="ids")
    export.add_argument("--start", required=True, help="2026-11-21T00:00:00+05:00")
    export.add_argument("--end", required=True, help="likewise; not included")
    export.add_argument("--format", choices=("csv", "parquet"), default="csv")
    export.add_argument("-o", "--output", type=Path, required=True)
    command = add("command", _command, "set a writable point")
    command.add_argument("point")
    command.add_argument("value", type=float)
    command.add_argument("--expires", type=float, default=30.0, help="seconds (30)")
    command.add_argument("--wait", action="store_true", help="until it is settled or refused")
    add("commands", _commands, "list the newest commands")
    add("alarms", _alarms, "list open alarms")
    user = add("user", _user, "add, list or remove users")
    user.add_argument("action", choices=("add", "list", "remove"))
    user.add_argument("name", nargs="?", default="")
    user.add_argument("--role", choices=("viewer", "operator", "admin"), default="viewer")
    return parser


# ---- on the hub's own files
def _run(options: Any) -> int:
    from citytwin_hub.hub import Hub

    async def serve() -> None:
        hub = Hub(options.config, SystemClock())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, hub.stop)
        await hub.run()

    asyncio.run(serve())
    return 0


def _enrol_token(options: Any) -> int:
    from citytwin_hub.authority import Authority
    from citytwin_hub.registry import Registry

    state, now_ns = options.config.state, SystemClock().now_ns()
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


def _user(options: Any) -> int:
    from citytwin_hub.access import Access, Role

    access = Access(options.config.state / "access.db")
    if options.action == "list":
        users = [{"name": u.name, "role": u.role.name.lower()} for u in access.users()]
        _show(options, users, ("name", "role"))
        return 0
    if not options.name:
        raise CityTwinError(f"user {options.action} needs a NAME")
    if options.action == "add":
        print(access.add(options.name, Role[options.role.upper()]))
    elif not access.remove(options.name):
        raise CityTwinError(f"there is no user {options.name!r}")
    return 0


def _revoke(options: Any) -> int:
    from citytwin_hub.registry import Registry

    registry = Registry(options.config.state / "registry.db")
    registry.revoke(options.revoke)
    print(f"{options.revoke} is revoked; if it is connected, it is cut off within seconds")
    return 0


# ---- of the running hub
def _client(options: Any) -> Any:
    from citytwin_hub.client import HubClient

    return HubClient.of(options.config, options.hub, options.token)


def _gateways(options: Any) -> int:
    if options.revoke:
        return _revoke(options)
    found = _client(options).get("gateways")["gateways"]
    _show(options, found, ("name", "state", "connected", "points", "samples", "outbox_entries",
                           "last_seen_ms", "software", "address"))  # fmt: skip
    return 0


def _points(options: Any) -> int:
    found = list(_client(options).points(options.gateway, options.text))
    _show(options, found, ("row", "id", "unit", "kind", "source", "writable", "feeds"))
    return 0


def _read(options: Any) -> int:
    client = _client(options)
    rows = client.rows(options.point)
    names = {row: name for name, row in rows.items()}
    listed = ",".join(str(row) for row in rows.values())
    if not options.last and not options.step:
        values = client.get("latest", rows=listed)["values"]
        for value in values:
            value["point"] = names[value["row"]]
        _show(options, values, ("point", "value", "text", "reason", "time_ms"))
        return 0
    end_ms = SystemClock().now_ns() // MS + 1
    start_ms = end_ms - _duration_ms(options.last or "1h")
    step_ms = _duration_ms(options.step) if options.step else None
    answer = client.get("history", rows=listed, start_ms=start_ms, end_ms=end_ms, step_ms=step_ms)
    _show(options, _lines(answer["samples"] or answer["steps"] or [], names), None)
    return 0


def _export(options: Any) -> int:
    client = _client(options)
    rows = client.rows(options.points)
    names = {row: name for name, row in rows.items()}
    start_ms, end_ms = _moment_ms(options.start), _moment_ms(options.end)
    listed = ",".join(str(row) for row in rows.values())

    def lines() -> Iterable[list[dict[str, Any]]]:
        for begin in range(start_ms, end_ms, STEP_OF_EXPORT_MS):
            until = min(begin + STEP_OF_EXPORT_MS, end_ms)
            answer = client.get("history", rows=listed, start_ms=begin, end_ms=until)
            yield _lines(answer["samples"], names)

    writer = _write_csv if options.format == "csv" else _write_parquet
    print(f"{writer(options.output, lines())} samples in {options.output}")
    return 0


def _command(options: Any) -> int:
    client = _client(options)
    wish = {"point": options.point, "value": options.value, "expires_s": options.expires}
    shown = client.post("commands", wish)
    if options.wait:
        from citytwin_hub.commands import FINAL

        tries = round((options.expires + SETTLED_S_MAX) / WAIT_S)
        shown = asyncio.run(_until_final(client, shown["id"], FINAL, tries))
    _show(options, [shown], ("id", "point", "value", "state", "reason"))
    return 0 if shown["state"] not in {"refused", "failed", "expired", "contradicted"} else 1


async def _until_final(client: Any, number: str, final: frozenset[str], tries: int) -> Any:
    shown = client.get(f"commands/{number}")
    for _ in range(tries):
        if shown["state"] in final:
            break
        await asyncio.sleep(WAIT_S)
        shown = client.get(f"commands/{number}")
    return shown


def _commands(options: Any) -> int:
    found = _client(options).get("commands")["commands"]
    _show(options, found, ("id", "point", "value", "state", "issued_by", "issued_ms", "reason"))
    return 0


def _alarms(options: Any) -> int:
    found = _client(options).get("alarms")["alarms"]
    for alarm in found:
        alarm["what"] = alarm["text"]["en"]
    _show(options, found, ("id", "state", "since_ms", "what", "acknowledged_by"))
    return 0


# ---- shapes
def _lines(columns: list[dict[str, Any]], names: dict[int, str]) -> list[dict[str, Any]]:
    """Return one dict a sample from answers in columns."""
    lines = []
    for entry in columns:
        keys = [key for key in entry if key != "row"]
        for values in zip(*(entry[key] for key in keys), strict=True):
            lines.append({"point": names[entry["row"]], **dict(zip(keys, values, strict=True))})
    return lines


def _write_csv(path: Path, parts: Iterable[list[dict[str, Any]]]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("point", "time", "value", "quality"))
        for part in parts:
            for line in part:
                value = "" if line["value"] is None else repr(line["value"])
                writer.writerow((line["point"], _iso(line["time_ms"]), value, line["quality"]))
            count += len(part)
    return count


def _write_parquet(path: Path, parts: Iterable[list[dict[str, Any]]]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("point", pa.string()),
            ("time_ms", pa.timestamp("ms", tz="UTC")),
            ("value", pa.float64()),
            ("quality", pa.uint8()),
        ]
    )
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(pa.Table.from_pylist(part, schema))
            count += len(part)
    return count


def _show(options: Any, items: list[dict[str, Any]], columns: Sequence[str] | None) -> None:
    """Print items as JSON, or as a table with aligned columns."""
    if options.json:
        print(json.dumps(items, ensure_ascii=False, indent=1))
        return
    names = columns or (list(items[0]) if items else [])
    rows = [[_cell(name, item.get(name)) for name in names] for item in items]
    heads = [name.removesuffix("_ms") for name in names]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in [heads, *rows]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    if not items:
        print("(none)")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_ms") and isinstance(value, int):
        return _iso(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return " … ".join("" if end is None else f"{end:g}" for end in value)
    return str(value)


def _iso(ms: int) -> str:
    import datetime

    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment_ms(text: str) -> int:
    import datetime

    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise CityTwinError(f"{text!r} is not a time such as 2026-11-21T00:00:00+05:00") from None
    if moment.tzinfo is None:
        raise CityTwinError(f"{text!r} has no time zone; add +05:00 or Z")
    return int(moment.timestamp() * 1000)


def _duration_ms(text: str) -> int:
    units = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    try:
        number = float(text[:-1]) * units[text[-1]]
    except (ValueError, KeyError, IndexError):
        raise CityTwinError(f"{text!r} is not a duration such as 90s, 15m, 2h or 3d") from None
    if number < 1:
        raise CityTwinError(f"{text!r} is too short")
    return int(number)
