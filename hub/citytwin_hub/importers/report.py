"""Report: what an import took, refused and left, line by line; as JSON, as a page and as text."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from citytwin_hub.importers.frame import Note, Record, Refusal

LINES_MAX: Final = 10_000
"""Refusals and vanished objects that are listed; all are counted."""
SHOWN_MAX: Final = 20
"""Of these in the terminal; the report's file has more."""
_STYLE: Final = (
    "body{font:15px sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.25em .8em;text-align:left;"
    "border-bottom:1px solid #ccc;vertical-align:top}"
)


@dataclass(slots=True)
class Report:
    """What an import came to.

    Attributes:
        source, file, format: of what.
        dry_run: whether nothing was written.
        compared: whether the city was asked what it has.
        kinds: objects that were read, by class.
        created, changed, unchanged, deleted: what became of them.
        joined: of these, objects that other sources gave, too.
        refused: objects that did not come; ``partly``: that came without a field.
        lines: the refusals, up to ``LINES_MAX``.
        vanished: how many the city has that the source has no more; ``gone``: of these, URNs.
        unpruned: why nothing was deleted, though it was asked for; else empty.
        notes: on the whole.
    """

    source: str
    file: str
    format: str
    dry_run: bool = False
    compared: bool = True
    kinds: Counter[str] = field(default_factory=Counter)
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    joined: int = 0
    refused: int = 0
    partly: int = 0
    lines: list[Refusal] = field(default_factory=list)
    vanished: int = 0
    gone: list[str] = field(default_factory=list)
    unpruned: str = ""
    notes: list[str] = field(default_factory=list)

    def read(self, record: Record) -> None:
        """Count what was read."""
        self.kinds[record.entity.id.split(":")[2]] += 1

    def note(self, note: Note) -> None:
        """Keep a note, once."""
        if note.text not in self.notes:
            self.notes.append(note.text)

    def refuse(self, refusal: Refusal) -> None:
        """Keep what was not taken."""
        if refusal.whole:
            self.refused += 1
        else:
            self.partly += 1
        if len(self.lines) < LINES_MAX:
            self.lines.append(refusal)

    def vanish(self, urn: str) -> None:
        """Keep what the source has no more."""
        self.vanished += 1
        if len(self.gone) < LINES_MAX:
            self.gone.append(urn)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "source": self.source,
            "file": self.file,
            "format": self.format,
            "dry_run": self.dry_run,
            "compared": self.compared,
            "read": dict(self.kinds),
            "created": self.created,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "joined": self.joined,
            "refused": self.refused,
            "partly": self.partly,
            "vanished": self.vanished,
            "deleted": self.deleted,
            "unpruned": self.unpruned,
            "notes": self.notes,
            "lines": [one._asdict() for one in self.lines],
            "gone": self.gone,
        }


def page(told: dict[str, Any]) -> str:
    """Return a report as a page that needs nothing from elsewhere."""
    title = f"Import of {told['source']}"
    head = "".join(f"<li>{html.escape(one)}</li>" for one in summary(told))
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{html.escape(one[name])}</td>" for name in ("where", "field", "reason", "remedy")
        )
        + "</tr>"
        for one in told["lines"]
    )
    gone = "".join(f"<li><code>{html.escape(one)}</code></li>" for one in told["gone"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><ul>{head}</ul>"
        "<h2>Refused</h2><table><tr><th>Where<th>Field<th>Why<th>What to do</tr>"
        f"{rows}</table><h2>Gone from the source</h2><ul>{gone}</ul></html>\n"
    )


def summary(told: dict[str, Any]) -> Iterator[str]:
    """Yield the sums of a report as sentences."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(told["read"].items()))
    yield f"{told['file']} ({told['format']}), source {told['source']}"
    yield f"read: {kinds or 'nothing'}"
    if told["compared"]:
        would = "would be " if told["dry_run"] else ""
        yield (
            f"{would}created {told['created']}, {would}changed {told['changed']}, "
            f"unchanged {told['unchanged']}"
        )
    else:
        yield "not compared with the city: no hub answers"
    if told["joined"]:
        yield f"of these {told['joined']} are objects that the city knows by another URN"
    yield f"refused {told['refused']}, without a field {told['partly']}"
    if told["compared"] and told["format"] != "dem":  # which brings no objects
        yield f"gone from the source {told['vanished']}, deleted {told['deleted']}"
    if told["unpruned"]:
        yield told["unpruned"]
    if told["dry_run"]:
        yield "dry run: nothing was written"
    yield from told["notes"]


def text(told: dict[str, Any]) -> Iterator[str]:
    """Yield a report as lines of a terminal."""
    yield from summary(told)
    yield from _few((_line(one) for one in told["lines"]), told["refused"] + told["partly"])
    yield from _few((f"gone: {one}" for one in told["gone"]), told["vanished"])


def _line(one: dict[str, Any]) -> str:
    what = f"{one['field']}: " if one["field"] else ""
    return f"{one['where']}: {what}{one['reason']}; {one['remedy']}"


def _few(lines: Iterable[str], count: int) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == SHOWN_MAX:
            yield f"… and {count - SHOWN_MAX} more: see --report FILE"
            return
        yield line
