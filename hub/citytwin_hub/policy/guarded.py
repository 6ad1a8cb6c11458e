"""Guarded: the entities of a tenant as one permit shows them, and as far as it lets change them.

Everything that asks or writes entities goes through ``Entities``; whoever is limited gets these in
their place. What he may not see is not there: not in queries, counts, extents nor lists of types.
What he may see but not change is refused with a sentence.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from citytwin_hub.entities.boxes import box_of
from citytwin_hub.entities.changes import Outcome, living
from citytwin_hub.entities.entities import Batch, Entities
from citytwin_hub.entities.errors import Forbidden, ResourceNotFound
from citytwin_hub.entities.fragment import Patch
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.store import Change, Hints
from citytwin_hub.policy.late import Late
from citytwin_hub.policy.sight import Sight

_HEAD: Final = frozenset({"type", "scope", "entity", "expiresAt", ""})
"""What an operation names as changed, and is no attribute."""


Made = TypeVar("Made")


class Keys:
    """A gate: what may be changed is what a sight has."""

    def __init__(self, reading: Sight, writing: Sight) -> None:
        """Take what may be seen, and what may be changed."""
        self._reading, self._writing = reading, writing

    def sees(self, entity: Entity) -> bool:
        """Tell whether an entity is there."""
        return self._reading.takes(entity) or self._writing.takes(entity)

    def check(self, change: Change) -> None:
        """Raise Forbidden where a change may not be made."""
        before, after, writing = change.before, change.after, self._writing
        known = {*before.types} if before else set()
        for entity in (before, after):
            if entity is not None and not writing.takes(entity):
                raise _not(change.id)
        for one in after.types if after else ():
            if one not in known and not writing.takes_types((one,)):
                raise Forbidden(f"you may not make {change.id} a {one}")
        had = before.attributes if before else {}
        has = after.attributes if after else {}
        changed = [name for name in {**had, **has} if had.get(name) != has.get(name)]
        for entity in (before, after):
            if entity is not None:
                self.check_names(entity, [name for name in changed if name in entity.attributes])

    def check_names(self, entity: Entity, names: Collection[str]) -> None:
        """Raise Forbidden where one of some attributes of an entity may not be written."""
        for name in names:
            if name not in _HEAD and not self._writing.has_whole(entity, name):
                raise Forbidden(f"you may not write {name} of {entity.id}, nor delete it")


class GuardedStore:
    """What of a store a sight has, for those who ask the store itself. It is only read."""

    def __init__(self, inner: Entities, sight: Sight, late: Late | None) -> None:
        """Take whose store, and who looks."""
        self._inner, self._sight, self._late = inner, sight, late
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, Any]] = {}

    def get(self, entity_id: str) -> Entity | None:
        """Return an entity."""
        return self.find([entity_id]).get(entity_id)

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there are."""
        found = (self._late or self._inner.store).find(ids)
        shown = {one: self._sight.show(entity) for one, entity in found.items()}
        return {one: entity for one, entity in shown.items() if entity is not None}

    def candidates(self, hints: Hints) -> Iterator[Entity]:
        """Yield the entities that hints do not rule out, in their order."""
        hints = self._sight.hints(hints)
        store = self._inner.store
        found = self._late.select(hints) if self._late else store.candidates(hints)
        for entity in found:
            shown = self._sight.show(entity)
            if shown is not None and _fits(shown, hints):
                yield shown

    def count(self, hints: Hints) -> int:
        """Return how many ``candidates`` would yield."""
        return sum(1 for _ in self._living(hints))

    def has_expiring(self) -> bool:
        """Tell whether something may have expired, which is still counted."""
        return self._inner.store.has_expiring()

    def types(self) -> Mapping[str, int]:
        """Return how many entities there are of each type."""
        return self._once("types", self._types)

    def attributes(self) -> Mapping[str, int]:
        """Return how many entities have each attribute."""
        return self._once("attributes", self._attributes)

    def attributes_of_types(self) -> Mapping[str, Collection[str]]:
        """Return the attributes that entities of each type have."""
        return self._once("attributes of types", self._attributes_of_types)

    def extents(self, attribute: str) -> Mapping[str, tuple[float, float, float, float]]:
        """Return west, south, east, north around the geometries of an attribute, by type."""
        return self._once(attribute, lambda: self._extents(attribute))

    def changed(self) -> int:
        """Return a number that is another one when something may have changed."""
        return self._late.moment_ns() if self._late else self._inner.store.changed()

    def write(self, changes: Sequence[Change], now_ns: int) -> int:  # noqa: ARG002
        """Refuse: what is written goes through a batch."""
        raise Forbidden("a guarded store is only read")

    def close(self) -> None:
        """Do nothing: the store belongs to somebody else."""

    def _living(self, hints: Hints) -> Iterator[Entity]:
        now_ns = self._inner.clock.now_ns()
        for entity in self.candidates(hints):
            alive = living(entity, now_ns)
            if alive is not None:
                yield alive

    def _types(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for entity in self._living(Hints()):
            for one in entity.types:
                found[one] = found.get(one, 0) + 1
        return found

    def _attributes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for entity in self._living(Hints()):
            for one in entity.attributes:
                found[one] = found.get(one, 0) + 1
        return found

    def _attributes_of_types(self) -> dict[str, list[str]]:
        found: dict[str, dict[str, None]] = {}
        for entity in self._living(Hints()):
            for one in entity.types:
                found.setdefault(one, {}).update(dict.fromkeys(entity.attributes))
        return {one: list(names) for one, names in found.items()}

    def _extents(self, attribute: str) -> dict[str, tuple[float, float, float, float]]:
        found: dict[str, tuple[float, float, float, float]] = {}
        for entity in self._living(Hints(attributes=[attribute])):
            shapes = [one.value for one in entity.attributes.get(attribute, ())
                      if one.kind is AttributeKind.GEO]  # fmt: skip
            box = box_of(shapes)
            if box is None:
                continue
            west, east, south, north = box
            for one in entity.types:
                known = found.get(one, (west, south, east, north))
                found[one] = (min(known[0], west), min(known[1], south),
                              max(known[2], east), max(known[3], north))  # fmt: skip
        return found

    def _once(self, key: str, make: Callable[[], Made]) -> Made:
        """Return what was made when nothing has changed since; what expires is seen late."""
        changed = self.changed()
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == changed:
            found: Made = known[1]
            return found
        found = make()
        with self._lock:
            self._known[key] = (changed, found)
        return found


class Guarded(Entities):
    """The entities of a tenant, for one set of rights; every method may be called on any thread."""

    store: GuardedStore

    def __init__(
        self, inner: Entities, reading: Sight, writing: Sight, late: Late | None = None
    ) -> None:
        """Stand on all entities.

        Args:
            inner: all of them.
            reading: what may be seen.
            writing: what may be changed.
            late: what they were when whoever looks may see them; None: now.
        """
        super().__init__(inner.store, inner.clock, inner.bindings)
        self.store = GuardedStore(inner, reading, late)
        self._inner, self._reading, self._late = inner, reading, late
        self._keys = Keys(reading, writing)
        self.observers, self.guards = inner.observers, inner.guards

    def get(self, entity_id: str) -> Entity:
        """Return an entity; raises ResourceNotFound."""
        entity = self.find([entity_id]).get(entity_id)
        if entity is None:
            raise ResourceNotFound(f"there is no entity {entity_id}")
        return entity

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there are."""
        found = (self._late or self._inner).find(ids)
        shown = {one: self._reading.show(entity) for one, entity in found.items()}
        return {one: entity for one, entity in shown.items() if entity is not None}

    def select(self, hints: Hints) -> Iterator[Entity]:
        """Yield the entities that hints do not rule out, in the order of their creation."""
        hints = self._reading.hints(hints)
        found = self._late.select(hints) if self._late else self._inner.select(hints)
        for entity in found:
            shown = self._reading.show(entity)
            if shown is not None and _fits(shown, hints):
                yield shown

    def count(self, hints: Hints) -> int | None:  # noqa: ARG002
        """Return None: it is known only by looking at each."""
        return None

    @contextlib.contextmanager
    def batch(self, *, own: bool = False) -> Iterator[Batch]:
        """Give a batch that refuses what may not be changed."""
        if own:
            raise Forbidden("only the hub itself says this")
        with self._inner.batch() as batch:
            batch.gate = self._keys
            yield batch

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Let nobody write until the end of the block."""
        with self._inner.still():
            yield

    def patch_attribute(self, entity_id: str, name: str, patch: Patch) -> Outcome:
        """Update parts of an attribute; raises Forbidden whether or not it is there."""
        self._require(entity_id, name)
        return super().patch_attribute(entity_id, name, patch)

    def replace_attribute(
        self, entity_id: str, name: str, instances: Sequence[Attribute]
    ) -> Outcome:
        """Replace an attribute; raises Forbidden whether or not it is there."""
        self._require(entity_id, name)
        return super().replace_attribute(entity_id, name, instances)

    def delete_attribute(
        self, entity_id: str, name: str, *, dataset: str = "", every: bool = False
    ) -> Outcome:
        """Delete an attribute; raises Forbidden whether or not it is there."""
        self._require(entity_id, name)
        return super().delete_attribute(entity_id, name, dataset=dataset, every=every)

    def purge(
        self, hints: Hints, matches: Callable[[Entity], bool], names: Collection[str], *, drop: bool
    ) -> int:
        """Delete entities, or some of their attributes: all that match, or none of them."""
        ids = [one.id for one in self.select(hints) if matches(one)]
        for entity in self._inner.find(ids).values():
            if not names:
                self._keys.check(Change(entity, None))
                continue
            gone = [name for name in entity.attributes if (name in names) == drop]
            self._keys.check(Change(entity, entity))
            self._keys.check_names(entity, gone)
        return super().purge(hints, matches, names, drop=drop)

    def _require(self, entity_id: str, name: str) -> None:
        entity = self._inner.find([entity_id]).get(entity_id)
        if entity is not None and self._keys.sees(entity):
            self._keys.check_names(entity, [name])


def _fits(shown: Entity, hints: Hints) -> bool:
    """Tell whether what is shown of an entity is still what hints ask for, by its attributes."""
    wanted = hints.attributes
    return wanted is None or not shown.attributes.keys().isdisjoint(wanted)


def _not(entity_id: str) -> Forbidden:
    return Forbidden(f"you may not change {entity_id}, nor make it")
