"""Output: rows as a table for people, in colour where it is a terminal, or as JSON for scripts.

The tables are drawn here: a table library (rich) that is installed would be loaded by the agent's
log, too, and cost every gateway 5 MiB for as long as it runs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

RAW_CHARS_MAX: Final = 47
"""Of a device's bytes in a table: 16 of them."""
_COLOURS: Final = {"green": "32", "yellow": "33", "red": "1;31", "dim": "2", "bold": "1"}
_MEANING: Final = {
    "good": "green", "ok": "green", "passed": "green",
    "uncertain": "yellow", "warning": "yellow", "implausible": "yellow", "waiting": "yellow",
    "bad": "red", "error": "red", "failed": "red", "failing": "red", "critical": "red",
}  # fmt: skip
"""Colours of cells in the columns below, by their first word."""
_JUDGED: Final = ("quality", "state", "result")


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows; all have the same names."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    if not rows:
        print("(none)")
        return
    for line in table(rows):
        print(line)


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table, in colour where that is seen; there is at least one row."""
    names = list(rows[0])
    cells = [[cell(name, row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [paint(_line(names, widths), "bold")]
    for row in cells:
        padded = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        padded[-1] = row[-1]
        for column, name in enumerate(names):
            if name in _JUDGED:
                padded[column] = judged(padded[column])
        lines.append("  ".join(padded).rstrip())
    return lines


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
