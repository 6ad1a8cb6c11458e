"""Elevations: heights of the ground from a terrain model, for objects that nobody has surveyed.

A height that came so says it: its parts are ``source``, the model, and ``method``, ``dem``. The
same model may change it again; what a survey, a network or another model says stays unless it is
to be overwritten.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.importing import SOURCE, Refused, appended
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.store import Hints
from citytwin_hub.jsonld.processing import CORE

ELEVATION: Final = CORE.expand("elevation")
METHOD: Final = CORE.expand("method")
LOCATION: Final = CORE.expand("location")
DEM: Final = "dem"


class Node(NamedTuple):
    """An object that may be given a height.

    Attributes:
        id: its URN.
        type: one of the types that were asked for, an IRI.
        place: longitude and latitude; None: it has no Point.
    """

    id: str
    type: str
    place: tuple[float, float] | None


class Height(NamedTuple):
    """What a model says of an object: metres, in the model's own vertical system."""

    id: str
    elevation_m: float


@dataclass(slots=True)
class Given:
    """What became of heights: with a dry run, what would.

    Attributes:
        created: objects had none; changed, unchanged: had one of this model, or were overwritten.
        kept: have one from elsewhere, which stays.
        refused: are no more.
    """

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: int = 0
    refused: list[Refused] = field(default_factory=list)


def nodes(entities: Entities, types: Collection[str], after: str, limit: int) -> list[Node]:
    """Return objects of types (IRIs) in the order of their creation, behind one of them."""
    found = entities.select(Hints(types=types, after=after))
    return [
        Node(one.id, next(kind for kind in one.types if kind in types), _place(one))
        for one in itertools.islice(found, limit)
    ]


def _place(entity: Entity) -> tuple[float, float] | None:
    told = entity.attribute(LOCATION)
    geometry: Any = told.value if told is not None else None
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        return None
    lon, lat, *_ = geometry["coordinates"]
    return float(lon), float(lat)


def give(
    entities: Entities, source: str, heights: Sequence[Height], *, overwrite: bool, dry_run: bool
) -> Given:
    """Give objects the heights that a model has where they are, in one transaction.

    Raises:
        StoreError: nothing of it could be kept.
    """
    given = Given()
    if dry_run:
        known = entities.find([one.id for one in heights])
        for height in heights:
            _fragment(known.get(height.id), source, height, given, overwrite=overwrite)
        return given
    with entities.batch() as batch:
        batch.look([one.id for one in heights])
        for height in heights:
            before = batch.get(height.id)
            fragment = _fragment(before, source, height, given, overwrite=overwrite)
            if fragment is not None:
                batch.change(height.id, appended(fragment))
    return given


def _fragment(
    before: Entity | None, source: str, height: Height, given: Given, *, overwrite: bool
) -> Fragment | None:
    """Return what an object becomes, and count it; None: it stays as it is."""
    if before is None:
        given.refused.append(Refused(height.id, "it is no more"))
        return None
    told = before.attribute(ELEVATION)
    made = _attribute(source, height.elevation_m)
    if told is not None and not overwrite and model_of(told) != source:
        given.kept += 1
        return None
    if told is not None and (told.value, told.unit_code) == (made.value, made.unit_code) and (
        model_of(told) == source
    ):  # fmt: skip
        given.unchanged += 1
        return None
    if told is None:
        given.created += 1
    else:
        given.changed += 1
    return Fragment(attributes={ELEVATION: (made,)})


def model_of(told: Attribute) -> str:
    """Return the terrain model that an elevation came from; empty: it came from elsewhere."""
    parts = {name: told.parts[name][0].value for name in (METHOD, SOURCE) if name in told.parts}
    return str(parts.get(SOURCE, "")) if parts.get(METHOD) == DEM else ""


def _attribute(source: str, elevation_m: float) -> Attribute:
    said = {SOURCE: source, METHOD: DEM}
    return Attribute(
        kind=AttributeKind.PROPERTY,
        value=elevation_m,
        unit_code="MTR",
        parts={
            name: (Attribute(kind=AttributeKind.PROPERTY, value=value),)
            for name, value in said.items()
        },
    )
