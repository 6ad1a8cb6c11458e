"""Backlog: what was written and is not matched yet; bounded.

Writers put, one reader takes. When the reader is too slow, the backlog is emptied and has a gap:
the reader goes on from the evolution, until he has read it to its end.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from citytwin_hub.entities.entities import Written

CHANGES_MAX: Final = 20_000
"""Two seconds of ten thousand changes each."""


class Backlog:
    """May be used from any thread."""

    def __init__(self, wake: Callable[[], None], changes_max: int = CHANGES_MAX) -> None:
        """Begin with a gap: what was written before is in the evolution alone.

        Args:
            wake: called on the writer's thread when there is something to take.
            changes_max: how much is kept.
        """
        self._wake, self._changes_max = wake, changes_max
        self._lock = threading.Lock()
        self._written: deque[Written] = deque()
        self._changes, self._gap, self._gaps = 0, True, 0

    def put(self, written: Written) -> None:
        """Add what was written; called in the order of writing."""
        with self._lock:
            if self._changes + len(written.changes) > self._changes_max:
                self._written.clear()
                self._changes, self._gap = 0, True
                self._gaps += 1
            else:
                self._written.append(written)
                self._changes += len(written.changes)
        self._wake()

    def take(self) -> Written | None:
        """Return what was written first; None if there is nothing, or a gap."""
        with self._lock:
            if self._gap or not self._written:
                return None
            first = self._written.popleft()
            self._changes -= len(first.changes)
            return first

    @property
    def gap(self) -> int | None:
        """The gap for which the evolution must be read; None if there is none."""
        with self._lock:
            return self._gaps if self._gap else None

    def close_gap(self, gap: int, number: int) -> None:
        """Note that the evolution was read to its end, the record ``number``.

        What was put since and is not newer is left out. Nothing happens if there is a new gap since
        ``gap`` was asked for, which must be before the evolution was read.
        """
        with self._lock:
            if self._gaps != gap:
                return
            while self._written and self._written[0].number <= number:
                self._changes -= len(self._written.popleft().changes)
            self._gap = False
