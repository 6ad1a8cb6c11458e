"""Inventory run: all checks over the entities of a city, or of a part of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import shapely

from citytwin_hub.entities.inventory import Inventory, Object, Plane, taken
from citytwin_hub.entities.inventory_shapes import GAP_M, check_outside, check_shapes
from citytwin_hub.entities.inventory_ties import check_ties
from citytwin_hub.entities.model import Entity

AREAS: Final = frozenset({"District", "City", "AdministrativeArea"})
"""Classes whose areas together are the city."""


class Bounds(NamedTuple):
    """A box in degrees, WGS 84."""

    west: float
    south: float
    east: float
    north: float


def inventory(
    entities: Iterable[Entity],
    *,
    limit: int,
    part: Bounds | None = None,
    city: Bounds | None = None,
    gap_m: float = GAP_M,
    whole: bool = True,
) -> Inventory:
    """Return what there is and what is wrong.

    Args:
        entities: to look at.
        limit: how many findings of each kind are listed.
        part: look at what touches this box only; None: at all.
        city: where the city is; None: where its districts are, if it has any.
        gap_m: ends that are nearer to each other nearly touch.
        whole: whether ``entities`` are all that there are.

    Raises:
        TooManyResults: there are too many to look at together.
    """
    found = Inventory(limit)
    objects, plane = taken(entities, found, None if part is None else shapely.box(*part))
    check_ties(objects, plane, found, whole=whole and part is None)
    check_shapes(objects, plane, found, gap_m=gap_m)
    area = _box(city, plane) if city is not None else _districts(objects)
    if area is None:
        found.notes.append(
            "what lies outside the city was not looked for: give within, or import its districts"
        )
    else:
        check_outside(objects, area, plane, found)
    order = {kind: number for number, kind in enumerate(found.counts)}
    found.findings.sort(key=lambda one: order[one.kind])
    return found


def _box(box: Bounds, plane: Plane) -> shapely.Geometry:
    return shapely.transform(shapely.box(*box), plane.flat)


def _districts(objects: list[Object]) -> shapely.Geometry | None:
    areas = [
        one.shape
        for one in objects
        if one.kind in AREAS and one.shape is not None and one.shape.is_valid and one.shape.area
    ]
    return shapely.union_all(areas) if areas else None
