"""Importing: what a source system says of city objects, put beside what others say of them.

A source owns the attributes that it gave: ``source`` names it, its part ``gives`` lists them. What
it gives no more is deleted, what others added stays. An object about which nothing has changed is
not written: an import that is done twice leaves no trace of the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from citytwin_hub.entities import changes
from citytwin_hub.entities.changes import Outcome
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import BadRequestData, EntityError
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.model import NULL, Attribute, AttributeKind, Entity
from citytwin_hub.entities.store import Hints, ValueSpan
from citytwin_hub.jsonld.processing import CORE

SOURCE: Final = CORE.expand("source")
GIVES: Final = CORE.expand("gives")


class Refused(NamedTuple):
    """An entity that was not taken, and why."""

    id: str
    reason: str


@dataclass(slots=True)
class Taken:
    """What became of entities that a source gave; with a dry run: what would."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[Refused] = field(default_factory=list)


def take(entities: Entities, source: str, given: Sequence[Entity], *, dry_run: bool) -> Taken:
    """Take what a source gives, in one transaction; each entity may be refused alone.

    Raises:
        BadRequestData: an entity does not say that it is of this source.
        StoreError: nothing of it could be kept.
    """
    for entity in given:
        if source_of(entity) != source:
            raise BadRequestData(f"{entity.id} must have source {source!r}")
    taken = Taken()
    if dry_run:
        known = entities.store.find([one.id for one in given])
        for entity in given:
            before = known.get(entity.id)
            if before is None:
                taken.created += 1
            elif _foreign(before, source):
                taken.refused.append(Refused(entity.id, _foreign(before, source)))
            else:
                _count(taken, difference(before, entity))
        return taken
    with entities.batch() as batch:
        batch.look([one.id for one in given])
        for entity in given:
            before = batch.get(entity.id)
            try:
                if before is None:
                    batch.create(entity)
                    taken.created += 1
                    continue
                if _foreign(before, source):
                    raise BadRequestData(_foreign(before, source))
                fragment = difference(before, entity)
                if fragment is not None:
                    batch.change(entity.id, appended(fragment))
                _count(taken, fragment)
            except EntityError as error:
                taken.refused.append(Refused(entity.id, str(error)))
    return taken


def _count(taken: Taken, fragment: Fragment | None) -> None:
    if fragment is None:
        taken.unchanged += 1
    else:
        taken.changed += 1


def appended(fragment: Fragment) -> Callable[[Entity, int], Outcome]:
    """Return what ``Batch.change`` takes to append a fragment."""
    return lambda one, now: changes.append(one, fragment, now)


def _foreign(before: Entity, source: str) -> str:
    other = source_of(before)
    if not other or other == source:
        return ""
    return f"it belongs to the source {other!r}; remove it there first"


def source_of(entity: Entity) -> str:
    """Return the source of an entity; empty: none."""
    told = entity.attribute(SOURCE)
    return told.value if told is not None and isinstance(told.value, str) else ""


def difference(before: Entity, given: Entity) -> Fragment | None:
    """Return what a source changes of an entity that there is; None: nothing.

    What it gave before and gives no more is NGSI-LD Null in the fragment.
    """
    attributes = {
        name: instances
        for name, instances in given.attributes.items()
        if not all(_same(before.attribute(name, one.dataset), one) for one in instances)
    }
    for name in _gave(before) - given.attributes.keys():
        told = before.attribute(name)
        if told is not None and SOURCE not in told.parts:  # else another source has replaced it
            attributes[name] = (Attribute(kind=AttributeKind.PROPERTY, value=NULL),)
    types = tuple(one for one in given.types if one not in before.types)
    if not attributes and not types:
        return None
    return Fragment(attributes=attributes, types=types)


def _gave(entity: Entity) -> set[str]:
    told = entity.attribute(SOURCE)
    listed = told.parts.get(GIVES, ()) if told is not None else ()
    values = listed[0].value if listed else ()
    values = [values] if isinstance(values, str) else values
    return {CORE.expand(one) for one in values if isinstance(one, str)}


def _same(before: Attribute | None, given: Attribute) -> bool:
    """Tell whether two instances say the same, whenever they were written."""
    if before is None or before.value != given.value:
        return False
    if type(before.value) is bool or type(given.value) is bool:
        return type(before.value) is type(given.value) and _rest_same(before, given)
    return _rest_same(before, given)


def _rest_same(before: Attribute, given: Attribute) -> bool:
    if (
        (before.kind, before.unit_code, before.value_type, before.object_type)
        != (given.kind, given.unit_code, given.value_type, given.object_type)
        or before.observed_ns != given.observed_ns
        or before.parts.keys() != given.parts.keys()
    ):
        return False
    return all(
        len(before.parts[name]) == len(instances) and all(map(_same, before.parts[name], instances))
        for name, instances in given.parts.items()
    )


def of_source(entities: Entities, source: str, after: str = "") -> Iterator[Entity]:
    """Yield the entities of a source, in the order of their creation, behind one of them."""
    span = ValueSpan(SOURCE, source, source)
    hints = Hints(attributes=(SOURCE,), values=((span,),), after=after)
    return (one for one in entities.select(hints) if source_of(one) == source)


def prune(entities: Entities, source: str, ids: Sequence[str]) -> int:
    """Delete entities that have vanished from their source; return how many there were.

    Raises:
        BadRequestData: one is of another source.
    """
    count = 0
    with entities.batch() as batch:
        batch.look(ids)
        for one in dict.fromkeys(ids):
            before = batch.get(one)
            if before is None:
                continue
            if source_of(before) != source:
                raise BadRequestData(f"{one} is not of the source {source!r}")
            batch.delete(one)
            count += 1
    return count
