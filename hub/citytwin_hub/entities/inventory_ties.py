"""Inventory of ties: pieces cut off from their network, ties to nothing, ends away from nodes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

import shapely

from citytwin_hub.entities.inventory import Finding, Inventory, Object, Plane

AWAY_M: Final = 1.0
"""An end may be so far from the node that it names."""
ENDS: Final = {"startsAt": 0, "receivesFrom": 0, "endsAt": -1, "drainsTo": -1}
"""Which position of a line is at the node that a relation names."""
SHOWN: Final = 3
"""Classes that a sentence names of a piece."""


def check_ties(objects: Sequence[Object], plane: Plane, found: Inventory, *, whole: bool) -> None:
    """Note pieces, untied objects, ties to what is not there, and ends away from their nodes.

    Args:
        objects: to look at.
        plane: theirs.
        found: takes the findings.
        whole: whether these are all that there are; a target that is missing is then no more.
    """
    by_id = {one.id: number for number, one in enumerate(objects)}
    groups = _Groups(len(objects))
    tied = [False] * len(objects)
    for number, one in enumerate(objects):
        for name, target in one.ties:
            other = by_id.get(target)
            if other is None:
                if whole:
                    what = f"its {name} is {target}, which is not there"
                    remedy = "import that, too, or correct the relation"
                    found.note(_at(plane, one, "astray", what, remedy, target))
                continue
            groups.join(number, other)
            tied[number] = tied[other] = True
            if name in ENDS:
                _check_end(one, name, objects[other], plane, found)
    _note_pieces(objects, groups, tied, plane, found)


def _check_end(one: Object, name: str, node: Object, plane: Plane, found: Inventory) -> None:
    if one.shape is None or one.shape.geom_type != "LineString" or node.shape is None:
        return
    end = shapely.get_point(one.shape, ENDS[name])
    away_m = shapely.distance(end, node.shape)
    if away_m > AWAY_M:
        what = f"it {'ends' if ENDS[name] else 'begins'} {away_m:.1f} m away from {node.id}"
        remedy = "draw it to the node, or tie it to another one"
        found.note(_at(plane, one, "away", what, remedy, node.id))


def _note_pieces(
    objects: Sequence[Object],
    groups: _Groups,
    tied: Sequence[bool],
    plane: Plane,
    found: Inventory,
) -> None:
    """Note of each source the pieces but the largest, and what is tied to nothing at all."""
    pieces: dict[int, list[int]] = defaultdict(list)
    usual = Counter(one.kind for one, is_tied in zip(objects, tied, strict=True) if is_tied)
    for number, one in enumerate(objects):
        if tied[number]:
            pieces[groups.root(number)].append(number)
        elif usual[one.kind]:
            what = f"nothing is tied to it; {usual[one.kind]} of its class are tied"
            remedy = "tie it to its neighbours, or delete it"
            found.note(_at(plane, one, "untied", what, remedy))
    main: dict[str, list[int]] = {}
    for members in pieces.values():
        for source in {objects[number].source for number in members}:
            if len(members) > len(main.get(source, ())):
                main[source] = members
    for members in pieces.values():
        first = objects[members[0]]
        if any(members is one for one in main.values()):
            continue
        most = len(main[first.source])
        kinds = Counter(objects[number].kind for number in members).most_common(SHOWN)
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds)
        what = f"it belongs to a piece of {len(members)} objects ({listed}) tied to no other"
        remedy = f"the largest piece has {most}: look for the link that is missing"
        found.note(_at(plane, first, "piece", what, remedy))


class _Groups:
    """Sets that are joined; path halving, union by size."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))
        self._size = [1] * count

    def root(self, one: int) -> int:
        """Return what stands for the set of a member."""
        above = self._above
        while above[one] != one:
            above[one] = above[above[one]]
            one = above[one]
        return one

    def join(self, one: int, other: int) -> None:
        """Make the sets of two members one."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return
        if self._size[one] < self._size[other]:
            one, other = other, one
        self._above[other] = one
        self._size[one] += self._size[other]


def _at(plane: Plane, one: Object, kind: str, what: str, remedy: str, other: str = "") -> Finding:
    place: Any = None if one.shape is None else plane.place(one.shape)
    return Finding(kind, one.id, what, remedy, other, place)
