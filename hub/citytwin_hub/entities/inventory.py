"""Inventory: what a city has, and what is wrong or missing in it: the full inventory of its model.

Entities are read once; what the checks need of each stays in memory (about a kilobyte). The checks
themselves are in ``inventory_ties.py`` (who is tied to whom) and ``inventory_shapes.py`` (where
things lie). Lengths are metres on a plane through the middle of what is looked at, which is good to
a thousandth over a city.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import shapely
from shapely.errors import ShapelyError

from citytwin.point import Label
from citytwin_hub.entities.errors import TooManyResults
from citytwin_hub.entities.importing import SOURCE, source_of
from citytwin_hub.entities.links import targets
from citytwin_hub.entities.model import AttributeKind, Entity
from citytwin_hub.entities.relations import KINDS, local_name, reading
from citytwin_hub.jsonld.processing import CORE

ENTITIES_MAX: Final = 1_000_000
LISTED_MAX: Final = 100_000
"""Findings that are listed; all are counted."""
MISSING_SHARE_MIN: Final = 0.8
"""An attribute that at least so many of a class have is missed by the others."""
LOCATION: Final = CORE.expand("location")
ELEVATION: Final = CORE.expand("elevation")
METRES_PER_DEGREE: Final = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""
_OWN: Final = frozenset({SOURCE, CORE.expand("sourceId"), LOCATION})


class Finding(NamedTuple):
    """Something that somebody should look at.

    Attributes:
        kind: one of ``TITLES``.
        id: the entity's.
        what: a sentence.
        remedy: what to do.
        other: a second entity that it is about; empty: none.
        place: longitude and latitude; None: it has none.
    """

    kind: str
    id: str
    what: str
    remedy: str
    other: str = ""
    place: tuple[float, float] | None = None


TITLES: Final[Mapping[str, Label]] = MappingProxyType(
    {
        "gap": Label("Үзілген жалғаулар", "Разрывы", "Ends that nearly touch"),
        "away": Label("Түйіннен алшақ ұштар", "Концы не у узла", "Ends away from their node"),
        "piece": Label("Бөлек бөліктер", "Отдельные части сети", "Pieces cut off from the rest"),
        "untied": Label("Жалғанбаған нысандар", "Не связанные объекты", "Objects tied to nothing"),
        "astray": Label(
            "Жоқ нысанға сілтеме", "Связь с отсутствующим", "Ties to what is not there"
        ),
        "duplicate": Label("Қайталанған нысандар", "Дубликаты", "Objects that are there twice"),
        "overlap": Label("Қабаттасулар", "Наложения", "Areas that overlap"),
        "elevation": Label("Күмәнді биіктіктер", "Сомнительные отметки", "Doubtful elevations"),
        "invalid": Label("Жарамсыз геометрия", "Ошибки геометрии", "Geometries that are not valid"),
        "outside": Label("Қала аумағынан тыс", "Вне территории города", "Outside the city"),
        "unplaced": Label("Орны жоқ нысандар", "Объекты без места", "Objects without a place"),
        "missing": Label("Жетіспейтін мәліметтер", "Нет сведений", "Missing attributes"),
    }
)


@dataclass(slots=True)
class Object:
    """What the checks need of an entity.

    Attributes:
        id: its URN.
        kind: the last part of its first type.
        source: where it was imported from; empty: elsewhere.
        shape: its ``location`` on the plane, metres; None: it has none.
        elevation: metres; NaN: none.
        ties: names of relations along which something flows, with their targets.
    """

    id: str
    kind: str
    source: str
    shape: Any = None
    elevation: float = math.nan
    ties: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Share:
    """How many of a class have an attribute."""

    kind: str
    attribute: str
    have: int
    of: int


@dataclass(slots=True)
class Inventory:
    """What there is and what was found.

    Attributes:
        classes: how many entities of each class.
        shares: of each class and attribute that not all have.
        findings: up to the limit; ``counts``: of all, by kind.
        notes: what was not looked at, and why.
    """

    limit: int
    classes: Counter[str] = field(default_factory=Counter)
    shares: list[Share] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def note(self, finding: Finding) -> None:
        """Count a finding, and keep it if there is room; each kind has its share of it."""
        self.counts[finding.kind] += 1
        if self.counts[finding.kind] <= self.limit:
            self.findings.append(finding)


class Plane:
    """A plane in metres that touches the Earth at a place."""

    def __init__(self, lon: float, lat: float) -> None:
        """Touch it there."""
        self._zero = np.array([lon, lat])
        self._scale = np.array([METRES_PER_DEGREE * math.cos(math.radians(lat)), METRES_PER_DEGREE])

    def flat(self, places: np.ndarray) -> np.ndarray:
        """Return degrees (n × 2) as metres."""
        moved: np.ndarray = (places - self._zero) * self._scale
        return moved

    def place(self, shape: Any) -> tuple[float, float]:
        """Return longitude and latitude of a point on a shape of the plane."""
        x, y = shapely.get_coordinates(shape)[0] / self._scale + self._zero
        return round(float(x), 7), round(float(y), 7)


def taken(
    entities: Iterable[Entity], found: Inventory, part: Any = None
) -> tuple[list[Object], Plane]:
    """Return what the checks need of entities; count classes, and note what has no good place.

    Args:
        entities: in any order.
        found: takes counts and findings.
        part: a shape in degrees; what does not touch it is passed over; None: nothing is.

    Raises:
        TooManyResults: there are more than can be looked at together.
    """
    objects: list[Object] = []
    plane: Plane | None = None
    have: dict[str, Counter[str]] = defaultdict(Counter)
    read: list[tuple[str, frozenset[str]]] = []
    for entity in entities:
        if len(objects) >= ENTITIES_MAX:
            raise TooManyResults(
                f"there are over {ENTITIES_MAX} entities: look at a part of the city with bbox"
            )
        one = Object(entity.id, local_name(entity.types[0]), source_of(entity))
        shape = _shape(entity)
        if part is not None and (not shape or not shapely.intersects(part, shape)):
            continue
        plane = _place(one, entity, shape, found, plane)
        one.ties = tuple(_ties(entity))
        one.elevation = _number(entity)
        objects.append(one)
        found.classes[one.kind] += 1
        names = frozenset(entity.attributes.keys() - _OWN)
        have[one.kind].update(names)
        read.append((one.id, names))
    _missing(objects, read, have, found)
    return objects, plane or Plane(0, 0)


def _shape(entity: Entity) -> Any:
    """Return the geometry of an entity; None: it has none; False: it cannot be read."""
    location = entity.attribute(LOCATION)
    if location is None or location.kind is not AttributeKind.GEO:
        return None
    try:
        shape = shapely.geometry.shape(location.value)
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return False if shape.is_empty else shape


def _place(
    one: Object, entity: Entity, shape: Any, found: Inventory, plane: Plane | None
) -> Plane | None:
    """Give an object its shape on the plane, which the first one makes."""
    if shape is None:
        return plane
    if shape is False:
        found.note(Finding("invalid", entity.id, "its geometry cannot be read", "draw it anew"))
        return plane
    first = shapely.get_coordinates(shape)[0]
    place = (round(float(first[0]), 7), round(float(first[1]), 7))
    if not shape.is_valid:
        why = shapely.is_valid_reason(shape)
        remedy = "mend it in the source and import again"
        found.note(Finding("invalid", one.id, f"its geometry: {why}", remedy, place=place))
    plane = plane or Plane(*place)
    one.shape = shapely.transform(shape, plane.flat)
    return plane


def _ties(entity: Entity) -> Iterator[tuple[str, str]]:
    for name, instances in entity.attributes.items():
        meant = reading(name)
        if meant is not None and KINDS[meant[0]].flows:
            for one in instances:
                for target in targets(one):
                    yield local_name(name), target


def _number(entity: Entity) -> float:
    told = entity.attribute(ELEVATION)
    value = told.value if told is not None else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return math.nan


def _missing(
    objects: list[Object],
    read: list[tuple[str, frozenset[str]]],
    have: Mapping[str, Counter[str]],
    found: Inventory,
) -> None:
    """Note which attributes most of a class have and some have not."""
    usual: dict[str, list[str]] = {}
    for kind, counts in sorted(have.items()):
        of = found.classes[kind]
        for name, count in sorted(counts.items()):
            if count < of:
                found.shares.append(Share(kind, local_name(name), count, of))
                if count >= MISSING_SHARE_MIN * of:
                    usual.setdefault(kind, []).append(name)
    placed = Counter(one.kind for one in objects if one.shape is not None)
    for one, (_, names) in zip(objects, read, strict=True):
        gone = [local_name(name) for name in usual.get(one.kind, ()) if name not in names]
        if gone:
            what = f"it has no {', '.join(gone)}, which most of its class have"
            found.note(Finding("missing", one.id, what, "fill it in at the source"))
        if one.shape is None and placed[one.kind]:
            what = f"it has no place; {placed[one.kind]} of its class have one"
            found.note(Finding("unplaced", one.id, what, "give it one at the source"))
