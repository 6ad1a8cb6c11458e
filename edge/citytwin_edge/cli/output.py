"""Output: rows as a table for people, in colour where it is a terminal, or as JSON for scripts.

The tables are drawn here: a table library (rich) that is installed would be loaded by the agent's
log, too, and cost every gateway 5 MiB for as long as it runs.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

RAW_CHARS_MAX: Final = 47
"""Of a device's bytes in a table: 16 of them."""
COLUMN_CHARS_MIN: Final = 16
"""A column is made no narrower than this for the sake of a terminal."""
_COLOURS: Final = {"green": "32", "yellow": "33", "red": "1;31", "dim": "2", "bold": "1"}
_MEANING: Final = {
    "good": "green", "ok": "green", "passed": "green",
    "uncertain": "yellow", "warning": "yellow", "implausible": "yellow", "waiting": "yellow",
    "bad": "red", "error": "red", "failed": "red", "failing": "red", "critical": "red",
}  # fmt: skip
"""Colours of cells in the columns below, by their first word."""
_JUDGED: Final = ("quality", "state", "result", "plausible")


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows; all have the same names."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    if not rows:
        print("(none)")
        return
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in table(rows, chars_max=room):
        print(line)


def show_one(thing: Mapping[str, Any]) -> None:
    """Print one thing for scripts, as an object of JSON."""
    print(json.dumps(thing, ensure_ascii=False, indent=1))


def table(rows: Sequence[Mapping[str, Any]], *, chars_max: int = 0) -> list[str]:
    """Return the lines of a table, in colour where that is seen; there is at least one row.

    With ``chars_max`` the widest columns are made narrower until a line has no more: bytes are
    cut, and texts go on below.
    """
    names = list(rows[0])
    cells = [[cell(name, row[name]) for name in names] for row in rows]
    widths = _widths([names, *cells], chars_max)
    lines = [paint(_line(names, widths), "bold")]
    for row in cells:
        parts = [_parts(*one) for one in zip(names, row, widths, strict=True)]
        for texts in itertools.zip_longest(*parts, fillvalue=""):
            padded = [text.ljust(width) for text, width in zip(texts, widths, strict=True)]
            padded[-1] = texts[-1]
            for column, name in enumerate(names):
                if name in _JUDGED:
                    padded[column] = judged(padded[column])
            lines.append("  ".join(padded).rstrip())
    return lines


def _widths(lines: Sequence[Sequence[str]], chars_max: int) -> list[int]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    while chars_max and sum(widths) + 2 * (len(widths) - 1) > chars_max:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= COLUMN_CHARS_MIN:
            break
        widths[widest] -= 1
    return widths


def _parts(name: str, text: str, width: int) -> list[str]:
    """Return a cell as the lines that fit its column."""
    if len(text) <= width:
        return [text]
    return [text[: width - 1] + "…"] if name == "raw" else textwrap.wrap(text, width)


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(n) for text, n in zip(texts, widths, strict=True)).rstrip()


def cell(name: str, value: Any) -> str:
    """Return what stands in a table; of long bytes the beginning (``--json`` has more)."""
    text = "" if value is None else str(value)
    if name == "raw" and len(text) > RAW_CHARS_MAX:
        return text[:RAW_CHARS_MAX] + "…"
    return text


def judged(text: str) -> str:
    """Return a quality, a state or a result in the colour that its first word has."""
    word = text.replace(":", " ").partition(" ")[0]
    return paint(text, _MEANING[word]) if word in _MEANING else text


def paint(text: str, colour: str) -> str:
    """Return a text in a colour where standard output is a terminal that wants colours.

    See no-color.org for NO_COLOR.
    """
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
