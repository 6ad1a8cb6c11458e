"""Commands about profiles: profiles list, show, check, schema, thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from citytwin.errors import CityTwinError
from citytwin_edge.cli import options as common
from citytwin_edge.cli import output

if TYPE_CHECKING:
    from citytwin_edge.catalogue.profile import Profile
    from citytwin_edge.catalogue.shelf import Shelf
    from citytwin_edge.device_tables import Owner

WRONG: Final = 2
"""Exit code of ``profiles check`` when a profile breaks a rule."""


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "device types that need no points to be written"
    whole = commands.add_parser("profiles", help=words, description=words)
    what = whole.add_subparsers(required=True, metavar="WHAT")

    words = "show which there are"
    command = what.add_parser("list", help=words, description=words)
    command.add_argument("word", nargs="*", help="only those whose line has all these words")
    command.add_argument("--json", action="store_true")
    common.common(command, show_list)

    words = "show one: its points, manual, caveats, and what to write into edge.toml"
    command = what.add_parser("show", help=words, description=words)
    command.add_argument("profile", help="its name, such as eastron/sdm120")
    command.add_argument("--json", action="store_true")
    common.common(command, show_one)

    words = "hold profiles and their golden frames to the specification (docs/specs/profile.md)"
    command = what.add_parser("check", help=words, description=words)
    command.add_argument("file", nargs="*", type=Path, help="files; all known profiles if left out")
    command.add_argument("--json", action="store_true")
    common.common(command, check)

    words = "print the JSON Schema of profiles, for editors"
    common.common(what.add_parser("schema", help=words, description=words), schema)

    words = "print a profile as a W3C Thing Description (Web of Things 1.1)"
    command = what.add_parser("thing", help=words, description=words)
    command.add_argument("profile", help="its name, such as eastron/sdm120")
    common.common(command, thing)


def _shelf(options: Any) -> Shelf:
    from citytwin_edge.catalogue.shelf import shelf_for

    return shelf_for(common.config_path(options))


def _owner(shelf: Shelf) -> Owner:
    from citytwin_edge.device_tables import Owner

    return Owner("gateway", None, shelf)


def show_list(options: Any) -> int:
    """Show which profiles there are."""
    shelf = _shelf(options)
    rows = []
    for name in shelf.names():
        profile = shelf.profile(name)
        file = profile.file
        row = {
            "profile": name,
            "device": f"{file.vendor} {file.model}",
            "what": file.title.en,
            "nature": file.nature,
            "adapter": file.adapter,
            "points": len(file.point),
            "registers": file.evidence.registers,
            "frames": _frames(profile),
        }
        line = " ".join([*map(str, row.values()), file.title.ru, file.title.kk]).casefold()
        if all(word.casefold() in line for word in options.word):
            rows.append(row)
    output.show(rows, as_json=options.json)
    return 0 if rows else 1


def show_one(options: Any) -> int:
    """Show one profile."""
    from citytwin_edge.catalogue.golden import device_like

    shelf = _shelf(options)
    profile = shelf.profile(options.profile)
    device = device_like(profile, _owner(shelf))
    rows = [
        {
            "point": one.name,
            "what": one.label.en,
            "unit": made.point.unit,
            "kind": made.point.kind.value,
            "valid": _span(made.point.valid),
            "writable": _span(made.point.writable),
            "pace": "slow" if made.slow else "fast",
            "attribute": one.fields.get("attribute", ""),
            "page": one.about.page,
        }
        for one, made in zip(profile.points, device.points, strict=True)
    ]
    file = profile.file
    if options.json:
        about = {"profile": profile.name, "vendor": file.vendor, "model": file.model,
                 "type": file.type, "frames": _frames(profile), "points": rows}  # fmt: skip
        print(json.dumps(about, ensure_ascii=False, indent=1))
        return 0
    print(f"{output.paint(profile.product, 'bold')}: {file.title.en} ({profile.path})")
    print(f"registers by: {file.evidence.registers}; byte order by: {file.evidence.order}; "
          f"golden frames: {_frames(profile)}")  # fmt: skip
    for manual in file.manual:
        pages = f", pages {manual.pages}" if manual.pages else ""
        print(f"manual: {manual.title}{pages}: {manual.url}")
    for caveat in file.caveat:
        print(f"{output.paint('note', 'yellow')}: {caveat.text} ({caveat.link})")
    print()
    output.show(rows, as_json=False)
    print(f"\nIn edge.toml:\n\n{_example(profile, device.settings)}")
    return 0


def _frames(profile: Profile) -> str:
    """Return whose bytes prove a profile; "wrong": profiles check says what is."""
    from citytwin_edge.catalogue.golden import proof

    try:
        return proof(profile)
    except CityTwinError:
        return "wrong"


def _span(span: Any) -> str:
    return "" if span is None else f"{span.low:g} … {span.high:g}"


def _example(profile: Profile, settings: Any) -> str:
    """Return what a technician writes; the connection is the adapter's example."""
    from citytwin_edge import plugins

    example = profile.file.example or {}
    for one in getattr(plugins.adapter(profile.adapter), "examples", ()):
        if not example and all(getattr(settings, name) == value for name, value in one.items()):
            example = one
    lines = ["[[device]]", 'name = "…"', f'profile = "{profile.name}"']
    lines += [
        f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in example.items()
    ]
    return "\n".join(lines)


def check(options: Any) -> int:
    """Hold profiles to the specification."""
    from citytwin_edge.catalogue import invariants
    from citytwin_edge.catalogue.profile import load
    from citytwin_edge.catalogue.shelf import name_of
    from citytwin_edge.catalogue.vendors import disorder

    shelf = _shelf(options)
    # A shell's *.toml names the golden frames, too; they are checked with their profile.
    files = [_profile_of(path) for path in options.file]
    places = [(name_of(path), path) for path in dict.fromkeys(files)]
    places = places or [(name, shelf.path(name)) for name in shelf.names()]
    vendors: dict[str, str] = {}
    found: list[tuple[str, list[str]]] = []
    for name, path in places:
        try:
            profile = load(path, name)
            vendors[name] = profile.file.vendor
            found.append((name, invariants.check(profile, _owner(shelf))))
        except CityTwinError as error:
            found.append((name, [str(error)]))
    muddled = disorder(vendors)
    rows: list[dict[str, Any]] = []
    for name, wrong in found:
        if name in muddled:
            wrong.append(muddled[name])
        rows.append({"profile": name, "result": "failed" if wrong else "ok", "wrong": wrong})
    if options.json:
        output.show(rows, as_json=True)
    else:
        for row in rows:
            print(f"{output.judged(str(row['result']))} {row['profile']}")
            for one in row["wrong"]:
                print(f"  {one}")
    return WRONG if any(row["wrong"] for row in rows) else 0


def _profile_of(path: Path) -> Path:
    """Return the profile to which golden frames belong; another file as it is."""
    from citytwin_edge.catalogue.profile import FRAMES

    stem = path.name.removesuffix(FRAMES)
    return path if stem == path.name else path.with_name(f"{stem}.toml")


def schema(_options: Any) -> int:
    """Print the JSON Schema of profiles."""
    from citytwin_edge.catalogue.schema import profile_schema

    print(json.dumps(profile_schema(), ensure_ascii=False, indent=1, allow_nan=False))
    return 0


def thing(options: Any) -> int:
    """Print a profile as a Thing Description."""
    from citytwin_edge.catalogue.thing import thing_description

    shelf = _shelf(options)
    profile = shelf.profile(options.profile)
    print(json.dumps(thing_description(profile, _owner(shelf)), ensure_ascii=False, indent=1))
    return 0
