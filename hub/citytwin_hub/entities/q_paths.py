"""Paths of the query language: from an entity to the values that a term is about.

ETSI GS CIM 009, clause 4.9: ``speed``, ``speed.reliability``, ``speed.observedAt``,
``address[city.name]``, ``name[kk]``, ``name[*]`` and, through a relationship,
``feeds{Tank:level}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from citytwin_hub.entities.links import Find, targets
from citytwin_hub.entities.model import RELATIONSHIPS, Attribute, AttributeKind, Entity
from citytwin_hub.entities.q_values import Instant

SYSTEM: Final = frozenset({"createdAt", "modifiedAt", "deletedAt", "expiresAt"})
"""What an entity has besides attributes, and can be asked for."""

MEMBERS: Final = SYSTEM | {"observedAt", "unitCode", "datasetId", "instanceId"}
"""What an attribute has besides its value and its own attributes."""

_FIELDS: Final[Mapping[str, str]] = {
    "createdAt": "created_ns",
    "modifiedAt": "modified_ns",
    "deletedAt": "deleted_ns",
    "expiresAt": "expires_ns",
    "observedAt": "observed_ns",
    "unitCode": "unit_code",
    "datasetId": "dataset",
    "instanceId": "instance",
}
_NOTHING: Final = object()


class Target(NamedTuple):
    """A value that a path leads to; ``kind``: of the attribute it is the whole value of."""

    kind: AttributeKind | None
    value: Any


@dataclass(frozen=True, slots=True)
class Path:
    """A way from an entity to values (immutable).

    Attributes:
        steps: the attribute, then attributes of it, IRIs; none where it is of the entity.
        member: one of ``MEMBERS`` (without steps of ``SYSTEM``); empty: the value.
        inside: keys of the value, or a language; None: the whole value.
        linked: the way on from the entities that a relationship links to.
        types: only those linked entities that have one of these types; empty: all.
    """

    steps: tuple[str, ...]
    member: str = ""
    inside: tuple[str, ...] | None = None
    linked: Path | None = None
    types: frozenset[str] = frozenset()

    @property
    def depth(self) -> int:
        """How many links it follows."""
        return 0 if self.linked is None else 1 + self.linked.depth

    def targets(self, entity: Entity, find: Find | None) -> Iterable[Target | Attribute]:
        """Return the values that it leads to from an entity; ``find`` looks up linked ones.

        An instance of an attribute stands for its own kind and value.
        """
        if len(self.steps) == 1 and not self.member and self.inside is None and not self.linked:
            return entity.attributes.get(self.steps[0], ())
        return self._targets(entity, find)

    def _targets(self, entity: Entity, find: Find | None) -> Iterator[Target | Attribute]:
        if not self.steps:
            yield from _member(entity, self.member)
            return
        for instance in self._instances(entity):
            if self.member:
                yield from _member(instance, self.member)
            elif self.linked is not None:
                yield from self._beyond(instance, find)
            elif self.inside is not None:
                yield from _inside(instance, self.inside)
            else:
                yield instance

    def _instances(self, entity: Entity) -> Sequence[Attribute]:
        instances: Sequence[Attribute] = entity.attributes.get(self.steps[0], ())
        for step in self.steps[1:]:
            instances = [part for each in instances for part in each.parts.get(step, ())]
        return instances

    def _beyond(self, instance: Attribute, find: Find | None) -> Iterator[Target | Attribute]:
        if find is None or self.linked is None:
            return
        ids = targets(instance)
        for entity in find(ids).values() if ids else ():
            if not self.types or not self.types.isdisjoint(entity.types):
                yield from self.linked.targets(entity, find)


def _member(what: Entity | Attribute, member: str) -> Iterator[Target]:
    value = getattr(what, _FIELDS[member], None)
    if isinstance(value, int) and (value or member not in ("createdAt", "modifiedAt")):
        yield Target(None, Instant(value))
    elif isinstance(value, str) and value:
        yield Target(None, value)


def _inside(instance: Attribute, keys: tuple[str, ...]) -> Iterator[Target]:
    """Yield what is at some keys of a value: a member expression, as the clause calls it."""
    value = instance.value
    if instance.kind is AttributeKind.LANGUAGE:
        if keys == ("*",):
            texts = [text for each in value.values() for text in _flat(each)]
            yield Target(None, texts)
        elif len(keys) == 1 and keys[0] in value:
            yield Target(None, value[keys[0]])
        return
    if instance.kind in RELATIONSHIPS:
        return
    for key in keys:
        value = _at(value, key)
        if value is _NOTHING:
            return
    yield Target(None, value)


def _flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _at(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key, _NOTHING)
    if isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < 10:
        at = int(key)
        return value[at] if at < len(value) else _NOTHING
    return _NOTHING
