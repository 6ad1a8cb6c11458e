"""Entities: what may be done with the entities of one tenant; each operation whole or not at all.

The operations are those of ETSI GS CIM 009, clause 5.6 (provision) and 5.7 (retrieval). One lock
orders the writers; readers wait for nobody. Who wants to know of changes is called after they are
durable, in their order (``observers``); who keeps what was, before (``guards``, which never fail).
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec.structs import replace

from citytwin.clock import Clock
from citytwin_hub.entities import changes
from citytwin_hub.entities.bindings import Bindings, Bound
from citytwin_hub.entities.changes import Outcome
from citytwin_hub.entities.errors import AlreadyExists, BadRequestData, ResourceNotFound
from citytwin_hub.entities.fragment import Fragment, Patch
from citytwin_hub.entities.model import Attribute, Entity
from citytwin_hub.entities.store import Change, EntityStore, Hints

COMMANDS: Final = "urn:ngsi-ld:Command:"
"""How identifiers of commands begin: only the hub writes these entities."""
PURGE_ENTITIES_MAX: Final = 1000
"""Entities that a purge takes in one transaction; it goes on until none is left."""


@dataclass(frozen=True, slots=True)
class Written:
    """What observers are told: changes that are durable.

    Attributes:
        changes: in their order.
        number: that of the last record of their evolution.
        now_ns: the moment of all of them.
    """

    changes: Sequence[Change]
    number: int
    now_ns: int


class Entities:
    """Operations on the entities of one tenant; every method may be called on any thread."""

    def __init__(self, store: EntityStore, clock: Clock, bindings: Bindings | None = None) -> None:
        """Stand on a store, and on the points that give attributes, where there are any."""
        self.store, self.clock, self.bindings = store, clock, bindings
        self._lock = threading.RLock()
        self.observers: list[Callable[[Written], None]] = []
        self.guards: list[Callable[[Sequence[Change]], None]] = []

    def get(self, entity_id: str) -> Entity:
        """Return an entity (5.7.1).

        Raises:
            ResourceNotFound: there is none with this identifier.
        """
        entity = self.store.get(entity_id)
        alive = entity and self._live(entity, self.clock.now_ns())
        if alive is None:
            raise ResourceNotFound(f"there is no entity {entity_id}")
        return alive

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there are."""
        now_ns = self.clock.now_ns()
        found = {one: self._live(entity, now_ns) for one, entity in self.store.find(ids).items()}
        return {one: entity for one, entity in found.items() if entity is not None}

    def select(self, hints: Hints) -> Iterator[Entity]:
        """Yield the entities that hints do not rule out, in the order of their creation."""
        now_ns = self.clock.now_ns()
        bound = self.bindings.attributes if self.bindings else frozenset[str]()
        if bound:
            hints = _without(hints, bound)
        for entity in self.store.candidates(hints):
            alive = self._live(entity, now_ns)
            if alive is not None:
                yield alive

    def count(self, hints: Hints) -> int | None:
        """Return how many ``select`` yields, if that is known without reading them."""
        bound = self.bindings.attributes if self.bindings else frozenset[str]()
        if _without(hints, bound) != hints or self.store.has_expiring():
            return None
        return self.store.count(hints)

    def _live(self, entity: Entity, now_ns: int) -> Entity | None:
        """Return an entity without what has expired, with what its points give."""
        alive = changes.living(entity, now_ns)
        return self.bindings.overlay(alive) if alive and self.bindings else alive

    def create(self, entity: Entity) -> None:
        """Create an entity (5.6.1).

        Raises:
            AlreadyExists: there is one with this identifier.
        """
        with self.batch() as batch:
            batch.create(entity)

    def delete(self, entity_id: str) -> None:
        """Delete an entity (5.6.6).

        Raises:
            ResourceNotFound: there is none with this identifier.
        """
        with self.batch() as batch:
            batch.delete(entity_id)

    def append(self, entity_id: str, fragment: Fragment, *, overwrite: bool = True) -> Outcome:
        """Append attributes (5.6.3).

        Raises:
            ResourceNotFound: there is no such entity.
        """
        return self.change(
            entity_id, lambda one, now: changes.append(one, fragment, now, overwrite=overwrite)
        )

    def update(self, entity_id: str, fragment: Fragment) -> Outcome:
        """Update attributes (5.6.2); raises as ``append``."""
        return self.change(entity_id, lambda one, now: changes.update(one, fragment, now))

    def merge(
        self, entity_id: str, fragment: Fragment, *, observed_ns: int | None = None
    ) -> Outcome:
        """Merge what is given into an entity (5.6.17); raises as ``append``."""
        return self.change(
            entity_id, lambda one, now: changes.merge(one, fragment, now, observed_ns=observed_ns)
        )

    def replace(self, entity: Entity) -> None:
        """Put an entity in the place of that with its identifier (5.6.18); raises as ``append``."""
        self.change(
            entity.id,
            lambda one, now: Outcome(changes.replaced(one, entity, now), updated=("entity",)),
        )

    def patch_attribute(self, entity_id: str, name: str, patch: Patch) -> Outcome:
        """Update parts of an attribute (5.6.4).

        Raises:
            ResourceNotFound: there is no such entity or attribute.
            BadRequestData: the attribute is of another kind.
        """
        return self.change(
            entity_id, lambda one, now: changes.patch_attribute(one, name, patch, now)
        )

    def replace_attribute(
        self, entity_id: str, name: str, instances: Sequence[Attribute]
    ) -> Outcome:
        """Replace an attribute (5.6.19); raises as ``patch_attribute``."""
        return self.change(
            entity_id, lambda one, now: changes.replace_attribute(one, name, instances, now)
        )

    def delete_attribute(
        self, entity_id: str, name: str, *, dataset: str = "", every: bool = False
    ) -> Outcome:
        """Delete an attribute (5.6.5); raises as ``patch_attribute``."""
        return self.change(
            entity_id,
            lambda one, now: changes.delete_attribute(one, name, now, dataset=dataset, every=every),
        )

    def change(self, entity_id: str, make: Callable[[Entity, int], Outcome]) -> Outcome:
        """Make an entity what ``make`` returns; nothing is written where nothing was changed.

        Raises:
            ResourceNotFound: there is no such entity.
        """
        with self.batch() as batch:
            return batch.change(entity_id, make)

    @contextlib.contextmanager
    def batch(self, *, own: bool = False) -> Iterator[Batch]:
        """Give a batch that is written at the end of the block, whole; nobody else writes then.

        ``own``: what the hub itself says, which nobody else may write.
        """
        with self._lock:
            refuse = _refuse_nothing if own else self._refuse
            batch = Batch(self.store, self.clock.now_ns(), refuse)
            yield batch
            self._write(batch.changes, batch.now_ns)

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Let nobody write until the end of the block."""
        with self._lock:
            yield

    def purge(
        self, hints: Hints, matches: Callable[[Entity], bool], names: Collection[str], *, drop: bool
    ) -> int:
        """Delete the entities that match, or only some of their attributes (5.6.21).

        Args:
            hints: which to look at.
            matches: which of these.
            names: IRIs of attributes to be dropped, or kept; empty: whole entities go.
            drop: whether ``names`` go or stay.

        Returns:
            How many entities were changed or deleted.
        """

        def keep(one: Entity, now_ns: int) -> Outcome:
            return changes.keep_only(one, names, now_ns, drop=drop)

        found = (one for one in self.select(hints) if not one.id.startswith(COMMANDS))
        ids = [one.id for one in found if matches(one)]
        for start in range(0, len(ids), PURGE_ENTITIES_MAX):
            with self.batch() as batch, contextlib.suppress(ResourceNotFound):
                for entity_id in ids[start : start + PURGE_ENTITIES_MAX]:
                    if names:
                        batch.change(entity_id, keep)
                    else:
                        batch.delete(entity_id)
        return len(ids)

    def _refuse(self, change: Change) -> None:
        """Refuse to write what a point gives, which would be hidden behind the measured value.

        Raises:
            BadRequestData: an instance is written that a point gives, or a command.
        """
        if change.id.startswith(COMMANDS):
            raise BadRequestData(
                f"{change.id} is a command, which is not written as an entity: give or withdraw "
                "commands at /ogc/connected-systems/v1/"
            )
        for one in self.bindings.of(change.id) if self.bindings else ():
            written = _instance(change.after, one)
            if written is not None and written != _instance(change.before, one):
                raise BadRequestData(
                    f"{one.attribute} of {change.id} is given by the point {one.point.id}: command "
                    "the point, or write the instance of another datasetId"
                )

    def _write(self, made: Sequence[Change], now_ns: int) -> None:
        if not made:
            return
        for guard in self.guards:
            guard(made)
        number = self.store.write(made, now_ns)
        told = Written(made, number, now_ns)
        for observer in self.observers:
            observer(told)


def _refuse_nothing(_change: Change) -> None:
    """Let the hub write what it says itself."""


def _instance(entity: Entity | None, bound: Bound) -> Attribute | None:
    for one in entity.attributes.get(bound.attribute, ()) if entity else ():
        if one.dataset == bound.dataset:
            return one
    return None


def _without(hints: Hints, bound: Collection[str]) -> Hints:
    """Return hints without what they say of some attributes, of which the store knows nothing."""
    names = frozenset(bound)
    known = hints.attributes is None or names.isdisjoint(hints.attributes)
    values = tuple(
        need for need in hints.values if names.isdisjoint(span.attribute for span in need)
    )
    return dataclasses.replace(hints, attributes=hints.attributes if known else None, values=values)


class Gate(Protocol):
    """What of entities somebody may see and change."""

    def sees(self, entity: Entity) -> bool:
        """Tell whether an entity is there for him."""
        ...

    def check(self, change: Change) -> None:
        """Raise Forbidden where he may not make a change."""
        ...

    def check_names(self, entity: Entity, names: Collection[str]) -> None:
        """Raise Forbidden where he may not write one of some attributes of an entity."""
        ...


class Batch:
    """Operations that become durable together; each sees what those before it did.

    ``gate``: of who does them; None: he may change everything.
    """

    gate: Gate | None = None

    def __init__(self, store: EntityStore, now_ns: int, refuse: Callable[[Change], None]) -> None:
        """Begin; ``Entities.batch`` gives one."""
        self._store, self.now_ns, self._refuse = store, now_ns, refuse
        self._seen: dict[str, Entity | None] = {}
        self.changes: list[Change] = []

    def look(self, ids: Collection[str]) -> None:
        """Read some entities at once; those that are not named here are read one by one."""
        found = self._store.find([one for one in ids if one not in self._seen])
        for entity_id in ids:
            if entity_id not in self._seen:
                self._seen[entity_id] = found.get(entity_id)

    def get(self, entity_id: str) -> Entity | None:
        """Return an entity as the operations before have left it."""
        if entity_id not in self._seen:
            self._seen[entity_id] = self._store.get(entity_id)
        entity = self._seen[entity_id]
        alive = entity and changes.living(entity, self.now_ns)
        return alive if alive is None or self.gate is None or self.gate.sees(alive) else None

    def create(self, entity: Entity) -> None:
        """Create an entity.

        Raises:
            AlreadyExists: there is one with this identifier.
        """
        if self.get(entity.id) is not None:
            raise AlreadyExists(f"there is an entity {entity.id} already")
        self._put(self._seen[entity.id], changes.created(entity, self.now_ns))

    def delete(self, entity_id: str) -> None:
        """Delete an entity.

        Raises:
            ResourceNotFound: there is none with this identifier.
        """
        if self.get(entity_id) is None:
            raise ResourceNotFound(f"there is no entity {entity_id}")
        self._put(self._seen[entity_id], None)

    def change(self, entity_id: str, make: Callable[[Entity, int], Outcome]) -> Outcome:
        """Make an entity what ``make`` returns.

        Raises:
            ResourceNotFound: there is none with this identifier.
        """
        entity = self.get(entity_id)
        if entity is None:
            raise ResourceNotFound(f"there is no entity {entity_id}")
        outcome = make(entity, self.now_ns)
        if self.gate is not None:
            named = (*outcome.updated, *(name for name, _ in outcome.not_updated))
            self.gate.check_names(entity, named)
        if outcome.updated:
            self._put(self._seen[entity_id], outcome.entity)
        return outcome

    def upsert(self, entity: Entity, *, update: bool) -> bool:
        """Create an entity, or replace or update it; return whether it is new (5.6.8)."""
        before = self.get(entity.id)
        if before is None:
            self.create(entity)
            return True
        if update:
            fragment = Fragment(
                types=entity.types,
                scopes=entity.scopes or None,
                attributes=entity.attributes,
            )
            self.change(entity.id, lambda one, now: changes.update(one, fragment, now))
        else:
            after = changes.replaced(before, entity, self.now_ns)
            self._put(self._seen[entity.id], after)
        return False

    def put(self, entity_id: str, after: Entity | None) -> None:
        """Make an entity what it is elsewhere; None: it is not there."""
        before = self.get(entity_id)
        if before is not None or after is not None:
            now = after and replace(after, modified_ns=self.now_ns)
            self._put(self._seen[entity_id], now)

    def _put(self, before: Entity | None, after: Entity | None) -> None:
        change = Change(before, after)
        if self.gate is not None:
            self.gate.check(change)
        self._refuse(change)
        self._seen[change.id] = after
        self.changes.append(change)
