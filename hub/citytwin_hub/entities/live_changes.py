"""Live changes: what points gave since somebody last looked, as changes of entities.

Values of points are in the twin and nowhere else, so no record of the evolution says that they
changed. Whoever notifies looks at the twin now and then: entities whose points gave something
since are told as before and after. Several samples between two looks are one change, the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from citytwin.batch import Int32
from citytwin_hub.entities.bindings import Bindings
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.store import Change
from citytwin_hub.twin import Latest, Twin

Stored = Callable[[Collection[str]], Mapping[str, Entity]]
"""Looks up entities as they are stored, without what points give."""


class Seen:
    """What points had given when somebody last looked, in columns by row. Belongs to one thread."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._time = np.zeros(0, np.int64)
        self._value = np.zeros(0)
        self._quality = np.zeros(0, np.uint8)
        self._received = np.zeros(0, np.int64)

    def read(self, rows: Sequence[int] | Int32 | None = None) -> Latest:
        """Return what was seen of some rows, or of every row; time 0: nothing."""
        chosen: Int32 = (
            np.flatnonzero(self._time).astype(np.int32)
            if rows is None
            else np.asarray(rows, np.int32)
        )
        self._reserve(chosen)
        return Latest(
            chosen,
            self._time[chosen],
            self._value[chosen],
            self._quality[chosen],
            self._received[chosen],
        )

    def take(self, latest: Latest) -> None:
        """Note what is seen now."""
        self._reserve(latest.row)
        self._time[latest.row] = latest.time_ns
        self._value[latest.row] = latest.value
        self._quality[latest.row] = latest.quality
        self._received[latest.row] = latest.received_ns

    def _reserve(self, rows: Int32) -> None:
        more = int(rows.max(initial=-1)) + 1 - len(self._time)
        if more > 0:
            for name in ("_time", "_value", "_quality", "_received"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate((column, np.zeros(more, column.dtype))))


class LiveChanges:
    """Follows the twin for one tenant; every method is called on one thread."""

    def __init__(self, bindings: Bindings, twin: Twin, stored: Stored) -> None:
        """Take what points give which attributes, what they gave last, and who has them."""
        self._bindings, self._twin, self._stored = bindings, twin, stored
        self._seen, self._version = Seen(), 0
        self.received_ns = 0
        """When the newest sample that was seen was received; 0 before the first."""

    def begin(self, received_ns: int | None) -> None:
        """Take what was received up to a moment as seen; None: all that is there."""
        version, latest = self._twin.version, self._twin.read()
        self._seen = Seen()
        if received_ns is None:
            self._seen.take(latest)
            self._version, self.received_ns = version, int(latest.received_ns.max(initial=0))
        else:
            self._seen.take(_some(latest, latest.received_ns <= received_ns))
            self._version, self.received_ns = 0, received_ns

    def next(self, wanted: Callable[[frozenset[str]], bool]) -> list[Change]:
        """Return what changed since the last call.

        Args:
            wanted: tells whether anybody wants to know of one of some attributes; where nobody
                does, no entity is looked up.
        """
        owners = self._bindings.owners
        changed, self._version = self._twin.changed_since(self._version)
        rows = [row for row in changed.tolist() if row in owners]
        if not rows:
            return []
        latest = self._twin.read(rows)
        self.received_ns = max(self.received_ns, int(latest.received_ns.max()))
        if not wanted(self._bindings.attributes):
            self._seen.take(latest)
            return []
        found = self._stored({owners[row] for row in rows}).values()
        before = [self._bindings.overlay(one, self._seen) for one in found]
        self._seen.take(latest)
        return [
            Change(old, self._bindings.overlay(one, self._seen))
            for old, one in zip(before, found, strict=True)
        ]

    def since(self, received_ns: int) -> list[Change]:
        """Return what was received after a moment, as far as it was seen.

        What such a point had given before is not known any more: its attribute is told as new.
        """
        owners, seen = self._bindings.owners, self._seen.read()
        new = seen.received_ns > received_ns
        ids = {owners[row] for row in seen.row[new].tolist() if row in owners}
        before = Seen()
        before.take(_some(seen, ~new))
        overlay = self._bindings.overlay
        return [
            Change(overlay(one, before), overlay(one, self._seen))
            for one in self._stored(ids).values()
        ]

    def overlaid(self, changes: Iterable[Change]) -> list[Change]:
        """Return changes of what is stored, with what points gave beside it."""
        return [Change(self._with(one.before), self._with(one.after)) for one in changes]

    def _with(self, entity: Entity | None) -> Entity | None:
        return entity and self._bindings.overlay(entity, self._seen)


def _some(latest: Latest, chosen: npt.NDArray[np.bool_]) -> Latest:
    return Latest(
        latest.row[chosen],
        latest.time_ns[chosen],
        latest.value[chosen],
        latest.quality[chosen],
        latest.received_ns[chosen],
    )
