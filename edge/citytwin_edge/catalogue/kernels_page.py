"""Kernels page: what is known of kernels, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from citytwin_edge.catalogue.adapter_page import UNSAID, field_rows, markdown_table
from citytwin_edge.catalogue.calculations import Calculation
from citytwin_edge.catalogue.fields import Field, Table

MADE: Final = (
    "<!-- Made from the code by `make docs ARGS=kernels`; what is wrong here is mended there. -->"
)
GUIDE: Final = "docs/guides/kernels.md"


def page(one: Calculation, level: str = "#") -> str:
    """Return what is known of a kernel; ``level`` are the signs of its heading."""
    return "\n".join(_lines(one, level)) + "\n"


def kernels_page(all_of_them: Sequence[Calculation], every: Table) -> str:
    """Return the page about kernels, with the fields that each one has."""
    ordered = sorted(all_of_them, key=lambda one: (one.domain, one.name))
    rows = [[f"[`{one.name}`](#{one.name})", one.domain, one.summary] for one in ordered]
    lines = [
        "# Kernels", "", MADE, "",
        "What a gateway can work out of its points, by a `[[kernel]]` table in `edge.toml`; "
        "[the guide](guides/kernels.md) tells how. On a gateway the same is shown by "
        "`citytwin-edge kernels list` and `citytwin-edge kernels show NAME`, of a vendor's kernel, "
        "too.", "",
        *markdown_table(["kernel", "of", "what it calculates"], rows), "",
        "## Fields of every kernel", "", every.meaning, "", *field_rows(every),
    ]  # fmt: skip
    for domain, those in groupby(ordered, key=lambda one: one.domain):
        lines += ["", f"## {domain.capitalize() or 'Others'}"]
        for one in those:
            lines += ["", page(one, "###").rstrip()]
    return "\n".join(lines) + "\n"


def _lines(one: Calculation, level: str) -> Iterator[str]:
    yield from (f"{level} `{one.name}`", "", sentence(one.summary) or UNSAID)
    for text in one.about:
        yield from ("", text)
    yield from ("", "```toml", *example(one), "```", "")
    if one.outputs is None:
        yield f"What it gives: {UNSAID}"
    else:
        rows = [[f"`{point.name}`", f"`{point.unit}`", point.kind, point.label.get("en", ""),
                 f"`{point.attribute}`" if point.attribute else ""]
                for point in one.outputs]  # fmt: skip
        yield from markdown_table(
            ["gives `<first input>.…`", "unit", "kind", "label", "attribute"], rows
        )
    for table in one.fields:
        if table.is_list or not table.fields:
            continue
        if table is not one.fields[0]:
            yield from ("", f"`[{table.name}]`: {table.meaning}")
        yield ""
        yield from field_rows(table)
    if one.refuses:
        yield from ("", f"It is refused when {one.refuses}")


def sentence(text: str) -> str:
    """Return a line with a full stop behind it."""
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def example(one: Calculation) -> list[str]:
    """Return the lines of a ``[[kernel]]`` with its inputs and what must be there."""
    lines = ["[[kernel]]", 'name = "…"', f'kernel = "{one.name}"']
    if one.inputs is None:
        lines.append(f'inputs = ["device/point"]  # which: {UNSAID}')
    else:
        lines += [
            "inputs = [",
            *(f'  "device/point",  # {point.name}, {unit(point.unit)}' for point in one.inputs),
            "]",
        ]
    return lines + [f"# {field.name} = …" for field in needed(one)]


def needed(one: Calculation) -> list[Field]:
    """Return the fields that must be there."""
    return [field for field in one.fields[0].fields if field.needed]


def unit(code: str) -> str:
    """Return a unit as it stands in a sentence."""
    return "no unit" if code == "1" else code
