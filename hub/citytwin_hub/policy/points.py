"""Points: which rows of the registry some rights are about, looked up anew as the city changes.

A point goes with what it measures: whoever is limited to types or attributes sees it where he sees
the attribute of the entity that it feeds. Where only an area limits, its own place counts, or
without one that of the entity. A pattern names points whatever they feed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin.point import Point
from citytwin_hub.entities.model import Entity
from citytwin_hub.policy.grants import Act, Grant, Rights
from citytwin_hub.registry import Registry

AGE_NS_MAX: Final = 5 * SECOND_NS
"""So long after an entity has changed its points may be shown by what it was."""
KNOWN_MAX: Final = 1_000
FOUND_MAX: Final = 1_000
"""Entities that are looked up at one time."""

Find = Callable[[Collection[str]], Mapping[str, Entity]]


class PointsSeen:
    """Which points rights are about; for any thread."""

    def __init__(
        self, registry: Registry, find: Find, expand: Callable[[str], str], clock: Clock
    ) -> None:
        """Take the points, what looks up entities, what makes IRIs of names, and a clock."""
        self._registry, self._find, self._expand, self._clock = registry, find, expand, clock
        self._lock = threading.Lock()
        self._known: dict[tuple[Rights, Act], tuple[int, int, frozenset[int]]] = {}

    def rows(self, rights: Rights, act: Act = Act.READ) -> frozenset[int] | None:
        """Return the rows of which an act may be done; None: of all."""
        if rights.is_whole(act):
            return None
        now_ns, version = self._clock.monotonic_ns(), self._registry.version
        with self._lock:
            known = self._known.get((rights, act))
            if known is not None and known[0] == version and now_ns - known[1] < AGE_NS_MAX:
                return known[2]
            found = frozenset(self._rows(rights.of(act)))
            if known is not None and found == known[2]:
                found = known[2]  # the same object: nothing has changed for who has it
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[rights, act] = version, now_ns, found
            return found

    def personal(self, rights: Rights, rows: Iterable[int] | None) -> dict[str, str]:
        """Return which of some points, or of all, give a personal attribute: its name by the id."""
        if not rights.personal:
            return {}
        points = self._registry.points
        some = points if rows is None else rows
        found = (points[row] for row in some if row in points)
        return {one.id: one.attribute for one in found if one.attribute in rights.personal}

    def has(self, rights: Rights, row: int, act: Act = Act.READ) -> bool:
        """Tell whether an act may be done with a point."""
        rows = self.rows(rights, act)
        return rows is None or row in rows

    def only(self, rights: Rights, items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield those of some things, such as alarms, whose ``row`` or ``gateway`` may be seen."""
        rows = self.rows(rights)
        gateways: set[str] | None = None
        for one in items:
            row = one.get("row")
            if rows is None or row in rows:
                yield one
            elif not row and one.get("gateway"):
                gateways = self.gateways(rights) if gateways is None else gateways
                if one["gateway"] in gateways:
                    yield one

    def gateways(self, rights: Rights) -> set[str]:
        """Return the gateways of which something may be seen; none of who sees it late."""
        rows, points = self.rows(rights), self._registry.points
        if rights.is_coarse:
            return set()
        return {points[row].gateway for row in (points if rows is None else rows) if row in points}

    def _rows(self, grants: Collection[Grant]) -> Iterator[int]:
        points = [(row, self._base(point)) for row, point in list(self._registry.points.items())]
        needed = any(_needs_entity(one) for one in grants)
        for start in range(0, len(points), FOUND_MAX):
            some = points[start : start + FOUND_MAX]
            fed = {point.feeds for _, point in some if point.feeds} if needed else set[str]()
            entities = self._find(fed) if fed else {}
            for row, point in some:
                entity = entities.get(point.feeds)
                if any(self._gives(one, point, entity) for one in grants):
                    yield row

    def _base(self, point: Point) -> Point:
        """Return the point that one is about: of ``level.alarm`` that of ``level``."""
        base, dot, _ = point.id.rpartition(".")
        row = self._registry.row(base) if dot and not point.feeds else None
        return point if row is None else self._registry.points.get(row, point)

    def _gives(self, grant: Grant, point: Point, entity: Entity | None) -> bool:
        if grant.points is not None:
            here = grant.area is None or _is_in(grant, point, entity)
            return here and grant.takes_id(point.id)
        if not grant.shows_all:
            iri = self._expand(point.attribute) if point.attribute else ""
            if grant.attributes is not None and not (iri and point.feeds):
                return False
            if iri and not grant.takes_attribute(iri):
                return False
        if grant.types is not None:
            return entity is not None and grant.takes(entity)
        if entity is not None and not grant.takes_types(entity.types):
            return False
        return grant.area is None or _is_in(grant, point, entity)


def _needs_entity(grant: Grant) -> bool:
    return grant.types is not None or bool(grant.without_types) or grant.area is not None


def _is_in(grant: Grant, point: Point, entity: Entity | None) -> bool:
    area = grant.area
    if area is None:
        return True
    if point.place is not None:
        return area.has_place(point.place)
    return entity is not None and area.has(entity)
