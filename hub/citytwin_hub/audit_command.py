"""Audit command: what `citytwin-hub audit` reads of the log's own files, without the hub."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from citytwin.batch import SECOND_NS
from citytwin.errors import CityTwinError
from citytwin_hub import tables
from citytwin_hub.audit import HEAD, entries, verify

WORDS: Final = "verify that nobody changed the audit log, or show its newest records"
IS_LOCAL: Final = True
"""It reads files, and asks no hub."""
COLUMNS: Final = ("number", "time", "who", "source", "what", "on", "result")
LIMIT_MAX: Final = 100_000
_NOTE: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("action", choices=("verify", "show"))
    command.add_argument(
        "--note", metavar="NUMBER:HASH", help="what an earlier verify said: it must be in the log"
    )
    command.add_argument("--limit", type=int, default=100, help="show: newest records (100)")


def answer(options: Any, _client: object) -> Any:
    """Read the log; return what is found, once all of it has been verified.

    Raises:
        CityTwinError: there is no log, or somebody changed it.
        OSError: it cannot be read.
    """
    folder: Path = options.config.state / "audit"
    if not (folder / HEAD).exists() and not any(folder.glob("*.log")):
        raise CityTwinError(f"there is no audit log in {folder}; is --config right?")
    if not 1 <= options.limit <= LIMIT_MAX:
        raise CityTwinError(f"--limit is from 1 to {LIMIT_MAX}")
    found = verify(folder, _note(options.note))
    if options.action == "verify":
        return found._asdict()
    newest = deque(entries(folder), options.limit)
    return [
        {"number": one.number, "time": _text(one.time_ns), **one.deed._asdict(), "hash": one.hash}
        for one in newest
    ]


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    if options.action == "show":
        yield from tables.table(found, COLUMNS)
        return
    yield f"{found['number']} records, none of them changed"
    if found["torn_bytes"]:
        yield (
            f"after them {found['torn_bytes']} bytes of a record that was not finished, "
            "which is no tampering: the next start of the hub cuts them off"
        )
    yield f"keep elsewhere, for --note: {found['number']}:{found['hash']}"


def _note(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    found = _NOTE.fullmatch(text)
    if found is None:
        raise CityTwinError(f"--note {text!r} is not NUMBER:HASH, as audit verify prints it")
    return int(found[1]), found[2]


def _text(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
