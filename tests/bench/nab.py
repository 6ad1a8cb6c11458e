"""NAB's scorer, after its paper, on the development half of the corpus.

A. Lavin and S. Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta anomaly
benchmark", ICMLA 2015. Each window gives by the earliest alarm in it, on a sigmoid from 1 at its
beginning to 0 at its end; every alarm outside costs up to 1, less when it comes shortly after a
window; a window without an alarm costs 1 (2 in the profile that abhors misses). The first 15 % of a
file, 750 rows at most, do not count. 0 is what a detector gets that never says anything, 100 what
one gets that says everything at once and nothing else.
"""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

DATA: Final = "nab_dev"
PROFILES: Final = {"standard": (0.11, 1.0), "low FP": (0.22, 1.0), "low FN": (0.11, 2.0)}
"""What a false alarm and a missed window cost, against 1 for one that is found at once."""
PROBATION: Final = 0.15
PROBATION_ROWS_MAX: Final = 5000
MONTH_S: Final = 30.4 * 86_400

Rows = npt.NDArray[np.intp]


class File(NamedTuple):
    """One series of the corpus.

    Attributes:
        name: folder and file.
        time_s, value: UTC seconds and values, shape (n,).
        windows: first and last row of each.
        skipped: so many rows do not count.
        weight: what an alarm at each row brings: in a window 0 to 1, outside -1 to 0.
        window: which window a row lies in; -1 for none.
    """

    name: str
    time_s: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    windows: list[tuple[int, int]]
    skipped: int
    weight: npt.NDArray[np.float64]
    window: Rows

    @property
    def months(self) -> float:
        """How long it is."""
        return float(self.time_s[-1] - self.time_s[0]) / MONTH_S

    @property
    def judged_months(self) -> float:
        """How long that part of it is whose alarms count."""
        return float(self.time_s[-1] - self.time_s[self.skipped]) / MONTH_S


class Tally(NamedTuple):
    """What one file's alarms came to, before any profile.

    Attributes:
        windows, found: how many there are, and were found.
        gain: sum of what they gave.
        alarms, false: all of the file, and those that count and lie in no window.
        cost: what these cost, at 1 each at most.
    """

    windows: int
    found: int
    gain: float
    alarms: int
    false: int
    cost: float


def load(folder: Path) -> list[File]:
    """Return the files of the development half, in order of their names."""
    windows = json.loads((folder / "windows.json").read_text())
    return [_file(folder, name, windows[name]) for name in sorted(windows)]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _file(folder: Path, name: str, spans: list[list[str]]) -> File:
    with (folder / name).open(newline="") as lines:
        rows = [(_seconds(row["timestamp"]), float(row["value"])) for row in csv.DictReader(lines)]
    time_s, value = np.array(rows).T
    windows = []
    for first, last in spans:
        inside = np.flatnonzero((time_s >= _seconds(first)) & (time_s <= _seconds(last)))
        windows.append((int(inside[0]), int(inside[-1])))
    weight, window = _weights(len(value), windows)
    skipped = math.floor(PROBATION * min(len(value), PROBATION_ROWS_MAX))
    return File(name, time_s, value, windows, skipped, weight, window)


def _sigmoid(position: float) -> float:
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


def _weights(count: int, windows: list[tuple[int, int]]) -> tuple[npt.NDArray[np.float64], Rows]:
    weight, window = np.full(count, -1.0), np.full(count, -1, np.intp)
    ends = [*(first for first, _ in windows), count][1:]
    for number, ((first, last), end) in enumerate(zip(windows, ends, strict=True)):
        width = last - first + 1
        for row in range(first, last + 1):
            weight[row] = _sigmoid(-(last - row + 1) / width) / _sigmoid(-1.0)
            window[row] = number
        for row in range(last + 1, end):
            weight[row] = _sigmoid((row - last) / (width - 1))
    return weight, window


def tally(file: File, alarms: Rows) -> Tally:
    """Return what alarms at these rows come to."""
    counted = alarms[alarms >= file.skipped]
    inside = counted[file.window[counted] >= 0]
    outside = counted[file.window[counted] < 0]
    gains: dict[int, float] = {}
    for row in inside.tolist():
        number = int(file.window[row])
        gains[number] = max(gains.get(number, -1.0), float(file.weight[row]))
    return Tally(
        len(file.windows), len(gains), sum(gains.values()), len(alarms), len(outside),
        -float(file.weight[outside].sum()),
    )  # fmt: skip


def score(tallies: list[Tally], profile: str) -> float:
    """Return the score of some files together, in percent."""
    return 100 * points(tallies, profile) / perfect(tallies, profile)


def points(tallies: list[Tally], profile: str) -> float:
    """Return what files give above a detector that says nothing."""
    false, missed = PROFILES[profile]
    return sum(one.gain - false * one.cost + missed * one.found for one in tallies)


def perfect(tallies: list[Tally], profile: str) -> float:
    """Return what files could give above a detector that says nothing."""
    return sum(one.windows for one in tallies) * (1 + PROFILES[profile][1])
