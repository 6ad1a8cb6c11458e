"""The command for what is fitted out of history: fit, a plant's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from citytwin_edge.cli import options as common


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "fit the model of a plant out of a clean history, as a [[kernel]] for edge.toml"
    command = commands.add_parser("fit", help=words, description=words)
    command.add_argument(
        "history", type=Path, metavar="HISTORY.csv",
        help="point,time,value: what citytwin-hub export writes; of a time when all was well",
    )  # fmt: skip
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
        "--output", type=Path, metavar="FILE", help="a new file; the terminal if left out"
    )
    command.add_argument("--json", action="store_true")
    common.common(command, fit, config=False)


def fit(options: Any) -> int:
    """Fit a model and write its table."""
    from citytwin import plant_table
    from citytwin.errors import CityTwinError
    from citytwin.files import replace
    from citytwin.identity import segment
    from citytwin_edge import plant_history

    segment(options.name, "--name")
    if options.output is not None and options.output.exists():
        raise CityTwinError(f"{options.output} is there already: give another name")
    samples = plant_history.read(options.history, options.without)
    about = plant_table.told(plant_table.fitted(samples, options.step), options.name)
    table = plant_table.kernel_table(about, options.history.name)
    if options.output is not None:
        replace(options.output, lambda file: file.write(table.encode()))
    if options.json:
        print(json.dumps(about, ensure_ascii=False, indent=1))
    elif options.output is None:
        print(table, end="")
    return 0
