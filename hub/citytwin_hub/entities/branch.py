"""Branch: entities as they were at one moment, and what was done to them there since.

A branch costs its differences only. It has a file of its own for what is not as in the base: what
the base was when the branch began, kept just before the base changes it, and what was changed in
the branch itself. All else is read from the base.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from citytwin.errors import StoreLimit
from citytwin_hub.entities.boxes import boxes_of
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Change, EntityStore, Hints

DIFFERENCES_MAX: Final = 500_000
"""Entities of a branch that are not as in the base."""
NAMED_MAX: Final = 1_000
"""A branch of so few entities reads them by name, a larger one through the indexes of the base."""
BEGINNING_NS: Final = 0
"""The moment of what the base was: nothing that was done in the branch is so old."""


class Branch:
    """An ``EntityStore``: that of a base at the moment when the branch began, and changes.

    In the order of creation come first the entities that are as in the base, then the others.
    """

    def __init__(
        self, base: EntityStore, own: SqliteEntities, members: Collection[str] | None
    ) -> None:
        """Begin, or go on with what lies in a file.

        Args:
            base: whose entities they are; ``preserve`` is called before they change.
            own: what is not as in the base; the branch closes it.
            members: identifiers of the only entities that it begins with; None: all.
        """
        self._base, self._own, self._lock = base, own, threading.RLock()
        self.members = None if members is None else frozenset(members)
        self._touched, self._changed = set(own.known_ids()), set(own.changed_ids())

    def close(self) -> None:
        """Release the file."""
        self._own.close()

    @property
    def own(self) -> SqliteEntities:
        """The file with the differences."""
        return self._own

    @property
    def changed_here(self) -> frozenset[str]:
        """Identifiers of the entities that were changed in the branch."""
        with self._lock:
            return frozenset(self._changed)

    @property
    def touched(self) -> frozenset[str]:
        """Identifiers of the entities that are not read from the base."""
        with self._lock:
            return frozenset(self._touched)

    def preserve(self, changes: Sequence[Change]) -> None:
        """Keep what the base is about to change.

        Raises:
            StoreLimit: there are too many differences.
            StoreError: the file cannot be written.
        """
        with self._lock:
            before: dict[str, Entity | None] = {}
            for change in changes:
                if self._is_of_base(change.id):
                    before.setdefault(change.id, change.before)
            made: list[Change] = []
            for entity_id, entity in before.items():
                if entity is None:  # it comes later, so it is not here
                    made += _gone(Entity(id=entity_id, types=("",)))
                else:
                    made.append(Change(None, entity))
            self._keep(made, BEGINNING_NS)

    def write(self, changes: Sequence[Change], now_ns: int) -> int:
        """Keep changes; return the number of the last one in the branch's own log."""
        with self._lock:
            made: list[Change] = []
            seen = set[str]()
            for change in changes:
                if change.id in self._touched or change.id in seen:
                    made.append(change)
                elif change.after is None:
                    made += _gone(change.before) if change.before else ()
                else:
                    made.append(Change(None, change.after))
                seen.add(change.id)
            number = self._keep(made, max(now_ns, BEGINNING_NS + 1))
            self._changed |= seen
        return number

    def get(self, entity_id: str) -> Entity | None:
        """Return an entity."""
        return self.find([entity_id]).get(entity_id)

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there are."""
        # The base is read first: what changes there meanwhile has been preserved before.
        found = dict(self._base.find([one for one in ids if self._is_of_base(one)]))
        own = [one for one in ids if one in self._touched]
        for one in own:
            found.pop(one, None)
        if own:
            found |= self._own.find(own)
        return found

    def candidates(self, hints: Hints) -> Iterator[Entity]:
        """Yield the entities that hints do not rule out.

        One that changes in the base moves behind all that are as there, also for who goes on
        ``after`` another; after one that the base has no more, and that was none of its members,
        comes nothing.
        """
        here, there = hints, replace(hints, cell=0.0)  # a square's only one might not be of it
        if hints.after in self._touched:
            there = replace(there, ids=())
        elif hints.after:
            if self._base.get(hints.after) is None:
                return
            here = replace(here, after="")
        if (
            there.ids is None
            and hints.ids is None
            and self.members is not None
            and len(self.members) <= NAMED_MAX
        ):
            there = replace(there, ids=self.members)
        seen = set[str]()
        for entity in self._base.candidates(there):
            if self._is_of_base(entity.id):
                seen.add(entity.id)
                yield entity
        for entity in self._own.candidates(here):
            if entity.id not in seen:
                yield entity

    def count(self, hints: Hints) -> int:
        """Return how many ``candidates`` would yield."""
        return sum(1 for _ in self.candidates(hints))

    def has_expiring(self) -> bool:
        """Return whether any entity, or part of one, has an end."""
        return self._base.has_expiring() or self._own.has_expiring()

    def types(self) -> Mapping[str, int]:
        """Return how many entities there are of each type."""
        return Counter(iri for one in self.candidates(Hints()) for iri in one.types)

    def attributes(self) -> Mapping[str, int]:
        """Return how many entities have each attribute."""
        return Counter(iri for one in self.candidates(Hints()) for iri in one.attributes)

    def attributes_of_types(self) -> Mapping[str, Collection[str]]:
        """Return the attributes that entities of each type have."""
        found: dict[str, set[str]] = {}
        for one in self.candidates(Hints()):
            for iri in one.types:
                found.setdefault(iri, set()).update(one.attributes)
        return found

    def extents(self, attribute: str) -> Mapping[str, tuple[float, float, float, float]]:
        """Return west, south, east, north around the geometries of an attribute, by type."""
        found: dict[str, tuple[float, float, float, float]] = {}
        for one in self.candidates(Hints(attributes=[attribute])):
            box = boxes_of(one).get(attribute)
            if box is not None:
                found |= {iri: _around(found.get(iri), box) for iri in one.types}
        return found

    def changed(self) -> int:
        """Return the number of the last record in the branch's own log."""
        return self._own.changed()

    def _is_of_base(self, entity_id: str) -> bool:
        if entity_id in self._touched:
            return False
        return self.members is None or entity_id in self.members

    def _keep(self, made: Sequence[Change], now_ns: int) -> int:
        if not made:
            return 0
        ids = {change.id for change in made}
        if len(self._touched | ids) > DIFFERENCES_MAX:
            raise StoreLimit(f"a branch has more than {DIFFERENCES_MAX} differences")
        number = self._own.write(made, now_ns)
        self._touched |= ids
        return number


def _gone(entity: Entity) -> list[Change]:
    """Return changes after which an entity is known, and not there."""
    return [Change(None, entity), Change(entity, None)]


def _around(
    known: tuple[float, float, float, float] | None, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    west, east, south, north = box
    if known is None:
        return west, south, east, north
    return min(known[0], west), min(known[1], south), max(known[2], east), max(known[3], north)
