"""Makes what the documents show: each step writes the files it names, so no picture grows old.

python docs/make_docs.py              all steps
python docs/make_docs.py --list       name the steps and their files
python docs/make_docs.py STEP ...     some of them
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


@dataclass(frozen=True)
class Step:
    """One thing that is made: its name, its files below docs/, and what makes them."""

    name: str
    files: tuple[str, ...]
    make: Callable[[], None]


STEPS: tuple[Step, ...] = ()


def run(steps: list[Step]) -> int:
    """Run the steps; a step that leaves one of its files unwritten has failed."""
    for step in steps:
        before = {name: modified(DOCS / name) for name in step.files}
        step.make()
        for name, was in before.items():
            if modified(DOCS / name) == was:
                print(f"{step.name}: docs/{name} was not written", file=sys.stderr)
                return 1
        print(f"{step.name}: {', '.join(f'docs/{name}' for name in step.files)}")
    return 0


def modified(path: Path) -> int:
    """Return when a file was last written, in nanoseconds, or 0 when there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def main() -> int:
    """Run the steps that were asked for."""
    parser = argparse.ArgumentParser(description="Make what the documents show.")
    parser.add_argument("steps", nargs="*", metavar="STEP")
    parser.add_argument("--list", action="store_true", help="name the steps and their files")
    arguments = parser.parse_args()
    by_name = {step.name: step for step in STEPS}
    unknown = [name for name in arguments.steps if name not in by_name]
    if unknown:
        parser.error(f"there is no step {unknown[0]!r}; there are: {', '.join(by_name) or 'none'}")
    chosen = [by_name[name] for name in arguments.steps] or list(STEPS)
    if arguments.list:
        for step in chosen:
            print(step.name, *step.files)
        return 0
    return run(chosen)


if __name__ == "__main__":
    sys.exit(main())
