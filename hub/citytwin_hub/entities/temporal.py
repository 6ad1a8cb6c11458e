"""Temporal: how entities came to be what they are: read, queried, aggregated, provided, ended.

ETSI GS CIM 009, clauses 4.5.6–4.5.9 and 4.5.19 (representation), 4.11 (temporal queries), 5.6.11 to
5.6.16 (provision), 5.7.3 and 5.7.4 (consumption). What was provided as evolution is history only:
an entity's present and past states are what its changes made of it (clause 5.6.11 says nothing of
the current state), and an entity that only evolution has is not among the entities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Final

from citytwin.clock import Clock
from citytwin_hub.entities import changes
from citytwin_hub.entities.aggregates import Method, Periods, Result, aggregate
from citytwin_hub.entities.durations import Duration
from citytwin_hub.entities.errors import ResourceNotFound, TooComplexQuery
from citytwin_hub.entities.evolution_store import Dated, EvolutionStore, Moment, Span
from citytwin_hub.entities.fragment import Patch
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.windows import (
    Evolution,
    Part,
    Relation,
    Wanted,
    cut,
    overlap,
    scopes_of,
)

INSTANCES_MAX: Final = 1_000
"""Of one attribute of one entity in one answer; more come as partial content."""
VALUES_MAX: Final = 10_000
"""Of one attribute of one entity that a query over values looks at, the newest."""
AGGREGATED_MAX: Final = 1_000_000
"""Values of one attribute of one entity in one aggregation."""


class Temporal:
    """The evolution of one tenant's entities; every method may be called on any thread."""

    def __init__(
        self, store: EvolutionStore, clock: Clock, *, instances_max: int = INSTANCES_MAX
    ) -> None:
        """Stand on a store; ``instances_max``: of one attribute of one entity in one answer."""
        self.store, self._clock, self._instances_max = store, clock, instances_max

    def on(self, store: EvolutionStore) -> Temporal:
        """Return the same on another store."""
        return Temporal(store, self._clock, instances_max=self._instances_max)

    def upsert(self, entity: Entity, scopes: Sequence[Attribute] = ()) -> bool:
        """Add to an entity's evolution; return whether it had none (5.6.11)."""
        return self.store.give(entity, scopes, self._clock.now_ns())

    def append(self, entity: Entity, scopes: Sequence[Attribute] = ()) -> None:
        """Add to an evolution that there is (5.6.12).

        Raises:
            ResourceNotFound: there is none.
        """
        self._known(entity.id)
        self.store.give(entity, scopes, self._clock.now_ns())

    def delete(self, entity_id: str) -> None:
        """Delete an evolution; the entity stays what it is (5.6.16); raises as ``append``."""
        if not self.store.forget(entity_id, self._clock.now_ns()):
            raise _unknown(entity_id)

    def delete_attribute(
        self, entity_id: str, name: str, *, dataset: str = "", every: bool = False
    ) -> None:
        """Delete an attribute from an evolution (5.6.13).

        Raises:
            ResourceNotFound: it is not there.
        """
        self._known(entity_id)
        if not self.store.forget_attribute(entity_id, name, None if every else dataset):
            raise ResourceNotFound(f"the evolution of {entity_id} has no such attribute {name}")

    def change_instance(self, entity_id: str, name: str, instance: str, patch: Patch) -> None:
        """Change parts of one instance (5.6.14); raises as ``delete_attribute``."""
        self._known(entity_id)
        now_ns = self._clock.now_ns()
        if not self.store.change_instance(entity_id, name, instance, patch, now_ns):
            raise _no_instance(entity_id, name, instance)

    def delete_instance(self, entity_id: str, name: str, instance: str) -> None:
        """Delete one instance (5.6.15); raises as ``delete_attribute``."""
        self._known(entity_id)
        if not self.store.forget_instance(entity_id, name, instance):
            raise _no_instance(entity_id, name, instance)

    def end_attribute(
        self, entity_id: str, name: str, *, dataset: str = "", every: bool = False
    ) -> None:
        """Note the deletion of an attribute of an entity that only evolution has.

        Args:
            entity_id: an entity that is not there, or not any longer.
            name: the attribute's IRI; empty: the scope.
            dataset: which instance; ``every``: all of them.

        Raises:
            ResourceNotFound: evolution has no such attribute either.
        """
        wanted = None if every or not name else dataset
        if not self.store.end_attribute(entity_id, name, wanted, self._clock.now_ns()):
            raise ResourceNotFound(f"{entity_id} has no attribute {name or 'scope'}")

    def one(
        self, entity_id: str, wanted: Wanted, *, needed: bool = False
    ) -> tuple[Evolution, Part | None]:
        """Return an entity's evolution, and which part of it where that is not all (5.7.3).

        Raises:
            ResourceNotFound: it has none; or has never had one of the attributes, and ``needed``.
        """
        evolution = self._head(entity_id, wanted)
        if evolution is None:
            raise _unknown(entity_id)
        if needed and not self._names(entity_id, wanted):
            raise ResourceNotFound(f"{entity_id} has had none of the attributes that are asked for")
        part = self._fill([evolution], wanted)
        return evolution, part

    def select(
        self,
        ids: Collection[str] | None,
        types: Collection[str] | None,
        matches: Callable[[Entity], bool],
        wanted: Wanted,
        *,
        over_values: bool = False,
    ) -> Iterator[Evolution]:
        """Yield the entities that have instances as asked for, without these, in their order.

        Args:
            ids, types: which entities to look at; None: all.
            matches: which of them; it is given each with all instances that are asked for, when
                ``over_values`` is set, else without attributes.
            wanted: what is asked of each.
        """
        for entity_id in self.store.candidates(ids, types):
            evolution = self._head(entity_id, wanted)
            if evolution is None:
                continue
            entity = Entity(id=entity_id, types=evolution.types)
            if over_values:
                # A query is over all attributes, not only over those that are shown.
                entity = self._entity(evolution, replace_attributes(wanted))
                asked = wanted.attributes
                if not entity.attributes or (
                    asked is not None and entity.attributes.keys().isdisjoint(asked)
                ):
                    continue
            if not matches(entity):
                continue
            if self._has_any(evolution, wanted):
                yield evolution

    def fill(self, evolutions: Sequence[Evolution], wanted: Wanted) -> Part | None:
        """Read the instances of some entities; return which part that is, where it is not all."""
        return self._fill(evolutions, wanted)

    def aggregates(
        self,
        evolution: Evolution,
        wanted: Wanted,
        methods: Sequence[Method],
        duration: Duration,
    ) -> dict[str, dict[str, tuple[AttributeKind, Mapping[Method, Result]]]]:
        """Return what an entity's attributes come to, by IRI and dataset (4.5.19).

        The first period begins where the window does, else with the entity's first instance; all
        of an entity's attributes have the same periods.

        Raises:
            TooComplexQuery: there are too many values or periods.
        """
        window = wanted.window
        found = {
            name: self.store.series(
                evolution.id, name, window.span,
                datasets=wanted.datasets, limit=AGGREGATED_MAX + 1,
            )
            for name in self._names(evolution.id, wanted)
        }  # fmt: skip
        every = [series for by_dataset in found.values() for series in by_dataset.values()]
        if not every:
            return {}
        if max(sum(len(one.values) for one in some.values()) for some in found.values()) > (
            AGGREGATED_MAX
        ):
            raise TooComplexQuery(
                f"an attribute has over {AGGREGATED_MAX} values there: ask for less time"
            )
        start_ns = min(one.times_ns[0] for one in every)
        end_ns = max(self._clock.now_ns(), max(one.times_ns[-1] for one in every) + 1)
        if window.relation in {Relation.AFTER, Relation.BETWEEN}:
            start_ns = window.at_ns
        if window.relation is Relation.BETWEEN:
            end_ns = window.end_ns
        elif window.relation is Relation.BEFORE:
            end_ns = window.at_ns
        periods = Periods(duration, start_ns, end_ns)
        return {
            name: {
                dataset: (one.kind, aggregate(one.times_ns, one.values, methods, periods))
                for dataset, one in by_dataset.items()
            }
            for name, by_dataset in found.items()
            if by_dataset
        }

    def at(self, entity_id: str, moment_ns: int) -> Entity | None:
        """Return what an entity was at a moment; None if it was not there.

        Raises:
            ResourceNotFound: states of so long ago are not kept.
        """
        entity = self.store.past(entity_id, moment_ns)
        return entity and changes.living(entity, moment_ns)

    def all_at(
        self,
        moment_ns: int,
        ids: Collection[str] | None = None,
        types: Collection[str] | None = None,
    ) -> Iterator[Entity]:
        """Yield what entities were at a moment, in the order of their creation; raises as ``at``.

        ``types``: entities that ever had one of them are looked at; others are left out.
        """
        for entity in self.store.past_all(moment_ns, ids, types):
            alive = changes.living(entity, moment_ns)
            if alive is not None and (types is None or not set(types).isdisjoint(alive.types)):
                yield alive

    def trim(self, evolution_days: int) -> int:
        """Delete what is older than some days; states since then stay whole.

        Returns:
            How many records were deleted.
        """
        day_ns = 86_400 * 1_000_000_000
        return self.store.trim(self._clock.now_ns() - evolution_days * day_ns)

    def _known(self, entity_id: str) -> None:
        if not self.store.heads(entity_id):
            raise _unknown(entity_id)

    def _head(self, entity_id: str, wanted: Wanted) -> Evolution | None:
        """Return an entity's evolution without attributes."""
        heads = self.store.heads(entity_id)
        if not heads:
            return None
        latest = next((head.entity for head in reversed(heads) if not head.given), None)
        present = latest.types if latest is not None else ()
        given = (iri for head in heads if head.given for iri in head.entity.types)
        return Evolution(
            id=entity_id,
            types=tuple(dict.fromkeys((*present, *given))),
            created_ns=min(head.entity.created_ns for head in heads),
            modified_ns=max(head.entity.modified_ns for head in heads),
            deleted_ns=latest.deleted_ns if latest is not None else None,
            scopes=scopes_of(heads, wanted.window.moment),
            valid=scopes_of(heads, Moment.ANY),
        )

    def _names(self, entity_id: str, wanted: Wanted) -> list[str]:
        asked = wanted.attributes
        return [name for name in self.store.attributes(entity_id) if asked is None or name in asked]

    def _has_any(self, evolution: Evolution, wanted: Wanted) -> bool:
        spans = self._spans(evolution, wanted)
        return any(
            self.store.instances(evolution.id, name, span, datasets=wanted.datasets, limit=1)
            for name in (self._names(evolution.id, wanted) if spans else ())
            for span in spans
        )

    def _entity(self, evolution: Evolution, wanted: Wanted) -> Entity:
        """Return an entity that has all instances at once, as queries look at it."""
        attributes = {}
        for name in self._names(evolution.id, wanted):
            found = self.store.instances(
                evolution.id, name, wanted.window.span,
                datasets=wanted.datasets, limit=VALUES_MAX, newest=True,
            )  # fmt: skip
            if found:
                attributes[name] = tuple(one.attribute for one in found)
        return Entity(id=evolution.id, types=evolution.types, attributes=attributes)

    def _spans(self, evolution: Evolution, wanted: Wanted) -> list[Span]:
        """Return when an entity had the scopes that are asked for, within the window."""
        whole = wanted.window.span
        if wanted.scope is None:
            return [whole]
        found = []
        ends = [one.time_ns for one in evolution.valid[1:]]
        for one, until in zip_longest(evolution.valid, ends):
            span = overlap(whole, one.time_ns, until)
            if span is not None and wanted.scope(one.attribute.value):
                found.append(span)
        return found

    def _fill(self, evolutions: Sequence[Evolution], wanted: Wanted) -> Part | None:
        window, most = wanted.window, self._instances_max
        newest = window.last is not None
        limit = min(window.last, most) if window.last is not None else most
        cuts: list[int] = []
        for evolution in evolutions:
            for name in self._names(evolution.id, wanted):
                found: list[Dated] = []
                for span in self._spans(evolution, wanted):
                    found += self.store.instances(
                        evolution.id, name, span,
                        datasets=wanted.datasets, limit=limit + 1, newest=newest,
                    )  # fmt: skip
                found.sort(key=lambda one: one.time_ns, reverse=newest)
                if len(found) > limit and (window.last is None or window.last > most):
                    cuts.append(found[limit - 1].time_ns)
                if found:
                    evolution.attributes[name] = found[:limit]
                    evolution.kinds[name] = found[0].attribute.kind
            if wanted.scope is None:
                evolution.scopes = [
                    one
                    for one in evolution.scopes
                    if overlap(window.span, one.time_ns, one.time_ns + 1)
                ]
        if not cuts:
            return None
        return cut(evolutions, window, max(cuts) if newest else min(cuts), newest=newest)


def replace_attributes(wanted: Wanted) -> Wanted:
    """Return what is asked for, but of all attributes and datasets."""
    return dataclasses.replace(wanted, attributes=None, datasets=None)


def _unknown(entity_id: str) -> ResourceNotFound:
    return ResourceNotFound(f"there is no evolution of an entity {entity_id}")


def _no_instance(entity_id: str, name: str, instance: str) -> ResourceNotFound:
    return ResourceNotFound(f"the evolution of {entity_id} has no instance {instance} of {name}")
