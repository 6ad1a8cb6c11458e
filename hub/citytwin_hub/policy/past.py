"""Past: how entities evolved, as far as a permit shows and lets write it.

An entity's evolution is seen by whoever may see what it is now, or was last: by its types and its
newest location. Who sees the city late or coarse sees nothing of it: samples are finer than means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from citytwin_hub.entities.errors import Forbidden, ResourceNotFound
from citytwin_hub.entities.evolution_store import (
    EVER,
    Dated,
    EvolutionStore,
    Head,
    Series,
    Span,
)
from citytwin_hub.entities.fragment import Patch
from citytwin_hub.entities.model import Attribute, Entity
from citytwin_hub.policy.grants import LOCATION
from citytwin_hub.policy.sight import Sight


class GuardedEvolution:
    """What of an EvolutionStore is seen, and what may be changed; for any thread."""

    def __init__(self, inner: EvolutionStore, reading: Sight, writing: Sight) -> None:
        """Take all of it, what may be seen, and what may be changed."""
        self._inner, self._reading, self._writing = inner, reading, writing
        self._nothing = reading.rights.is_coarse

    def candidates(
        self, ids: Collection[str] | None, types: Collection[str] | None
    ) -> Iterator[str]:
        """Yield identifiers in the order of their first creation; ``types``: ever had one."""
        for one in self._inner.candidates(ids, types):
            if self._seen(one) is not None:
                yield one

    def heads(self, entity_id: str) -> Sequence[Head]:
        """Return what is known of an entity itself, oldest first."""
        return self._inner.heads(entity_id) if self._seen(entity_id) is not None else ()

    def attributes(self, entity_id: str) -> Sequence[str]:
        """Return the IRIs of the attributes that an entity has had."""
        entity = self._seen(entity_id)
        if entity is None:
            return ()
        names = self._inner.attributes(entity_id)
        return [one for one in names if self._reading.has(entity, one)]

    def instances(
        self,
        entity_id: str,
        attribute: str,
        span: Span,
        *,
        datasets: Collection[str] | None = None,
        limit: int,
        newest: bool = False,
    ) -> list[Dated]:
        """Return instances, oldest first, or newest first."""
        entity = self._seen(entity_id)
        if entity is None or not self._reading.has(entity, attribute):
            return []
        found = self._inner.instances(
            entity_id, attribute, span, datasets=datasets, limit=limit, newest=newest
        )
        return [
            Dated(one.time_ns, self._reading.instance(entity, attribute, one.attribute))
            for one in found
        ]

    def series(
        self,
        entity_id: str,
        attribute: str,
        span: Span,
        *,
        datasets: Collection[str] | None = None,
        limit: int,
    ) -> Mapping[str, Series]:
        """Return the values of an attribute by dataset."""
        entity = self._seen(entity_id)
        if entity is None or not self._reading.has(entity, attribute):
            return {}
        return self._inner.series(entity_id, attribute, span, datasets=datasets, limit=limit)

    def give(self, entity: Entity, scopes: Sequence[Attribute], now_ns: int) -> bool:
        """Add to an entity's evolution."""
        known = self._known(entity.id)
        if known is None:
            self._check(entity, entity.attributes)
        else:
            if not all(one in known.types or self._writing.takes_types((one,))
                       for one in entity.types):  # fmt: skip
                raise _not(entity.id)
            self._check(known, entity.attributes)
        return self._inner.give(entity, scopes, now_ns)

    def forget(self, entity_id: str, now_ns: int) -> bool:
        """Delete an entity's evolution but for what it is now."""
        self._check_known(entity_id, self._inner.attributes(entity_id))
        return self._inner.forget(entity_id, now_ns)

    def forget_attribute(self, entity_id: str, attribute: str, dataset: str | None) -> bool:
        """Delete the instances of an attribute."""
        self._check_known(entity_id, [attribute])
        return self._inner.forget_attribute(entity_id, attribute, dataset)

    def forget_instance(self, entity_id: str, attribute: str, instance: str) -> bool:
        """Delete one instance."""
        self._check_known(entity_id, [attribute])
        return self._inner.forget_instance(entity_id, attribute, instance)

    def change_instance(
        self, entity_id: str, attribute: str, instance: str, patch: Patch, now_ns: int
    ) -> bool:
        """Change one instance."""
        self._check_known(entity_id, [attribute])
        return self._inner.change_instance(entity_id, attribute, instance, patch, now_ns)

    def end_attribute(
        self, entity_id: str, attribute: str, dataset: str | None, now_ns: int
    ) -> bool:
        """Note the deletion of an attribute that only evolution has."""
        self._check_known(entity_id, [attribute] if attribute else [])
        return self._inner.end_attribute(entity_id, attribute, dataset, now_ns)

    def past(self, entity_id: str, moment_ns: int) -> Entity | None:
        """Return what an entity was."""
        found = None if self._nothing else self._inner.past(entity_id, moment_ns)
        return found and self._reading.show(found)

    def past_all(
        self, moment_ns: int, ids: Collection[str] | None, types: Collection[str] | None
    ) -> Iterator[Entity]:
        """Yield what entities were, in the order of their first creation."""
        if self._nothing:
            return
        for entity in self._inner.past_all(moment_ns, ids, types):
            shown = self._reading.show(entity)
            if shown is not None:
                yield shown

    def trim(self, before_ns: int) -> int:  # noqa: ARG002
        """Refuse: only the hub itself forgets."""
        raise Forbidden("only the hub itself forgets")

    def _known(self, entity_id: str) -> Entity | None:
        """Return the types that an entity is known to have, with its newest location."""
        heads = self._inner.heads(entity_id)
        if not heads:
            return None
        present = next((head.entity for head in reversed(heads) if not head.given), None)
        types = present.types if present is not None else ()
        given = (one for head in heads if head.given for one in head.entity.types)
        places = self._inner.instances(entity_id, LOCATION, EVER, limit=1, newest=True)
        attributes = {LOCATION: tuple(one.attribute for one in places)} if places else {}
        types = tuple(dict.fromkeys((*types, *given)))
        return Entity(id=entity_id, types=types, attributes=attributes)

    def _seen(self, entity_id: str) -> Entity | None:
        known = None if self._nothing else self._known(entity_id)
        return known if known is not None and self._reading.takes(known) else None

    def _check_known(self, entity_id: str, names: Collection[str]) -> None:
        """Raise Forbidden where what can be seen may not be changed."""
        known = self._known(entity_id)
        if known is None:
            return
        if not self._reading.takes(known) and not self._writing.takes(known):
            raise ResourceNotFound(f"there is no evolution of an entity {entity_id}")
        self._check(known, names)

    def _check(self, entity: Entity, names: Collection[str]) -> None:
        if not all(self._writing.has(entity, one) for one in names) or not self._writing.takes(
            entity
        ):
            raise _not(entity.id)


def _not(entity_id: str) -> Forbidden:
    return Forbidden(f"you may not change how {entity_id} evolved")
