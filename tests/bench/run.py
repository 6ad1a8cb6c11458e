"""``make bench``: every benchmark in one run, printed as tables, and kept in docs/figures.md.

``make bench ARGS="fleet gateway"`` runs some; ``--keep`` puts what was measured into the document,
with the day and the machine, in place of what stood there of the same benchmarks.
"""

from __future__ import annotations

import argparse
import datetime
import inspect
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from citytwin import SystemClock
from citytwin.batch import SECOND_NS
from citytwin_edge.catalogue.adapter_page import markdown_table
from tests.bench import (
    bench_anomaly,
    bench_batadal,
    bench_codec,
    bench_decode,
    bench_fleet,
    bench_gateway,
    bench_graph,
    bench_leaks,
    bench_mqtt,
    bench_ngsild,
    bench_snapshots,
    bench_subscriptions,
)

Table = list[list[str]]

BENCHES: Final[dict[str, Callable[[], Table]]] = {
    "anomaly": bench_anomaly.run,
    "anomaly-budget": bench_anomaly.run_budgets,
    "anomaly-cost": bench_anomaly.cost,
    "codec": bench_codec.run,
    "decode": bench_decode.run,
    "gateway": bench_gateway.run,
    "graph": bench_graph.run,
    "fleet": bench_fleet.run,
    "mqtt": bench_mqtt.run,
    "ngsild": bench_ngsild.run,
    "snapshots": bench_snapshots.run,
    "subscriptions": bench_subscriptions.run,
    "subscriptions-delay": bench_subscriptions.run_delays,
    "leaks": bench_leaks.run,
    "batadal": bench_batadal.run,
}
ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = ROOT / "docs/figures.md"
HEAD: Final = """\
# Figures

What `make bench` measured, kept by `make bench ARGS="--keep …"`; nothing here is typed by hand.
Ratios within one table are to be trusted; absolute figures are those of one machine on one day.
"""


def commit(root: Path) -> str:
    """Return the commit that a tree is of, with -dirty where it is another one by now.

    The document of figures is left out: what is kept of one benchmark is no change to the next.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False, timeout=60,
        ).stdout.strip()  # fmt: skip

    changed = git("status", "--porcelain", "--", ".", f":!{DOCUMENT.relative_to(ROOT)}")
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def machine() -> str:
    """Return in a line what this was measured on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    name = " ".join(cpu[1].split()) if cpu else platform.machine()
    version = commit(ROOT)
    day = datetime.datetime.fromtimestamp(SystemClock().now_ns() / SECOND_NS, datetime.UTC).date()
    return (
        f"{day}, {len(os.sched_getaffinity(0))} cores ({name}), {platform.system()} "
        f"{platform.release().split('-')[0]}, Python {platform.python_version()}, at {version}."
    )


def section(name: str, about: str, table: Table) -> str:
    """Return a benchmark's part of the document."""
    lines = [f"## {name}", "", about, "", *markdown_table(table[0], table[1:]), "", machine(), ""]
    return "\n".join(lines)


def kept(document: str, name: str, text: str) -> str:
    """Return the document with a benchmark's part in its place, the others as they are."""
    head, *parts = re.split(r"^(?=## )", document or HEAD, flags=re.MULTILINE)
    sections = {part.split(maxsplit=2)[1]: part.rstrip() + "\n" for part in parts}
    sections[name] = text
    order = [one for one in BENCHES if one in sections]
    return head.rstrip() + "\n\n" + "\n".join(sections[one] for one in order)


def shown(table: Table) -> str:
    """Return a table as a terminal shows it."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def main(words: Sequence[str]) -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--keep", action="store_true", help="put the tables into docs/figures.md")
    options = parser.parse_args(words)
    if unknown := [name for name in options.names if name not in BENCHES]:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHES)}")
    for name in options.names or BENCHES:
        print(f"\n== {name}", flush=True)
        table = BENCHES[name]()
        print(shown(table), flush=True)
        if options.keep and len(table) > 1:  # a benchmark without its data has nothing to keep
            about = inspect.getdoc(sys.modules[BENCHES[name].__module__]) or ""
            document = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
            text = section(name, about, table)
            DOCUMENT.write_text(kept(document, name, text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
