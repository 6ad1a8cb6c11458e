"""The command line of the installer."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from installer.bundle import Bundle
from installer.errors import FAILED, InstallError
from installer.layout import Layout
from installer.steps import Steps

SETTLE_S: Final = 10.0
INTERRUPTED: Final = 130
HERE: Final = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None, here: Path = HERE) -> int:
    """Do one thing with the part whose installer this is; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        _do(options, here)
    except InstallError as error:
        print(f"install: {error}", file=sys.stderr)
        return error.code
    except OSError as error:
        print(f"install: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./install.sh",
        description="Installs what lies beside it, or lets it take the place of an older version.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--rollback", action="store_true", help="go back to the version before")
    what.add_argument("--uninstall", action="store_true", help="remove the part")
    parser.add_argument(
        "--purge", action="store_true", help="with --uninstall: what it has kept and its user, too"
    )
    parser.add_argument(
        "--yes", action="store_true", help="with --purge: even if samples wait for the hub"
    )
    parser.add_argument(
        "--prefix", type=Path, metavar="FOLDER", help="in FOLDER, for anybody, without a service"
    )
    parser.add_argument(
        "--settle", type=float, default=SETTLE_S, metavar="SECONDS",
        help=f"so long a new version must run before it is believed ({SETTLE_S:g})",
    )  # fmt: skip
    return parser


def _do(options: argparse.Namespace, here: Path) -> None:
    if options.purge and not options.uninstall:
        raise InstallError("--purge goes with --uninstall")
    part = json.loads((here / "contents.json").read_text(encoding="utf-8"))["part"]
    options.prefix = options.prefix or _own_prefix(here, part)
    if options.prefix is None and os.geteuid() != 0:
        raise InstallError(
            "A service is installed by root: sudo ./install.sh (or --prefix FOLDER without one)."
        )
    layout = Layout(part, options.prefix.absolute() if options.prefix else None)
    steps = Steps(layout, lambda line: print(line, flush=True), options.settle)
    if options.rollback:
        steps.rollback()
    elif options.uninstall:
        steps.uninstall(purge=options.purge, yes=options.yes)
    elif not (here / "wheels").is_dir():
        raise InstallError("this is no bundle but an installed version: --rollback or --uninstall")
    else:
        steps.install(Bundle(here), sys.executable)


def _own_prefix(here: Path, part: str) -> Path | None:
    """Return the prefix in which this installer itself was installed; None for a bundle's."""
    home = here.parent.parent
    installed = (here.parent / "pyvenv.cfg").is_file() and home != Layout(part).home
    return home if installed else None
