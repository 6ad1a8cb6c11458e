"""The command for vendors: new, which begins a project of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from citytwin_edge.cli import options as common
from citytwin_edge.cli import output

_NEXT: Final = {
    "profile": "citytwin-edge profiles check {package}/profiles/{name}.toml",
    "adapter": "citytwin-edge check",
    "kernel": "citytwin-edge check",
}


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "begin a project of your own whose tests pass: a profile, an adapter or a kernel"
    command = commands.add_parser("new", help=words, description=words)
    command.add_argument("kind", choices=tuple(_NEXT), metavar="profile|adapter|kernel")
    command.add_argument(
        "name", metavar="NAME",
        help="what edge.toml shall call it: acme-gauge; of a profile vendor/model: acme/m1",
    )  # fmt: skip
    command.add_argument(
        "--to", type=Path, metavar="FOLDER", help="a new folder; ./citytwin-NAME if left out"
    )
    command.add_argument("--json", action="store_true")
    common.common(command, new, config=False)


def new(options: Any) -> int:
    """Write a project."""
    from citytwin_edge import scaffold

    made = scaffold.project(options.kind, options.name)
    folder = options.to or Path(made.distribution)
    files = scaffold.write(made, folder)
    package = made.words["package"]
    then = [
        f"cd {folder}",
        "pip install -e '.[test]'",
        "pytest",
        _NEXT[made.kind].format(package=package, name=made.name),
    ]
    if options.json:
        about = {"kind": made.kind, "name": made.name, "distribution": made.distribution,
                 "package": package, "folder": str(folder),
                 "files": files, "next": then}  # fmt: skip
        print(json.dumps(about, ensure_ascii=False, indent=1))
        return 0
    print(f"{output.paint(str(folder), 'bold')}: {made.kind} {made.name}")
    for file in files:
        print(f"  {file}")
    print("\nNext:\n")
    for line in then:
        print(f"  {line}")
    print("\nREADME.md says what is yours to change; docs/guides/vendor.md says the rest.")
    return 0
