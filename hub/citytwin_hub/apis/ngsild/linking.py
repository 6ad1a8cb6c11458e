"""Linking: looks up what the entities of an answer link to, one look for each level.

ETSI GS CIM 009, clause 4.5.23 (linked entity retrieval).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from citytwin_hub.apis.ngsild.projections import Projection
from citytwin_hub.apis.ngsild.view import View
from citytwin_hub.entities.errors import TooManyResults
from citytwin_hub.entities.links import Find, targets
from citytwin_hub.entities.model import Entity

LINKED_MAX: Final = 10_000
"""Linked entities in one answer; a page of 1,000 entities with ten relationships each."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An entity, and which members of it are shown."""

    entity: Entity
    pick: Projection | None
    omit: Projection | None


@dataclass(slots=True)
class Linked:
    """What an answer's entities link to: by identifier, and in the order in which it was met."""

    by_id: dict[str, Entity] = field(default_factory=dict)
    met: list[Shown] = field(default_factory=list)


def shows(pick: Projection | None, omit: Projection | None, member: str) -> bool:
    """Tell whether a projection shows a member: a name of ``projections.CORE`` or an IRI."""
    if pick is not None and member not in pick.members:
        return False
    return omit is None or member not in omit.members or omit.members[member] is not None


def beyond(projection: Projection | None, member: str) -> Projection | None:
    """Return the projection of what a member links to."""
    return None if projection is None else projection.members.get(member)


class _Way(NamedTuple):
    target: str
    pick: Projection | None
    omit: Projection | None

    @property
    def key(self) -> tuple[str, int, int]:
        # Projections are parts of the one request, so each is one object.
        return self.target, id(self.pick), id(self.omit)


def gather(roots: Sequence[Entity], view: View, find: Find) -> Linked:
    """Return what some entities link to, as many links away as a view wants.

    Raises:
        TooManyResults: they link to more than ``LINKED_MAX``.
    """
    linked = Linked()
    frontier = [Shown(root, view.pick, view.omit) for root in roots]
    met = {root.id for root in roots} | view.contained_by
    taken: set[tuple[str, int, int]] = set()
    for level in range(view.join_level):
        ways: list[_Way] = []
        for way in _ways(frontier, view, whole=level > 0):
            if way.target not in view.contained_by and way.key not in taken:
                taken.add(way.key)
                ways.append(way)
        missing = {way.target for way in ways if way.target not in linked.by_id}
        if len(linked.by_id) + len(missing) > LINKED_MAX:
            raise TooManyResults(
                f"the entities link to more than {LINKED_MAX} others: ask for fewer at a time"
            )
        if missing:
            linked.by_id.update(find(missing))
        frontier = [
            Shown(linked.by_id[way.target], way.pick, way.omit)
            for way in ways
            if way.target in linked.by_id
        ]
        for shown in frontier:
            if shown.entity.id not in met:
                met.add(shown.entity.id)
                linked.met.append(shown)
    return linked


def _ways(frontier: list[Shown], view: View, *, whole: bool) -> Iterator[_Way]:
    """Yield where entities link to, with what is to be shown there; ``whole``: not by attrs."""
    for shown in frontier:
        for name, instances in shown.entity.attributes.items():
            if not whole and view.attrs is not None and name not in view.attrs:
                continue
            if not shows(shown.pick, shown.omit, name):
                continue
            for attribute in instances:
                if view.datasets is None or attribute.dataset in view.datasets:
                    for target in targets(attribute):
                        yield _Way(target, beyond(shown.pick, name), beyond(shown.omit, name))
