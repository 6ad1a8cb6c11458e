"""Sight: what of entities some grants are about. What is not in it is absent for who looks.

>>> from citytwin_hub.entities.model import Attribute, AttributeKind
>>> from citytwin_hub.policy.grants import Act, Grant, Names
>>> level, owner = (Attribute(kind=AttributeKind.PROPERTY, value=v) for v in (3.26, "A. B."))
>>> tank = Entity(id="urn:x:1", types=("Tank",), attributes={"level": (level,), "owner": (owner,)})
>>> grant = Grant(acts=frozenset({Act.READ}), types=Names({"Tank"}), without=Names({"owner"}))
>>> rights = Rights(("guest",), (grant,), rounding={"level": 0.5})
>>> {name: one.value for name, (one,) in Sight(rights, Act.READ).show(tank).attributes.items()}
{'level': 3.5}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from citytwin_hub.entities.bindings import QUALITY
from citytwin_hub.entities.model import Attribute, Entity
from citytwin_hub.entities.relations import local_name
from citytwin_hub.entities.store import Box, Hints
from citytwin_hub.policy.grants import LOCATION, NONE, Act, Grant, Names, Rights


class Sight:
    """What the grants of some acts are about; for any thread."""

    def __init__(self, rights: Rights, *acts: Act) -> None:
        """Take those of some rights."""
        self.rights, self.is_whole = rights, rights.is_whole(*acts)
        self.grants = tuple(one for one in rights.of(*acts) if one.points is None)

    def takes(self, entity: Entity) -> bool:
        """Tell whether anything of an entity is in it."""
        return self.is_whole or any(one.takes(entity) for one in self.grants)

    def takes_types(self, types: tuple[str, ...]) -> bool:
        """Tell whether entities of some types can be in it."""
        return self.is_whole or any(one.takes_types(types) for one in self.grants)

    def takes_name(self, iri: str) -> bool:
        """Tell whether an attribute of any entity at all can be in it."""
        return self.is_whole or any(one.takes_attribute(iri) for one in self.grants)

    def has(self, entity: Entity, iri: str) -> bool:
        """Tell whether an attribute of an entity is in it."""
        return self.is_whole or any(
            one.takes_attribute(iri) and one.takes(entity) for one in self.grants
        )

    def has_whole(self, entity: Entity, iri: str) -> bool:
        """Tell whether an attribute of an entity is in it with all of its parts."""
        parts = [name for one in entity.attributes.get(iri, ()) for name in _parts(one)]
        return self.is_whole or any(
            one.takes_attribute(iri) and one.takes(entity) and not one.without.among(parts)
            for one in self.grants
        )

    def show(self, entity: Entity) -> Entity | None:
        """Return what of an entity is in it, as coarse as it must be; None: nothing."""
        if self.is_whole:
            return entity
        grants = [one for one in self.grants if one.takes(entity)]
        if not grants:
            return None
        if any(one.shows_all for one in grants):
            return self._coarse(entity)
        attributes: dict[str, tuple[Attribute, ...]] = {}
        for iri, instances in entity.attributes.items():
            mine = [one for one in grants if one.takes_attribute(iri)]
            if mine:
                hidden = _hidden(mine)
                attributes[iri] = tuple(_without(one, hidden) for one in instances)
        return self._coarse(_with(entity, attributes))

    def instance(self, entity: Entity, iri: str, one: Attribute) -> Attribute:
        """Return an instance of an attribute that is in it, without the parts that are not."""
        if self.is_whole:
            return one
        mine = [each for each in self.grants if each.takes_attribute(iri) and each.takes(entity)]
        return _without(one, _hidden(mine)) if mine else one

    def hints(self, hints: Hints) -> Hints:
        """Return hints that leave out what cannot be in it, as far as hints can say that."""
        if hints.box is None and self.grants and all(one.area for one in self.grants):
            boxes = [one.area.geometry.bounds for one in self.grants if one.area is not None]
            west, south, east, north = zip(*boxes, strict=True)
            box = Box(LOCATION, min(west), min(south), max(east), max(north))
            hints = dataclasses.replace(hints, box=box)
        # One of a cell may be one that is hidden, and those behind it are not.
        return dataclasses.replace(hints, cell=0.0)

    def _coarse(self, entity: Entity) -> Entity:
        if not self.rights.is_coarse:
            return entity
        attributes = {
            iri: tuple(coarse(one, self.rights.step(iri)) for one in instances)
            for iri, instances in entity.attributes.items()
        }
        return replace(entity, attributes=attributes)


def coarse(attribute: Attribute, step: float) -> Attribute:
    """Return an instance with its numbers rounded to multiples of a step, and only its quality."""
    parts = {name: some for name, some in attribute.parts.items() if local_name(name) == QUALITY}
    value = rounded(attribute.value, step) if step else attribute.value
    return replace(attribute, value=value, parts=parts)


def rounded(value: Any, step: float) -> Any:
    """Return JSON with every number rounded to a multiple of a step.

    >>> rounded([3.26, 9.74, {"a": True}], 0.5)
    [3.5, 9.5, {'a': True}]
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        near = round(round(value / step) * step, 9)
        return int(near) if near.is_integer() else near
    if isinstance(value, list):
        return [rounded(one, step) for one in value]
    if isinstance(value, dict):
        return {name: rounded(one, step) for name, one in value.items()}
    return value


def _hidden(grants: list[Grant]) -> Names:
    """Return names that all of some grants hide."""
    hidden = frozenset.intersection(*(one.without.names for one in grants))
    return Names(hidden) if hidden else NONE


def _without(attribute: Attribute, hidden: Names) -> Attribute:
    """Return an instance without parts of some names, however deep."""
    if not attribute.parts or not hidden:
        return attribute
    parts = {
        iri: tuple(_without(one, hidden) for one in instances)
        for iri, instances in attribute.parts.items()
        if iri not in hidden
    }
    return replace(attribute, parts=parts)


def _parts(attribute: Attribute) -> Iterator[str]:
    for iri, instances in attribute.parts.items():
        yield iri
        for one in instances:
            yield from _parts(one)


def _with(entity: Entity, attributes: Mapping[str, tuple[Attribute, ...]]) -> Entity:
    """Return an entity with other attributes, which alone say when it was modified."""
    if attributes == entity.attributes:
        return entity
    moments = [one.modified_ns for instances in attributes.values() for one in instances]
    modified_ns = max(moments, default=entity.created_ns)
    return replace(entity, attributes=dict(attributes), modified_ns=modified_ns)
