"""The command line of the bundler."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bundler.bundle import BundleError, make
from bundler.kinds import ARCHITECTURES, PYTHONS, Kind, this_machine

ROOT = Path(__file__).resolve().parents[2]
HERE = "here"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one bundle; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        made = make(
            ROOT, options.part, options.folder, kinds_of(options), here=HERE in options.kind,
            compiled=options.compiled,
        )  # fmt: skip
    except BundleError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    print(f"{options.folder} is ready: {made.size_bytes / 1e6:.0f} MB, {made.wheels} wheels, for "
          f"{made.words}; copy it to the machine and run there: sudo ./install.sh")  # fmt: skip
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bundle", description=__doc__)
    parser.add_argument("part", choices=("edge", "hub"))
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--for", dest="kind", action="append", choices=(*ARCHITECTURES, HERE),
        help="processor, several times for several (amd64 and arm64); "
        "here: this machine's, with this Python, built where there is no ready-made file",
    )  # fmt: skip
    parser.add_argument("--python", action="append", metavar="3.N", help=f"({', '.join(PYTHONS)})")
    parser.add_argument(
        "--compiled", action="store_true",
        help="a gateway's with numba: kernels seven times as fast, 160 MiB more in memory",
    )  # fmt: skip
    parser.set_defaults(kind=[])
    return parser


def kinds_of(options: argparse.Namespace) -> list[Kind]:
    """Return the kinds of machines that a bundle is for.

    Raises:
        BundleError: a Python version is none.
    """
    if options.compiled and options.part != "edge":
        raise BundleError("--compiled is for a gateway: a hub has no kernels")
    if HERE in options.kind:
        if len(options.kind) > 1 or options.python:
            raise BundleError("--for here goes with no other --for and no --python")
        return [this_machine()]
    for version in options.python or ():
        major, _, minor = version.partition(".")
        if major != "3" or not minor.isdecimal():
            raise BundleError(f"--python {version}: write 3.N, such as {PYTHONS[0]}")
    architectures = dict.fromkeys(options.kind or ("amd64", "arm64"))
    pythons = dict.fromkeys(options.python or PYTHONS)
    return [Kind(architecture, python) for architecture in architectures for python in pythons]
