"""Importing: what a source system says of city objects, put beside what others say of them.

A source owns the attributes that it gave: ``source`` names it, its part ``gives`` lists them. What
it gives no more is deleted, what others added stays. An object about which nothing has changed is
not written: an import that is done twice leaves no trace of the second time. An object that is one
in several sources has an instance of ``source`` and ``sourceId`` for each, told apart by
``datasetId``; an attribute that two give is that of the source which gave it first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec.structs import replace

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
SOURCE_ID: Final = CORE.expand("sourceId")
DATASET: Final = "urn:ngsi-ld:Dataset:"
"""Before the name of a source that is not the first of its object."""
_TOLD_CHARACTERS_MAX: Final = 60


class Refused(NamedTuple):
    """An entity that was not taken, and why."""

    id: str
    reason: str


class Lacking(NamedTuple):
    """What an entity came without, and why."""

    id: str
    field: str
    reason: str


_NOTHING: Final = Attribute(kind=AttributeKind.PROPERTY, value=NULL)


@dataclass(slots=True)
class Taken:
    """What became of entities that a source gave; with a dry run: what would."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[Refused] = field(default_factory=list)
    lacking: list[Lacking] = field(default_factory=list)


def take(
    entities: Entities,
    source: str,
    given: Sequence[Entity],
    *,
    dry_run: bool,
    joined: Collection[str] = (),
) -> Taken:
    """Take what a source gives, in one transaction; each entity may be refused alone.

    Args:
        entities: the city's.
        source: its name.
        given: what it says, each with ``source`` and ``sourceId``.
        dry_run: whether nothing is written.
        joined: identifiers of those that may be of other sources, too.

    Raises:
        BadRequestData: an entity does not say that it is of this source.
        StoreError: nothing of it could be kept.
    """
    for entity in given:
        if source_of(entity) != source:
            raise BadRequestData(f"{entity.id} must have source {source!r}")
    taken = Taken()
    if dry_run:
        known = entities.find([one.id for one in given])
        for entity in given:
            before = known.get(entity.id)
            if before is None:
                taken.created += 1
            else:
                _changed(taken, before, entity, source, joined)
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
                fragment = _changed(taken, before, entity, source, joined)
                if fragment is not None:
                    batch.change(entity.id, appended(fragment))
            except EntityError as error:
                taken.refused.append(Refused(entity.id, str(error)))
    return taken


def _changed(
    taken: Taken, before: Entity, given: Entity, source: str, joined: Collection[str]
) -> Fragment | None:
    """Return what a source changes of an entity, and count it; None: nothing."""
    others = dict.fromkeys(sources_of(before))
    if others and source not in others and given.id not in joined:
        first = next(iter(others))
        reason = f"it belongs to the source {first!r}; remove it there first"
        taken.refused.append(Refused(before.id, reason))
        return None
    own, lacking = _own_part(before, given, source)
    taken.lacking += lacking
    fragment = difference(before, own, source)
    if fragment is None:
        taken.unchanged += 1
    else:
        taken.changed += 1
    return fragment


def _own_part(before: Entity, given: Entity, source: str) -> tuple[Entity, list[Lacking]]:
    """Return what of an entity is a source's to say, beside others that gave it before."""
    gives = {
        name: other
        for other, names in sources_of(before).items()
        if other != source
        for name in names
    }
    theirs = {name for name in gives.keys() & given.attributes.keys() if before.attribute(name)}
    lacking = []
    for name in sorted(theirs):
        told, said = before.attribute(name), given.attributes[name][0]
        if not _same(told, said):
            there, here = (str(one and one.value)[:_TOLD_CHARACTERS_MAX] for one in (told, said))
            reason = f"{gives[name]!r} says {there}, which stays; this source says {here}"
            lacking.append(Lacking(given.id, CORE.compact(name), reason))
    attributes = {name: one for name, one in given.attributes.items() if name not in theirs}
    told = attributes[SOURCE][0]
    parts = dict(told.parts)
    if GIVES in parts:
        names = [one for one in _listed(told) if CORE.expand(one) not in theirs]
        parts[GIVES] = (replace(parts[GIVES][0], value=names),)
    dataset = _dataset(before, source)
    attributes[SOURCE] = (replace(told, parts=parts, dataset=dataset),)
    if SOURCE_ID in attributes:
        attributes[SOURCE_ID] = (replace(attributes[SOURCE_ID][0], dataset=dataset),)
    return replace(given, attributes=attributes), lacking


def _dataset(before: Entity, source: str) -> str:
    """Return under which ``datasetId`` an entity says that it is of a source."""
    for one in before.attributes.get(SOURCE, ()):
        if one.value == source:
            return one.dataset
    return DATASET + source if before.attribute(SOURCE) is not None else ""


def appended(fragment: Fragment) -> Callable[[Entity, int], Outcome]:
    """Return what ``Batch.change`` takes to append a fragment."""
    return lambda one, now: changes.append(one, fragment, now)


def sources_of(entity: Entity) -> dict[str, frozenset[str]]:
    """Return the sources of an entity, with the attributes (IRIs) that each gave last time."""
    return {
        one.value: frozenset(CORE.expand(name) for name in _listed(one))
        for one in entity.attributes.get(SOURCE, ())
        if isinstance(one.value, str)
    }


def _listed(told: Attribute) -> list[str]:
    listed = told.parts.get(GIVES, ())
    values = listed[0].value if listed else ()
    values = [values] if isinstance(values, str) else values
    return [one for one in values if isinstance(one, str)]


def source_of(entity: Entity) -> str:
    """Return the first source of an entity; empty: none."""
    return next(iter(sources_of(entity)), "")


def difference(before: Entity, given: Entity, source: str) -> Fragment | None:
    """Return what a source changes of an entity that there is; None: nothing.

    What it gave before and gives no more is NGSI-LD Null in the fragment.
    """
    attributes = {
        name: instances
        for name, instances in given.attributes.items()
        if not all(_same(before.attribute(name, one.dataset), one) for one in instances)
    }
    for name in _taken_back(before, source) - given.attributes.keys():
        attributes[name] = (_NOTHING,)
    types = tuple(one for one in given.types if one not in before.types)
    if not attributes and not types:
        return None
    return Fragment(attributes=attributes, types=types)


def _taken_back(before: Entity, source: str) -> set[str]:
    """Return the attributes that go with a source: it alone gave them, and they are as it did."""
    said = sources_of(before)
    others = {name for other, names in said.items() if other != source for name in names}
    # What has a source of its own was replaced, as an elevation is by a terrain model's.
    return {
        name
        for name in said.get(source, frozenset()) - others
        if (told := before.attribute(name)) is not None and SOURCE not in told.parts
    }


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
    return (one for one in entities.select(hints) if source in sources_of(one))


def prune(entities: Entities, source: str, ids: Sequence[str]) -> int:
    """Delete entities that have vanished from their source; return how many there were.

    One that is in another source, too, loses only what this one gave.

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
            others = sources_of(before)
            if source not in others:
                raise BadRequestData(f"{one} is not of the source {source!r}")
            if len(others) > 1:
                batch.change(one, appended(_left(before, source)))
            else:
                batch.delete(one)
            count += 1
    return count


def _left(before: Entity, source: str) -> Fragment:
    """Return what takes a source's part out of an entity."""
    nothing = replace(_NOTHING, dataset=_dataset(before, source))
    names = _taken_back(before, source)
    attributes: dict[str, tuple[Attribute, ...]] = dict.fromkeys(names, (_NOTHING,))
    attributes[SOURCE] = (nothing,)
    if before.attribute(SOURCE_ID, nothing.dataset) is not None:
        attributes[SOURCE_ID] = (nothing,)
    return Fragment(attributes=attributes)
