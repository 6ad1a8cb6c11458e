"""Ordering: entities in the order of their members (ETSI GS CIM 009, clause 4.23).

Numbers and moments come before texts, texts before truth values, these before what is compound;
what is not there comes last, whichever the direction. Texts are in the order of their code points
unless a collation is given. Entities that are equal stay as they were.

>>> class Plain:
...     def expand(self, name):
...         return name
...
...     def compact(self, iri):
...         return iri
>>> [key.descending for key in parse(["name;desc", "id"], Plain()).keys]
[True, False]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from citytwin_hub.entities.collation import Collation
from citytwin_hub.entities.distances import distance
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.geo import reference, shape
from citytwin_hub.entities.links import Find
from citytwin_hub.entities.model import AttributeKind, Entity
from citytwin_hub.entities.q_parser import parse_path
from citytwin_hub.entities.q_paths import Path
from citytwin_hub.jsonld.names import Names

KEYS_MAX: Final = 10
"""What entities are ordered by."""

_DIRECTIONS: Final = ("asc", "desc", "dist-asc", "dist-desc")
_CORE: Final[dict[str, Callable[[Entity], Any]]] = {
    "id": lambda entity: entity.id,
    "type": lambda entity: entity.types[0],
    "scope": lambda entity: entity.scopes[0] if entity.scopes else None,
}


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that entities are ordered by: a path, or id, type or scope."""

    path: Path | str
    descending: bool = False
    by_distance: bool = False


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order of entities (immutable).

    Attributes:
        keys: the first matters most.
        place: a shapely geometry, from which distances are; None where no key is one.
        collation: how texts are ordered; None: by code points.
    """

    keys: tuple[Key, ...]
    place: Any = None
    collation: Collation | None = None

    def sorted(self, entities: Iterable[Entity], find: Find | None = None) -> list[Entity]:
        """Return entities in this order; ``find`` looks up what they link to."""
        ordered = list(entities)
        for key in reversed(self.keys):
            ranks = {id(entity): self._rank(key, entity, find) for entity in ordered}
            there = [entity for entity in ordered if ranks[id(entity)] is not None]
            absent = [entity for entity in ordered if ranks[id(entity)] is None]
            there.sort(key=lambda entity, ranks=ranks: ranks[id(entity)], reverse=key.descending)  # type: ignore[misc]
            ordered = there + absent
        return ordered

    def _rank(self, key: Key, entity: Entity, find: Find | None) -> tuple[int, Any] | None:
        if isinstance(key.path, str):
            return self._comparable(_CORE[key.path](entity))
        for target in key.path.targets(entity, find):
            if key.by_distance:
                geometry = shape(target.value)
                return None if geometry is None else (0, distance(self.place, geometry))
            value = target.value
            if target.kind is AttributeKind.LANGUAGE and isinstance(value, dict):
                value = next(iter(value.values()), None)
            elif isinstance(value, dict) and "@value" in value:
                value = value["@value"]
            return self._comparable(value)
        return None

    def _comparable(self, value: Any) -> tuple[int, Any] | None:
        """Return a value so that values of all types can be compared (clause 4.23.2)."""
        if value is None:
            return None
        if isinstance(value, bool):
            return 2, value
        if isinstance(value, int | float):
            return 0, value
        if isinstance(value, str):
            return 1, value if self.collation is None else self.collation.key(value)
        return (3 if isinstance(value, dict) else 4), json.dumps(value, sort_keys=True)


def parse(
    order_by: Sequence[str],
    names: Names,
    *,
    geometry: str = "Point",
    coordinates: Any = None,
    collation: str | None = None,
) -> Ordering:
    """Return what an order is.

    Args:
        order_by: each a path, and after ``;`` asc, desc, dist-asc or dist-desc.
        names: what the names of attributes mean.
        geometry: type of the geometry that distances are from.
        coordinates: its coordinates, or JSON text of them.
        collation: a language tag.

    Raises:
        BadRequestData: something of it is wrong.
        TooComplexQuery: a path is over a limit.
    """
    if not 0 < len(order_by) <= KEYS_MAX:
        raise BadRequestData(f"orderBy names 1 to {KEYS_MAX} members")
    keys = tuple(_key(text, names) for text in order_by)
    place = None if coordinates is None else reference(geometry, coordinates)
    if place is None and any(key.by_distance for key in keys):
        raise BadRequestData("orderBy by distance needs the coordinates that it is from: orderFrom")
    return Ordering(keys, place, None if collation is None else Collation(collation))


def _key(text: str, names: Names) -> Key:
    path, _, direction = text.partition(";")
    if direction not in ("", *_DIRECTIONS):
        raise BadRequestData(f"orderBy: {direction!r} is none of {', '.join(_DIRECTIONS)}")
    by_distance = direction.startswith("dist-")
    known = path if path in _CORE else parse_path(path, names, "orderBy")
    if by_distance and isinstance(known, str):
        raise BadRequestData(f"orderBy: {path} has no distance, only a GeoProperty has")
    return Key(known, direction.endswith("desc"), by_distance)
