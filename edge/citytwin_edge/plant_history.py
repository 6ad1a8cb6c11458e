"""Plant history: the samples of a CSV file, for the fit of a plant's model.

The file has the columns ``point``, ``time`` and ``value``, as ``citytwin-hub export`` writes it;
where it has the column ``quality``, only good samples (0) count.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from citytwin.errors import CityTwinError
from citytwin.plant_table import History, Samples
from citytwin_edge.adapters.replay import moment_ns

COLUMNS: Final = ("point", "time", "value")


def read(path: Path, without: Sequence[str] = ()) -> dict[str, Samples]:
    """Return the good samples of a file by point: device/point, without its gateway.

    Args:
        path: the file.
        without: names to leave out; ``*`` stands for anything.

    Raises:
        CityTwinError: it cannot be read, a row is none, or it has points of two gateways.
    """
    history = History(str(path), without)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for name, time_ns, value in _rows(path, file):
                history.add(name, (time_ns,), (value,))
    except OSError as error:
        raise CityTwinError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CityTwinError(f"{path}: is not a CSV file in UTF-8: {error}") from None
    return history.points()


def _rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, int, float]]:
    reader = csv.DictReader(lines, strict=True)
    if not set(COLUMNS) <= set(reader.fieldnames or ()):
        raise CityTwinError(f"{path}:1: the first line must name the columns {', '.join(COLUMNS)}")
    for row in reader:
        if None in row or None in row.values():
            raise CityTwinError(
                f"{path}:{reader.line_num}: has another number of columns than the first line"
            )
        if not row["value"] or row.get("quality", "0") != "0":
            continue
        try:
            yield row["point"], moment_ns(row["time"]), float(row["value"])
        except (ValueError, OverflowError, TypeError):
            raise CityTwinError(
                f"{path}:{reader.line_num}: time {row['time']!r} or value {row['value']!r} is not "
                f"one; times are ISO 8601 or seconds, values numbers or empty"
            ) from None
