"""SWMM's text: an INP file as sections of numbered lines, its positions, curves and units.

A line is words between blanks, with ``"`` around words that have some; what is behind ``;`` is a
comment. The last of an option counts (EPA SWMM 5.2 User's Manual, appendix D).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from citytwin_hub.importers.frame import SourceError, check_size

FILE_BYTES_MAX: Final = 256 * 2**20
"""Of a file, which is held whole; the largest models of cities have about 50 MiB."""
LINE_CHARACTERS_MAX: Final = 1024
"""SWMM's own limit of a line."""
CURVE_POINTS_MAX: Final = 10_000
FOOT_M: Final = 0.3048
ACRE_HA: Final = 0.40468564224
_GALLON_M3: Final = 0.003785411784
FLOWS: Final = {
    "CFS": FOOT_M**3,
    "GPM": _GALLON_M3 / 60,
    "MGD": _GALLON_M3 * 1e6 / 86_400,
    "CMS": 1.0,
    "LPS": 0.001,
    "MLD": 1000 / 86_400,
}
"""Cubic metres a second in one of FLOW_UNITS."""
US: Final = frozenset({"CFS", "GPM", "MGD"})
"""With these all else is in feet, inches and acres."""
_WORDS: Final = re.compile(r'"([^"]*)"|(\S+)')


class Row(NamedTuple):
    """A line: its number in the file, its section, and its words (one or more)."""

    number: int
    section: str
    words: tuple[str, ...]


class Units:
    """Takes what a file says to SI."""

    def __init__(self, flow: str) -> None:
        """Read FLOW_UNITS.

        Raises:
            SourceError: there are no such units.
        """
        if flow not in FLOWS:
            raise SourceError(f"FLOW_UNITS {flow[:20]!r} are none of {', '.join(FLOWS)}")
        self._flow, self._m = FLOWS[flow], FOOT_M if flow in US else 1.0

    def length(self, value: float) -> float:
        """Return feet or metres in metres."""
        return _short(value * self._m)

    def area(self, value: float) -> float:
        """Return square feet or square metres in square metres."""
        return _short(value * self._m**2)

    def hectares(self, value: float) -> float:
        """Return acres or hectares in hectares."""
        return _short(value * (ACRE_HA if self._m != 1 else 1.0))

    def flow(self, value: float) -> float:
        """Return a flow in m³/s."""
        return _short(value * self._flow)

    def power(self, value: float, exponent: float) -> float:
        """Return what is measured in a power of feet or metres."""
        return _short(value * self._m**exponent)

    def of(self, what: str, value: float) -> float:
        """Return a number of a curve: a length, area, volume, flow, weir coefficient or none."""
        powers = {"one": 0.0, "length": 1.0, "area": 2.0, "volume": 3.0, "weir": 0.5}
        return self.flow(value) if what == "flow" else self.power(value, powers[what])


class Curve(NamedTuple):
    """A curve: its first line, its type and points, and what is wrong with it, if anything."""

    row: Row
    type: str
    points: tuple[tuple[float, float], ...]
    wrong: str


@dataclass
class Text:
    """A file's lines, by section in capitals."""

    path: Path
    sections: dict[str, list[Row]] = field(default_factory=dict)
    unread: list[Row] = field(default_factory=list)
    """Lines of positions that are none."""
    _places: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)

    def rows(self, section: str) -> list[Row]:
        """Return the lines of a section; none where there is none."""
        return self.sections.get(section, [])

    def option(self, name: str) -> str:
        """Return an option in capitals; empty where it is not given."""
        found = ""
        for row in self.rows("OPTIONS"):
            if row.words[0].upper() == name and len(row.words) > 1:
                found = row.words[1].upper()
        return found

    def units(self) -> Units:
        """Return what the numbers are in; without FLOW_UNITS it is CFS.

        Raises:
            SourceError: there are no such units.
        """
        try:
            return Units(self.option("FLOW_UNITS") or "CFS")
        except SourceError as error:
            raise SourceError(f"{self.path} [OPTIONS]: {error}") from None

    def positions(self, section: str) -> Mapping[str, list[tuple[float, float]]]:
        """Return x and y of each object of a section, by its name in capitals.

        A line without two numbers is noted in ``unread``.
        """
        if section not in self._places:
            found: dict[str, list[tuple[float, float]]] = {}
            for row in self.rows(section):
                point = _point(row.words[1:3])
                if point is None:
                    self.unread.append(row)
                    continue
                found.setdefault(row.words[0].upper(), []).append(point)
            self._places[section] = found
        return self._places[section]

    def curves(self) -> Iterator[Curve]:
        """Yield the curves: the first line of each says its type, all have pairs of numbers."""
        lines: dict[str, list[Row]] = {}
        for row in self.rows("CURVES"):
            lines.setdefault(row.words[0].upper(), []).append(row)
        for rows in lines.values():
            head = rows[0]
            kind = head.words[1].upper() if len(head.words) > 1 else ""
            points: list[tuple[float, float]] = []
            wrong = ""
            for row in rows:
                words = row.words[2 if row is head or row.words[1].upper() == kind else 1 :]
                pairs = [_point(words[at : at + 2]) for at in range(0, len(words), 2)]
                points += [one for one in pairs if one is not None]
                if None in pairs:
                    wrong = wrong or f"line {row.number} has no pairs of numbers"
            if len(points) > CURVE_POINTS_MAX:
                wrong = f"it has over {CURVE_POINTS_MAX} points"
            yield Curve(head, kind, tuple(points), wrong)


def read_text(path: Path, encoding: str) -> Text:
    """Return a file's lines.

    Raises:
        SourceError: it cannot be read, or is larger than a model can be.
    """
    text, section = Text(path), ""
    try:
        check_size(path, FILE_BYTES_MAX, "cut the model by district")
        with path.open(encoding=encoding, errors="replace") as file:
            for number, line in enumerate(file, 1):
                if len(line) > LINE_CHARACTERS_MAX and not line.lstrip().startswith(";"):
                    raise SourceError(
                        f"{path}:{number} has over {LINE_CHARACTERS_MAX} characters, which SWMM "
                        "does not read either; is it an INP file?"
                    )
                bare = line.partition(";")[0].strip()
                if bare.startswith("["):
                    section = bare.strip("[]").upper()
                    text.sections.setdefault(section, [])
                elif bare and section:
                    words = tuple(a or b for a, b in _WORDS.findall(bare))
                    if words and words[0]:
                        text.sections[section].append(Row(number, section, words))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    return text


def _point(words: tuple[str, ...]) -> tuple[float, float] | None:
    try:
        x, y = (float(one) for one in words)
    except ValueError:
        return None
    return (x, y) if math.isfinite(x) and math.isfinite(y) else None


def _short(value: float) -> float:
    """Return a number without the noise of its conversion."""
    return float(f"{value:.12g}")
