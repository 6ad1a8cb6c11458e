"""What waits in a gateway's outbox for the hub, seen from outside."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from installer.errors import InstallError

BUSY_S_MAX: Final = 5.0


class Waiting(NamedTuple):
    """How many entries wait, and how many samples are in them."""

    entries: int
    samples: int

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.samples} samples in {self.entries} entries"


def waiting(outbox: Path) -> Waiting:
    """Return what waits in an outbox; nothing where there is none.

    Raises:
        InstallError: it cannot be read.
    """
    if not outbox.exists():
        return Waiting(0, 0)
    try:
        with contextlib.closing(
            sqlite3.connect(f"{outbox.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S_MAX)
        ) as db:
            entries, samples = db.execute(
                "SELECT count(*), coalesce(sum(samples), 0) FROM entries"
            ).fetchone()
    except sqlite3.Error as error:
        raise InstallError(
            f"nobody knows what waits in {outbox} for the hub: {error}; --yes removes it unread"
        ) from None
    return Waiting(int(entries), int(samples))
