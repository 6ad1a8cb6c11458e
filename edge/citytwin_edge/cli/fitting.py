"""The command for what is fitted out of history: fit, a plant's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from citytwin import plant_options
from citytwin_edge.cli import options as common


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "fit the model of a plant out of a clean history, as a [[kernel]] for edge.toml"
    command = commands.add_parser("fit", help=words, description=words)
    command.add_argument(
        "history", type=Path, metavar="HISTORY.csv",
        help="point,time,value: what citytwin-hub export writes; of a time when all was well",
    )  # fmt: skip
    plant_options.add_to(command)
    command.add_argument("--json", action="store_true")
    common.common(command, fit, config=False)


def fit(options: Any) -> int:
    """Fit a model and write its table."""
    from citytwin import plant_table
    from citytwin.files import replace
    from citytwin_edge import plant_history

    plant_options.check(options)
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
