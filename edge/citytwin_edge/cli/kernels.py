"""Commands about kernels: kernels list, show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from citytwin.errors import ConfigError
from citytwin_edge.cli import output
from citytwin_edge.cli.adapters import (
    WRONG,
    add_list_and_show,
    print_fields,
    print_wrapped,
    show_in_form,
)  # fmt: skip

if TYPE_CHECKING:
    from citytwin_edge.catalogue.calculations import Calculation


def add_to(commands: Any) -> None:
    """Add the commands of this module."""
    words = "what a gateway can work out of its points, ours and vendors'"
    whole = commands.add_parser("kernels", help=words, description=words)
    add_list_and_show(
        whole, "kernel", "heat-power",
        ("show which are installed, and what each calculates", show_list),
        ("show one: what it calculates by which source, its inputs, outputs and fields", show_one),
    )  # fmt: skip


def show_list(options: Any) -> int:
    """Show which kernels are installed; one that cannot be used is told and does not stop it."""
    from citytwin_edge import plugins
    from citytwin_edge.catalogue.calculations import calculation

    rows = []
    broken = False
    for name in sorted(plugins.installed(plugins.KERNELS)):
        try:
            rows.append(_row(calculation(name)))
        except ConfigError as error:
            broken = True
            rows.append({"kernel": name, "of": "", "inputs": None, "outputs": None, "from": "",
                         "calculates": f"error: {error}"})  # fmt: skip
    if not options.json:
        rows = [{name: row[name] for name in ("kernel", "of", "calculates")} for row in rows]
    output.show(rows, as_json=options.json)
    return WRONG if broken else 0


def _row(one: Calculation) -> dict[str, Any]:
    from citytwin_edge.catalogue.adapter_page import UNSAID

    inputs = None if one.inputs is None else [point.name for point in one.inputs]
    outputs = None if one.outputs is None else [point.name for point in one.outputs]
    return {"kernel": one.name, "of": one.domain, "inputs": inputs, "outputs": outputs,
            "from": one.distribution, "calculates": one.summary or UNSAID}  # fmt: skip


def show_one(options: Any) -> int:
    """Show one kernel."""
    from citytwin_edge.catalogue.calculations import calculation
    from citytwin_edge.catalogue.kernels_page import page

    return show_in_form(options, calculation(options.kernel), page, _print)


def _print(one: Calculation) -> None:
    from citytwin_edge.catalogue.adapter_page import UNSAID
    from citytwin_edge.catalogue.kernels_page import example, unit

    print(output.paint(one.name, "bold"), end="")
    print_wrapped(f"  {one.summary or UNSAID}", "  ")
    print(f"from: {one.distribution or 'not known'}")
    for text in one.about:
        print()
        if text.startswith("    "):
            print(text)
        else:
            for line in text.replace("`", "").splitlines():
                print_wrapped(line, "  " if line.startswith("- ") else "")
    print(f"\n{output.paint('[[kernel]]', 'bold')}")
    for line in example(one)[1:]:
        print(f"  {line}")
    print(f"\n{output.paint('gives', 'bold')}, behind the first input's name and a dot:")
    for point in one.outputs or ():
        kind = "" if point.kind == "analog" else f"{point.kind}, "
        print_wrapped(f"  {point.name}: {kind}{unit(point.unit)}; {point.label.get('en', '')}",
                      "      ")  # fmt: skip
    if one.outputs is None:
        print(f"  {UNSAID}")
    print_fields("fields", one.fields)
    if one.refuses:
        print()
        print_wrapped(f"It is refused when {one.refuses}", "  ")
