"""Plant options: what ``citytwin-edge fit`` and ``citytwin-hub fit`` are told alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from citytwin.errors import CityTwinError
from citytwin.identity import segment


def add_to(command: Any) -> None:
    """Give a command (an ``argparse`` parser) the options of a fit."""
    command.add_argument("--name", default="plant", help="what the kernel is called (plant)")
    command.add_argument(
        "--step", type=int, metavar="S",
        help="seconds over which samples are averaged; as the rarest point allows if left out",
    )  # fmt: skip
    command.add_argument(
        "--without", action="append", default=[], metavar="POINT",
        help="leave out a point; * stands for anything; may be given again",
    )  # fmt: skip
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="a new file; the terminal if left out"
    )


def check(options: Any) -> None:
    """Refuse what would fail after a long fit (CityTwinError)."""
    segment(options.name, "--name")
    if options.output is not None and options.output.exists():
        raise CityTwinError(f"{options.output} is there already: give another name")
