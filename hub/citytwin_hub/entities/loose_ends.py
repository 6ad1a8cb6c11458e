"""Loose ends: points that give no entity anything, and entities that no point gives anything.

What hangs in the air is listed, so that an operator can tie it: a sensor that measures nothing's
level, a pump that nobody measures, a tank whose sensor has said nothing since yesterday.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from citytwin.point import Kind, Point, Source
from citytwin_hub.entities.model import Entity
from citytwin_hub.twin import Twin


@dataclass(frozen=True, slots=True)
class Silent:
    """An entity whose points have said nothing for long.

    Attributes:
        id: the entity's.
        points: ids of its points.
        last_ns: when the newest sample was taken; 0: there has been none.
    """

    id: str
    points: tuple[str, ...]
    last_ns: int


@dataclass(slots=True)
class LooseEnds:
    """What hangs in the air; of each list at most as many as were asked for, all are counted.

    Attributes:
        points: ids of points that name no entity, or no attribute of it.
        astray: ids of points whose entity is not there, with its identifier.
        unmeasured: ids of entities that no point gives anything.
        silent: entities whose points say nothing.
        counts: of each of the four.
    """

    points: list[str] = field(default_factory=list)
    astray: list[tuple[str, str]] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)
    silent: list[Silent] = field(default_factory=list)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("points", "astray", "unmeasured", "silent"), 0)
    )


def loose_ends(
    points: Iterable[tuple[int, Point]],
    entities: Iterable[Entity],
    twin: Twin,
    *,
    before_ns: int,
    exists: Callable[[Collection[str]], Mapping[str, Entity]],
    limit: int,
) -> LooseEnds:
    """Return what hangs in the air.

    Args:
        points: those that gateways have, with their rows.
        entities: those that should be measured.
        twin: the latest samples.
        before_ns: entities whose newest sample was taken before are silent.
        exists: looks up entities.
        limit: how many of each are listed.
    """
    found = LooseEnds()

    def note(kind: str, into: list, one: object) -> None:  # type: ignore[type-arg]  # four sorts
        found.counts[kind] += 1
        if len(into) < limit:
            into.append(one)

    bound: dict[str, list[tuple[int, Point]]] = {}
    for row, point in points:
        if point.feeds and point.attribute:
            bound.setdefault(point.feeds, []).append((row, point))
        elif point.kind is not Kind.ALARM and point.source is not Source.HEALTH:
            # Alarms are about other points, and a gateway's own health about no object.
            note("points", found.points, point.id)
    there = exists(bound.keys())
    for entity_id in sorted(bound.keys() - there.keys()):
        for _, point in bound[entity_id]:
            note("astray", found.astray, (point.id, entity_id))
    for entity in entities:
        own = bound.get(entity.id)
        if own is None:
            note("unmeasured", found.unmeasured, entity.id)
            continue
        last_ns = int(twin.read([row for row, _ in own]).time_ns.max())
        if last_ns < before_ns:
            names = tuple(point.id for _, point in own)
            note("silent", found.silent, Silent(entity.id, names, last_ns))
    return found
