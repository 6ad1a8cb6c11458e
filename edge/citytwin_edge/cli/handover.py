"""Commands that keep what a device says: capture for a profile, commission for the hand-over."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from citytwin.errors import CityTwinError
from citytwin_edge.cli import options as common
from citytwin_edge.cli import output, values

if TYPE_CHECKING:
    from citytwin_edge.commissioning.capturing import Capture
    from citytwin_edge.gateway import Device, GatewayConfig

DIFFERENT: Final = 3
"""Exit code of ``capture`` when the display shows something else than the frames say."""
DOUBTFUL: Final = 2
"""Exit code of ``commission`` when a point was not read or cannot be."""


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "keep a device's frames and what its display shows: golden frames of its profile"
    command = commands.add_parser("capture", help=words, description=words)
    command.add_argument("device", help="its name in edge.toml")
    command.add_argument(
        "--read", action="append", default=[], metavar="POINT=VALUE",
        help="what the display shows; asked for in a terminal where it is left out",
    )  # fmt: skip
    command.add_argument("--source", help='where the frames are from; else "captured" and the date')
    command.add_argument("--into", type=Path, help="file to add to; else captures/NAME.frames.toml")
    command.add_argument("--json", action="store_true")
    common.common(command, capture)

    words = "write a hand-over report of all devices, signed by this gateway; or verify one"
    command = commands.add_parser("commission", help=words, description=words)
    command.add_argument("--by", default="", help="who hands over")
    command.add_argument("--note", default="", help="what else is to be said")
    command.add_argument("--into", type=Path, default=Path("handover.html"), help="the file")
    command.add_argument("--verify", type=Path, metavar="FILE", help="verify a report instead")
    command.add_argument("--authority", type=Path, help="the hub's authority.pem, for --verify")
    command.add_argument("--json", action="store_true")
    common.common(command, commission)


def capture(options: Any) -> int:
    """Keep what goes over the line of one device."""
    from citytwin_edge.commissioning import capturing
    from citytwin_edge.console import client

    config = common.load(options)
    (device,) = common.chosen(config, [options.device])

    async def seen() -> Capture:
        try:
            return await capturing.capture_running(config.state, device)
        except client.NoAgent:
            return await capturing.capture(device, common.site())

    captured = asyncio.run(seen())
    if not options.json:
        output.show(captured.rows, as_json=False)
    display = values.only(values.fields_of(options.read)) or _display(captured)
    source = options.source or f"captured {_now()[:10]} at a device, read off its display"
    text = capturing.case_text(captured, source, display)
    into = options.into or config.path.parent / "captures" / f"{_file_name(device)}.frames.toml"
    into.parent.mkdir(parents=True, exist_ok=True)
    with into.open("a", encoding="utf-8") as file:
        file.write(("\n" if file.tell() else "") + text)
    wrong = capturing.differences(captured, display)
    if options.json:
        output.show([{"file": str(into), "exchanges": len(captured.exchanges),
                      "wrong": wrong}], as_json=True)  # fmt: skip
    else:
        print(f"{into}: {len(captured.exchanges)} exchanges, {len(display)} readings")
    for one in wrong:
        print(f"citytwin-edge: {one}", file=sys.stderr)
    return DIFFERENT if wrong else 0


def _file_name(device: Device) -> str:
    return (device.profile or device.name).replace("/", "-")


def _display(captured: Capture) -> dict[str, Any]:
    """Ask what the display shows, a point after the other; without a terminal nobody is asked."""
    if not sys.stdin.isatty():
        return {}
    print("What does the display show? Enter alone: it does not show that.")
    shown: dict[str, Any] = {}
    for name in captured.readings:
        print(f"  {name}: ", end="", flush=True)
        answer = sys.stdin.readline().strip().replace(",", ".")
        if answer:
            shown[name] = values.value_of(answer)
    return shown


def commission(options: Any) -> int:
    """Write the hand-over report, or verify one."""
    if options.verify is not None:
        return _verify(options)
    from citytwin_edge import enrol
    from citytwin_edge.commissioning.handover import sealed

    if not options.by:
        raise CityTwinError('--by "name" says who hands over')
    config = common.load(options)
    identity = enrol.load(config.state, config.name)
    devices = asyncio.run(_judged(config))
    report = {
        "gateway": config.name,
        "time": _now(),
        "by": options.by,
        "note": options.note,
        "software": f"citytwin-edge {_version()}",
        "config": {"path": str(config.path), "sha256": _sha256(config.path)},
        "devices": devices,
    }
    options.into.write_text(sealed(report, identity.key, identity.certificate), encoding="utf-8")
    rows = [{"device": one["name"], "result": one["result"]} for one in devices]
    output.show(rows, as_json=options.json)
    if not options.json:
        print(f"{options.into}: signed by {config.name}")
    return DOUBTFUL if any(one["result"].startswith("failed") for one in devices) else 0


async def _judged(config: GatewayConfig) -> list[dict[str, Any]]:
    """Return what each device says, and whether it can be."""
    from citytwin_edge.catalogue.shelf import shelf_for
    from citytwin_edge.cli.devices import rows_of
    from citytwin_edge.commissioning.plausible import judge

    shelf = shelf_for(config.path)
    every = await rows_of(config, config.devices)
    devices = []
    for device in config.devices:
        mine = [row for row in every if row["device"] == device.name]
        judged = judge(device, mine, shelf.profile(device.profile) if device.profile else None)
        points = [
            {name: row[name] for name in ("point", "raw", "value", "unit", "quality", "plausible")}
            for row in judged.rows
        ]
        doubt = len(points) - judged.sense
        result = (
            f"failed: {doubt} of {len(points)} points" if doubt else f"ok: {len(points)} points"
        )
        devices.append({"name": device.name, "profile": device.profile, "adapter": device.adapter,
                        "result": result, "points": points})  # fmt: skip
    return devices


def _verify(options: Any) -> int:
    from citytwin_edge.commissioning.handover import verified

    authority = None if options.authority is None else options.authority.read_bytes()
    found = verified(options.verify.read_text(encoding="utf-8"), authority)
    if found.by_authority is False:
        raise CityTwinError(
            f"{options.verify}: signed, but the certificate of {found.gateway} is not of the "
            f"authority {options.authority}"
        )
    checked = "of this authority" if found.by_authority else "not compared with an authority"
    row = {"gateway": found.gateway, "time": found.report["time"], "by": found.report["by"],
           "devices": len(found.report["devices"]), "certificate": checked}  # fmt: skip
    output.show([row], as_json=options.json)
    return 0


def _now() -> str:
    import datetime

    from citytwin.clock import SystemClock

    moment = datetime.datetime.fromtimestamp(SystemClock().now_ns() // 10**9, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _version() -> str:
    from importlib.metadata import version

    return version("citytwin-edge")


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
