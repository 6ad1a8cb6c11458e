"""citytwin-edge: runs a gateway's agent, and helps the technician who sets it up."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Final

from citytwin.errors import CityTwinError
from citytwin.logs import configure
from citytwin_edge.cli import (
    adapters,
    commissioning,
    devices,
    examining,
    fitting,
    handover,
    hub,
    kernels,
    looking,
    new,
    page,
    profiles,
    running,
    watching,
    writing,
)

GROUPS: Final = (
    running,
    commissioning,
    devices,
    handover,
    profiles,
    adapters,
    kernels,
    new,
    hub,
    looking,
    watching,
    examining,
    page,
    writing,
    fitting,
)
"""Modules of this folder; each adds its commands with ``add_to``."""
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = parser().parse_args(arguments)
    configure(options.log, "info" if options.do is running.run else "error")
    try:
        code: int = options.do(options)
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            print()  # what is typed next does not stand behind a question
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; nothing may be written at exit, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CityTwinError, OSError) as error:
        print(f"citytwin-edge: {_words(error)}", file=sys.stderr)
        return int(getattr(error, "exit_code", 1))
    return code


def _words(error: Exception) -> str:
    """Return an error as a sentence; one of the system names its file, and what to do."""
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    denied = "; type sudo before the command" if isinstance(error, PermissionError) else ""
    return f"{error.filename}: {error.strerror}{denied}"


def parser() -> ArgumentParser:
    """Return the parser of all commands; imports no library."""
    whole = ArgumentParser(prog="citytwin-edge", description="A field gateway's agent.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add_to(commands)
    return whole
