"""Commands that find devices and add them: scan, add."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from citytwin.errors import CityTwinError, ConfigError
from citytwin_edge.cli import asking, output, values
from citytwin_edge.cli import options as common

if TYPE_CHECKING:
    from citytwin.adapter import Found
    from citytwin_edge.catalogue.profile import Profile
    from citytwin_edge.catalogue.shelf import Shelf
    from citytwin_edge.commissioning.plausible import Judged
    from citytwin_edge.gateway import Device

NOTHING: Final = 2
"""Exit code of ``scan`` when no device was met."""
IMPLAUSIBLE: Final = 3
"""Exit code of ``add`` when a device was not added: it is silent, or what it says cannot be."""
UNITS: Final = (1, 32)
"""Where a scan of a serial line looks when nothing else is said."""
CHOICES_MAX: Final = 20
SILENT: Final = "bad: silent"


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "look for ports and devices; reads only"
    command = commands.add_parser("scan", help=words, description=words)
    command.add_argument(
        "what", help='"ports" for serial ports, else an adapter: modbus, mbus, ble, sparkplug …'
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", dest="fields",
        help="a field of [[device]]: where to look; several values of one are tried in turn",
    )  # fmt: skip
    command.add_argument("--host", action="append", default=[], help="like --set host=…")
    command.add_argument("--serial", action="append", default=[], help="like --set serial=…")
    command.add_argument("--baud", action="append", default=[], type=int, help="with --serial")
    command.add_argument("--units", metavar="FIRST-LAST", help="Modbus unit ids, such as 1-32")
    command.add_argument("--json", action="store_true")
    common.common(command, scan)

    words = "add a device: profile, connection, a reading of every point, edge.toml"
    command = commands.add_parser("add", help=words, description=words)
    command.add_argument("profile", nargs="?", help="its name, or words to look for")
    command.add_argument("--name", help="of the device on this gateway")
    command.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", dest="fields",
        help="a field of [[device]]",
    )  # fmt: skip
    command.add_argument("--gateway", default="gateway", help="its name, if there is no file yet")
    command.add_argument("--yes", action="store_true", help="ask nothing; fail where in doubt")
    command.add_argument("--anyway", action="store_true", help="add it even if it says nonsense")
    command.add_argument("--json", action="store_true")
    common.common(command, add)


def scan(options: Any) -> int:
    """Show ports, or the devices that are met."""
    from citytwin_edge.commissioning import scanning

    if options.what == "ports":
        from citytwin_edge.adapters.connection_ports import serial_ports

        ports = serial_ports()
        output.show(ports, as_json=options.json)
        return 0 if ports else NOTHING
    from citytwin_edge.catalogue.shelf import shelf_for

    rows: list[dict[str, Any]] = []
    shelf = shelf_for(common.config_path(options))

    async def look(name: str, places: Iterable[dict[str, Any]]) -> bool:
        """Look at some places; returns whether one of them could be looked at."""
        was_reached = False
        for fields in places:
            where = ", ".join(f"{name} = {_said(value)}" for name, value in fields.items())
            print(f"looking: {options.what} {where}", file=sys.stderr, flush=True)
            try:
                async for row in scanning.scan(options.what, fields, shelf, common.site(), _met):
                    rows.append({**row, "pass": name} if name else row)
                was_reached = True
            except CityTwinError as error:
                if str(error) not in problems:
                    print(f"citytwin-edge: {error}", file=sys.stderr)
                problems.append(str(error))
        return was_reached

    problems: list[str] = []
    places = _places(options)
    for name, some in _passes(options, places, shelf):
        if name == "wide":
            print("nothing at the usual speeds; looking at the others", file=sys.stderr, flush=True)
        if not asyncio.run(look(name, some)) or any(map(scanning.makes_sense, rows)):
            break
    output.show(rows if options.json else [_of_table(row) for row in rows], as_json=options.json)
    if problems and not rows:
        return 1
    if not rows:
        print(f"citytwin-edge: nothing was met; {_advice(options.what)}", file=sys.stderr)
    return 0 if rows else NOTHING


def _passes(
    options: Any, places: dict[str, list[Any]], shelf: Shelf
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield places to look at one after the other; the next are for who was not met at these."""
    from citytwin_edge.commissioning import scanning, speeds

    if options.what != "modbus" or "serial" not in places or "baud" in places:
        yield "", list(scanning.alternatives(places))
        return
    parities = places.pop("parity", [])
    for name, lines in (
        ("quick", speeds.quick(parities or speeds.PARITIES)),
        ("wide", speeds.wide(shelf, options.what, parities)),
    ):
        yield (
            name,
            [
                {"serial": serial, "baud": baud, "parity": parity, **rest}
                for serial in places["serial"]
                for baud, parity in lines
                for rest in scanning.alternatives({**places, "serial": [serial]})
            ],
        )


def _of_table(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the column where says already."""
    return {name: value for name, value in row.items() if name not in ("baud", "parity")}


def _said(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _met(found: Found) -> None:
    """Tell of a device at once: a slow line is looked at for minutes."""
    where = found.address.replace("\n", ", ")
    print(f"  met: {where or 'a device'}  {found.description}", file=sys.stderr, flush=True)


def _advice(what: str) -> str:
    """Return what to do when a scan has met nothing."""
    if what == "modbus":
        return (
            "check power, wiring (A and B exchanged?) and address; other unit ids: --units 1-247, "
            "other speeds: --baud 4800, other parity: --set parity=odd"
        )
    return f"check power, wiring and address; citytwin-edge adapters show {what} has what to set"


def _places(options: Any) -> dict[str, list[Any]]:
    """Return where to look: each field with its values."""
    from citytwin_edge import plugins
    from citytwin_edge.commissioning import speeds

    types = values.types_of(plugins.adapter(options.what).device_settings)
    places = values.fields_of(options.fields, types)
    if options.host:
        places["host"] = [*places.get("host", []), *options.host]
    if options.serial:
        places["serial"] = [*places.get("serial", []), *options.serial]
        if options.what == "modbus":
            places.setdefault("scan_units", [UNITS])
            places.setdefault("reply_timeout_s", [0.2])
    if options.baud:
        places["baud"] = options.baud
        if options.what == "modbus" and options.serial:
            places.setdefault("parity", list(speeds.PARITIES))
    if options.units:
        first, _, last = options.units.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            raise CityTwinError(f"--units {options.units}: write 1-32, or one unit id")
        places["scan_units"] = [(int(first), int(last or first))]
    return places


def add(options: Any) -> int:
    """Add a device."""
    from citytwin_edge.catalogue.shelf import shelf_for
    from citytwin_edge.commissioning import adding
    from citytwin_edge.console import client

    named = options.config is not None
    path = common.config_path(options)
    if not named and not path.exists():
        path = Path("edge.toml")
    adding.may_change(path)
    shelf = shelf_for(path)
    profile = _profile(options, shelf)
    fields = _fields(options, profile)
    wish = profile.name.rpartition("/")[2]
    name = options.name or _asked(options, "name on this gateway", adding.free_name(path, wish))
    fields = {"name": name, "profile": profile.name, **fields}
    device = _device(fields, shelf)
    # Before it is read: a name or a place that is taken is no reason to wait for a device.
    adding.added(path, adding.device_text(fields), gateway=options.gateway, is_trial=True)
    judged, fields, better = asyncio.run(_tried(options, device, profile, fields))
    doubt = [row for row in judged.rows if row["plausible"] != "ok"]
    told = {"added": False, "file": str(path), "device": fields, "points": judged.rows,
            "suggestion": better}  # fmt: skip
    warning = _warning(judged.rows, doubt)
    if doubt and not options.anyway and not _agreed(options, f"{warning}; add it anyway"):
        print(f"citytwin-edge: {name} was not added: {warning}; see above. "
              "--anyway adds it as it is", file=sys.stderr)  # fmt: skip
        if options.json:
            output.show_one(told)
        return IMPLAUSIBLE
    config = adding.added(path, adding.device_text(fields), gateway=options.gateway)
    if options.json:
        output.show_one({**told, "added": True})
    else:
        print(f"{path}: {name} is added; {len(config.devices)} devices, "
              f"{len(config.points)} points")  # fmt: skip
        if client.is_running(config.state):
            print("The agent that runs takes it when it is told: sudo citytwin-edge reload")
    return 0


def _warning(rows: list[dict[str, Any]], doubt: list[dict[str, Any]]) -> str:
    return f"{len(doubt)} of {len(rows)} points were not read or cannot be"


def _device(fields: dict[str, Any], shelf: Shelf) -> Device:
    """Return the device as a gateway's file with it alone would."""
    import tempfile

    from citytwin_edge.commissioning.adding import device_text
    from citytwin_edge.config import load_with

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edge.toml"
        path.write_text(f'[gateway]\nname = "gateway"\n{device_text(fields)}', encoding="utf-8")
        try:
            return load_with(path, shelf).devices[0]
        except ConfigError as error:
            # Of a file that nobody has: only what is wrong with the device is of use.
            raise ConfigError(re.sub(rf"^{re.escape(str(path))}:\d+: ", "", str(error))) from None


async def _tried(
    options: Any, device: Device, profile: Profile, fields: dict[str, Any]
) -> tuple[Judged, dict[str, Any], dict[str, Any] | None]:
    """Read the device, show it, and offer what would make more sense; it is returned if not taken.

    A suggestion has ``field``, ``value`` and, of how many points, how many make ``sense`` with it.
    """
    from citytwin_edge.commissioning.plausible import hint, judge
    from citytwin_edge.probing import probe_device

    site = common.site()
    first = judge(device, await probe_device(device, site), profile)
    if all(row["quality"] == SILENT for row in first.rows):
        _tell_silence(device, fields, first.rows[0]["note"])
        return first, fields, None
    if not options.json:
        output.show(first.rows, as_json=False)
    better = await hint(device, first, profile, site)
    if better is None:
        return first, fields, None
    said = (
        f"{better.field} = {better.value} makes {better.judged.sense} instead of {first.sense} of "
        f"{len(first.rows)} points plausible"
    )
    if not options.json:
        print(said)
        output.show(better.judged.rows, as_json=False)
    if options.yes or not _agreed(options, f"use {better.field} = {better.value}"):
        print(f"citytwin-edge: {said}; give it with --set {better.field}={better.value}",
              file=sys.stderr)  # fmt: skip
        sense = better.judged.sense
        return first, fields, {"field": better.field, "value": better.value, "sense": sense}
    return better.judged, {**fields, better.field: better.value}, None


def _tell_silence(device: Device, fields: dict[str, Any], why: str) -> None:
    """Say once why a device says nothing, and what to do."""
    from citytwin.adapter import Scans

    where = next((f" --{one} {fields[one]}" for one in ("serial", "host") if one in fields), "")
    advice = "check power, wiring and address"
    if isinstance(device.build(common.site()), Scans):
        advice += f"; citytwin-edge scan {device.adapter}{where} looks for what answers there"
    if "serial" in fields:
        advice += "; citytwin-edge scan ports shows the ports"
    print(f"{device.name} says nothing: {why}\n  → {advice}", file=sys.stderr, flush=True)


def _profile(options: Any, shelf: Shelf) -> Profile:
    """Return the profile that was named, or that is chosen from those with the given words."""
    wanted = options.profile or ""
    if wanted in shelf.names():
        return shelf.profile(wanted)
    while True:
        words = wanted.casefold().replace("/", " ").split()
        near = [name for name in shelf.names() if all(word in name for word in words)]
        if len(near) == 1 and wanted:
            return shelf.profile(near[0])
        if options.yes or not sys.stdin.isatty():
            shown = ", ".join(near[:CHOICES_MAX]) or "none has these words"
            raise CityTwinError(
                f'which profile is "{wanted}"? {shown}; citytwin-edge profiles list'
            )
        for name in near[:CHOICES_MAX]:
            print(f"  {name}  {shelf.profile(name).product}")
        if len(near) > CHOICES_MAX:
            print(f"  … and {len(near) - CHOICES_MAX} more: give more words")
        wanted = _asked(options, "profile, or words of it", "")


def _fields(options: Any, profile: Profile) -> dict[str, Any]:
    """Return where the device is: what was given, and what is asked for."""
    from msgspec import NODEFAULT, structs

    from citytwin_edge import plugins
    from citytwin_edge.catalogue.meanings import attributes
    from citytwin_edge.commissioning.adding import connection_fields

    kind = plugins.adapter(profile.adapter)
    types = values.types_of(kind.device_settings)
    defaults = {one.encode_name: one.default for one in structs.fields(kind.device_settings)}
    meanings = attributes(kind.device_settings)
    given = values.only(values.fields_of(options.fields, types))
    for name in connection_fields(profile, kind, given):
        if name in given or options.yes or not asking.somebody():
            continue
        usual = profile.file.device.get(name, defaults[name])
        usual = "" if usual is None or usual is NODEFAULT else str(usual)
        if name == "serial":
            usual = _port(usual)
        value = asking.field(
            name, types[name], usual, meanings.get(name, ""), optional=name == "topic_name"
        )
        if value is not None:
            given[name] = value
    return given


def _port(usual: str) -> str:
    """Show the ports of this machine; return the only one, by the name that stays."""
    from citytwin_edge.adapters.connection_ports import serial_ports

    ports = serial_ports()
    for one in ports:
        print(f"  {one['lasting'] or one['port']}  {one['device']}".rstrip())
    return (ports[0]["lasting"] or ports[0]["port"]) if len(ports) == 1 else usual


def _asked(options: Any, what: str, usual: str) -> str:
    """Ask the technician; without a terminal, or with --yes, the usual answer is taken."""
    return usual if options.yes or not asking.somebody() else asking.answer(what, usual)


def _agreed(options: Any, what: str) -> bool:
    return not options.yes and asking.agreed(what)
