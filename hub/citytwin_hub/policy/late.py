"""Late: the city as it was a while ago, with measured values averaged: what open data show.

The moment moves in steps, so that asking again and again shows nothing between them; means are of
whole steps of one grid, since those of overlapping spans would tell what lies between.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from msgspec.structs import replace

from citytwin.batch import SECOND_NS, Int32
from citytwin.clock import Clock
from citytwin.history import HistoryStore
from citytwin_hub.entities.bindings import Bindings, Bound
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.store import Hints
from citytwin_hub.entities.temporal import Temporal
from citytwin_hub.policy.grants import Rights
from citytwin_hub.twin import Latest

TWINS_MAX: Final = 100
STEPS: Final = 10
"""Into so many steps a delay is cut where nothing is averaged."""


def grid_ns(rights: Rights) -> int:
    """Return the step in which the moment moves that some rights show."""
    return max(rights.mean_ns or rights.delay_ns // STEPS, SECOND_NS)


def moment_ns(rights: Rights, now_ns: int) -> int:
    """Return the newest moment that some rights show: what was before it (UTC nanoseconds)."""
    grid = grid_ns(rights)
    return (now_ns - rights.delay_ns) // grid * grid


class LateTwin:
    """What points gave in the last whole step before a moment: its mean; for any thread."""

    def __init__(self, history: HistoryStore, clock: Clock, rights: Rights) -> None:
        """Take where samples are, a clock, and how late and coarse they are shown."""
        self._history, self._clock, self.rights = history, clock, rights
        self._lock = threading.Lock()
        self._moment_ns, self._known = 0, dict[int, tuple[int, float, int]]()

    def moment_ns(self) -> int:
        """Return the moment that is shown now."""
        return moment_ns(self.rights, self._clock.now_ns())

    def read(self, rows: Sequence[int] | Int32 | None = None) -> Latest:
        """Return what some rows gave; of all: what was asked for since the moment moved."""
        moment = self.moment_ns()
        with self._lock:
            if moment != self._moment_ns:
                self._moment_ns, self._known = moment, {}
            wanted = sorted(self._known) if rows is None else [int(row) for row in rows]
            missing = [row for row in wanted if row not in self._known]
            if missing:
                self._known |= self._means(missing, moment)
            found = [self._known[row] for row in wanted]
        times = np.array([one[0] for one in found], np.int64)
        return Latest(
            np.array(wanted, np.int32),
            times,
            np.array([one[1] for one in found], np.float64),
            np.array([one[2] for one in found], np.uint8),
            times.copy(),
        )

    def _means(self, rows: list[int], moment: int) -> dict[int, tuple[int, float, int]]:
        grid = grid_ns(self.rights)
        found: dict[int, tuple[int, float, int]] = dict.fromkeys(rows, (0, float("nan"), 0))
        sums = self._history.aggregate(rows, moment - grid, moment, step_ns=grid)
        for row, mean, quality in zip(sums.point, sums.mean, sums.quality, strict=True):
            found[int(row)] = (moment, float(mean), int(quality))
        return found


class LateTwins:
    """One for each set of rights; for any thread."""

    def __init__(self, history: HistoryStore, clock: Clock) -> None:
        """Take where samples are, and a clock."""
        self._history, self._clock, self._lock = history, clock, threading.Lock()
        self._known: dict[tuple[int, int], LateTwin] = {}

    def of(self, rights: Rights) -> LateTwin:
        """Return what points gave, as late and coarse as some rights show it."""
        key = rights.delay_ns, rights.mean_ns
        with self._lock:
            if key not in self._known:
                if len(self._known) >= TWINS_MAX:
                    self._known.clear()
                self._known[key] = LateTwin(self._history, self._clock, rights)
            return self._known[key]


class Late:
    """The entities of a tenant as they were at the moment that some rights show."""

    def __init__(self, temporal: Temporal, twin: LateTwin, bindings: Bindings | None) -> None:
        """Take how entities evolved, what points gave, and which attributes points give."""
        self._temporal, self._twin = temporal, twin
        self._bindings = None if bindings is None else bindings.at(twin)
        self._given = bindings.of if bindings is not None else _nothing

    def moment_ns(self) -> int:
        """Return the moment that is shown now."""
        return self._twin.moment_ns()

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there were."""
        found = self._temporal.all_at(self.moment_ns(), ids)
        return {one.id: self._overlaid(one) for one in found}

    def select(self, hints: Hints) -> Iterator[Entity]:
        """Yield the entities that there were, in the order of their creation."""
        passed = not hints.after
        for entity in self._temporal.all_at(self.moment_ns(), hints.ids, hints.types):
            if passed:
                yield self._overlaid(entity)
            passed = passed or entity.id == hints.after

    def _overlaid(self, entity: Entity) -> Entity:
        """Return an entity with means in the place of samples, which are finer."""
        given = {(one.attribute, one.dataset) for one in self._given(entity.id)}
        if given:
            kept = {
                iri: tuple(one for one in instances if (iri, one.dataset) not in given)
                for iri, instances in entity.attributes.items()
            }
            attributes = {iri: instances for iri, instances in kept.items() if instances}
            entity = replace(entity, attributes=attributes)
        return entity if self._bindings is None else self._bindings.overlay(entity)


def _nothing(_entity_id: str) -> Sequence[Bound]:
    return ()
