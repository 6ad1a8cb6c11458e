"""Commands about adapters: adapters list, show."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from citytwin.errors import ConfigError
from citytwin_edge.cli import options as common
from citytwin_edge.cli import output

if TYPE_CHECKING:
    from citytwin_edge.catalogue.capabilities import Capabilities
    from citytwin_edge.catalogue.fields import Table

WRONG: Final = 2
"""Exit code of ``adapters list`` when an installed adapter cannot be used."""
WIDTH_MAX: Final = 100
Offer = tuple[str, Callable[[Any], int]]
"""What a command does, for people, and what is called with its options."""


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "what speaks to devices, ours and vendors'"
    whole = commands.add_parser("adapters", help=words, description=words)
    add_list_and_show(
        whole, "adapter", "modbus",
        ("show which are installed, and what each can do", show_list),
        ("show one: what it can do, its fields, limits and reasons, the profiles that use it",
         show_one),
    )  # fmt: skip


def add_list_and_show(whole: Any, kind: str, example: str, to_list: Offer, to_show: Offer) -> None:
    """Add ``list`` and ``show NAME`` of something that is installed.

    Args:
        whole: the command below which they stand.
        kind: what: "adapter".
        example: the name of one.
        to_list, to_show: what either does, for people, and what is called with the options.
    """
    what = whole.add_subparsers(required=True, metavar="WHAT")
    command = what.add_parser("list", help=to_list[0], description=to_list[0])
    command.add_argument("--json", action="store_true")
    common.common(command, to_list[1])
    command = what.add_parser("show", help=to_show[0], description=to_show[0])
    command.add_argument(kind, help=f"its name, such as {example}")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true", help="as a page for documents")
    common.common(command, to_show[1])


def show_in_form(
    options: Any, one: Any, page: Callable[[Any], str], show: Callable[[Any], None]
) -> int:
    """Show one thing in the form that the options ask for: JSON, a page, or ``show`` prints it."""
    import msgspec

    if options.json:
        print(json.dumps(msgspec.to_builtins(one), ensure_ascii=False, indent=1))
    elif options.markdown:
        print(page(one), end="")
    else:
        show(one)
    return 0


def show_list(options: Any) -> int:
    """Show which adapters are installed; one that cannot be used is told and does not stop it."""
    from citytwin_edge import plugins
    from citytwin_edge.catalogue.capabilities import described
    from citytwin_edge.catalogue.shelf import shelf_for

    shelf = shelf_for(common.config_path(options))
    rows = []
    broken = False
    for name in sorted(plugins.installed()):
        row: dict[str, Any] = {"adapter": name}
        try:
            one = described(name, shelf)
            row |= {"can": list(one.can), "profiles": len(one.profiles), "from": one.distribution,
                    "for": one.title}  # fmt: skip
        except ConfigError as error:
            broken = True
            row |= {"can": [], "profiles": 0, "from": "", "for": f"error: {error}"}
        rows.append(row)
    if not options.json:
        main = ("reads", "listens", "writes", "scans")
        rows = [row | {"can": " ".join(word for word in row["can"] if word in main)}
                for row in rows]  # fmt: skip
    output.show(rows, as_json=options.json)
    return WRONG if broken else 0


def show_one(options: Any) -> int:
    """Show one adapter."""
    from citytwin_edge.catalogue.adapter_page import page
    from citytwin_edge.catalogue.capabilities import described
    from citytwin_edge.catalogue.shelf import shelf_for

    one = described(options.adapter, shelf_for(common.config_path(options)))
    return show_in_form(options, one, page, _print)


def _print(one: Capabilities) -> None:
    from citytwin_edge.catalogue.abilities import meaning_of

    print(f"{output.paint(one.name, 'bold')}  {one.title}")
    print(f"from: {one.distribution or 'not known'}")
    if one.guide:
        print(f"guide: {one.guide}")
    print()
    for word in one.can:
        by = [form.name for form in one.forms if word in form.can]
        only = f" (only as {', '.join(by)})" if by and len(by) < len(one.forms) else ""
        print(f"{word:9}{meaning_of(word)}{only}")
    if not one.forms:
        print("what it builds its code does not say: annotate what build returns")
    for title, tables in (("[[device]]", one.device), ("[[device.point]]", one.point)):
        print_fields(title, tables)
    print()
    if one.refuses:
        print(f"A configuration is refused when {one.refuses}")
    rows = [{"quality": reason.words, "when": reason.meaning} for reason in one.reasons]
    output.show(rows, as_json=False)
    if one.limits:
        print()
        rows = [{"limit": limit.name, "at": f"{limit.value:g}", "of": limit.meaning}
                for limit in one.limits]  # fmt: skip
        output.show(rows, as_json=False)
    if one.profiles:
        print(f"\n{len(one.profiles)} profiles:")
        print_wrapped(", ".join(one.profiles), "  ")


def print_fields(title: str, tables: Sequence[Table]) -> None:
    """Print what may be written in some tables; ``title`` is of the first one."""
    from citytwin_edge.catalogue.adapter_page import UNSAID, allowed

    for table in tables:
        if table.is_list:
            continue
        head = title if table is tables[0] else f"[{table.name}]"
        print(f"\n{output.paint(head, 'bold')}  {table.meaning}")
        for field in table.fields:
            by_default = "" if field.default is None else f"by default {field.default}"
            left = "must be there" if field.needed else by_default
            print(f"  {output.paint(field.name, 'bold')}", end="")
            print_wrapped(f" = {allowed(field)}{f'; {left}' if left else ''}", "      ")
            print_wrapped(field.meaning or UNSAID, "      ", "      ")


def print_wrapped(text: str, after: str, first: str = "") -> None:
    """Print a text as wide as the terminal is (WIDTH_MAX); ``after`` begins further lines."""
    width = min(WIDTH_MAX, shutil.get_terminal_size().columns)
    print(textwrap.fill(text, width, initial_indent=first, subsequent_indent=after,
                        break_long_words=False, break_on_hyphens=False))  # fmt: skip
