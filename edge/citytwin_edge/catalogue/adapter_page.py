"""Adapter page: what is known of an adapter, as Markdown or for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

from citytwin_edge.catalogue.abilities import meaning_of
from citytwin_edge.catalogue.capabilities import Capabilities
from citytwin_edge.catalogue.fields import Field, Table

ABILITIES: Final = ("reads", "listens", "writes", "scans", "probes", "decodes", "taps")
"""Columns of the table of all adapters."""
MADE: Final = (
    "<!-- Made from the code by `make docs ARGS=adapters`; what is wrong here is mended there. -->"
)
UNSAID: Final = "(its code does not say)"
Rows = list[list[str]]


def page(one: Capabilities, link: Callable[[str], str] = str) -> str:
    """Return an adapter's page.

    Args:
        one: what is known of it.
        link: makes of a document's path one that leads there from where the page will be.
    """
    return "\n".join(_lines(one, link)) + "\n"


def _lines(one: Capabilities, link: Callable[[str], str]) -> Iterator[str]:
    yield from (f"# Adapter `{one.name}`", "", MADE, "", one.title or UNSAID, "")
    if one.guide:
        yield f"How it is used: [{one.guide.rpartition('/')[2]}]({link(one.guide)})."
    yield f"It comes with {one.distribution.partition(' ')[0] or 'a package without a name'}."
    yield from ("", "## What it can do", "")
    yield from _abilities(one)
    for example in one.examples[:1]:
        lines = ["[[device]]", 'name = "…"', f'adapter = "{one.name}"', *example.splitlines()]
        yield from ("", "The least that a device needs:", "", "```toml", *lines, "```")
    yield from ("", "## What is written about a device", "")
    yield from _fields(
        one.device, f"[the fields of every device]({link('docs/adapters/README.md')})"
    )
    yield from ("", "## What is written about a point", "")
    yield from _fields(one.point, f"[the fields of every point]({link('docs/adapters/README.md')})")
    yield from ("", "## When something is wrong", "")
    if one.refuses:
        yield from (f"A configuration is refused when {one.refuses}", "")
    rows = [[f"`{reason.words}`", reason.meaning] for reason in one.reasons]
    yield from markdown_table(["quality of a sample", "when"], rows)
    if one.limits:
        yield from ("", "## Limits that cannot be set", "")
        rows = [[f"`{n.name}`", f"{n.value:,g}" if n.value < 1e6 else f"{n.value:,.0f}",
                 n.meaning] for n in one.limits]  # fmt: skip
        yield from markdown_table(["in the code", "", "what it is of"], rows)
    yield from ("", "## Profiles that use it", "")
    yield from _profiles(one.profiles, link)


def _abilities(one: Capabilities) -> Iterator[str]:
    if not one.forms:
        yield from (f"What it builds is not told {UNSAID}.", "")
    several = len(one.forms) > 1
    rows = []
    for word in one.can:
        by = [form.name for form in one.forms if word in form.can]
        only = ", ".join(by) if several and by and len(by) < len(one.forms) else ""
        rows.append([word, meaning_of(word), only][: 3 if several else 2])
    yield from markdown_table(["", "", "only as"][: 3 if several else 2], rows)
    if several:
        yield ""
        yield from (f"- **{form.name}**: {form.meaning}" for form in one.forms)


def _fields(tables: Sequence[Table], others: str) -> Iterator[str]:
    yield f"{tables[0].meaning or UNSAID} Besides, there are {others}."
    for table in tables:
        if table.is_list:
            continue
        if table is not tables[0]:
            yield from ("", f"### `[{table.name}]`", "", table.meaning)
        yield ""
        yield from field_rows(table)


def field_rows(table: Table) -> Iterator[str]:
    """Yield the lines of a table of fields."""
    rows = [[f"`{field.name}`", field.meaning or UNSAID, allowed(field), default(field)]
            for field in table.fields]  # fmt: skip
    yield from markdown_table(["field", "meaning", "what may stand there", "left out"], rows)


def allowed(field: Field) -> str:
    """Return what may stand in a field, in one line."""
    if field.kind == "one of":
        return field.allowed
    words = ", ".join(filter(None, (field.kind, field.allowed)))
    return f"{words} {field.unit}".strip()


def default(field: Field) -> str:
    """Return what counts when a field is left out."""
    if field.needed:
        return "must be there"
    return "" if field.default is None else f"`{field.default}`"


def _profiles(names: Sequence[str], link: Callable[[str], str]) -> Iterator[str]:
    if not names:
        yield "None on the shelf."
        return
    yield f"{len(names)}; [all profiles]({link('docs/profiles/README.md')}) has more about each."
    yield ""
    for vendor, those in groupby(names, key=lambda name: name.partition("/")[0]):
        yield f"- {vendor}: {', '.join(f'`{name}`' for name in those)}"


def markdown_table(head: Sequence[str], rows: Rows) -> Iterator[str]:
    """Yield the lines of a table in Markdown; a cell may have the sign that parts columns."""
    if not rows:
        yield "Nothing is known."
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def overview(
    all_of_them: Sequence[Capabilities], device: Sequence[Table], point: Sequence[Table]
) -> str:
    """Return the page about all adapters, with the fields that every device and point has."""
    rows = [
        [f"[`{one.name}`]({one.name}.md)", one.title]
        + ["✓" if word in one.can else "" for word in ABILITIES]
        + [str(len(one.profiles) or "")]
        for one in all_of_them
    ]
    lines = [
        "# Adapters", "", MADE, "",
        "What speaks to devices: each adapter's page says what it can do, each field that may be "
        "written, its limits, and what it says when something is wrong. On a gateway the same is "
        "shown by `citytwin-edge adapters list` and `citytwin-edge adapters show NAME`, of a "
        "vendor's adapter, too.", "",
        *markdown_table(["adapter", "for", *ABILITIES, "profiles"], rows), "",
        *(f"- **{word}**: {meaning_of(word)}" for word in ABILITIES), "",
        "## Fields of every device", "", device[0].meaning, "", *field_rows(device[0]), "",
        "## Fields of every point", "", point[0].meaning, "", *field_rows(point[0]),
    ]  # fmt: skip
    for table in (*device[1:], *point[1:]):
        if not table.is_list and not table.name.endswith(".label"):
            lines += ["", f"### `[{table.name}]`", "", table.meaning, "", *field_rows(table)]
    return "\n".join(lines) + "\n"
