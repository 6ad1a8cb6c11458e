"""Outage: who is no longer supplied when objects close, who is held by backups, where to isolate.

>>> from citytwin_hub.entities.graph import Graph
>>> graph = Graph()
>>> graph.begin("plant", "feeds", "valve", 0)
>>> graph.begin("valve", "supplies", "house", 0)
>>> lost = loss(graph, graph.view(), closed=[graph.numbers["valve"]])
>>> [graph.ids[one] for one in lost.lost]
['house']
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from citytwin_hub.entities.graph import Bools, Graph, Int32s, Reach, View

SOURCE_TYPES: Final = (
    "Reservoir", "Spring", "Well", "WaterTreatmentPlant", "HeatPlant", "BoilerHouse",
    "CombinedHeatAndPowerPlant", "PowerPlant",
)  # fmt: skip
"""What supplies by its nature: the last part of a type's IRI."""
VALVE_TYPES: Final = ("Valve", "Breaker", "Switch")


@dataclass(frozen=True, slots=True)
class Loss:
    """What closing objects takes away, by number.

    Attributes:
        lost: no longer supplied; what was closed is not among them.
        held: supplied only because a backup stands in.
        sources: from where supply was counted.
        backups: those that stand in.
    """

    lost: Int32s
    held: Int32s
    sources: Int32s
    backups: Int32s


def sources_of(graph: Graph, view: View, types: Collection[str] = SOURCE_TYPES) -> Int32s:
    """Return where supply begins: objects of some types, and those that give but are given nothing.

    A backup is no such source: it waits until it is needed.
    """
    mask = graph.of_types(view, types)
    standby = np.zeros(view.size, np.bool_)
    standby[view.tails[graph.of_kind(view, "isBackupOf")]] = True
    gives, given = np.diff(view.down.first) > 0, np.diff(view.up.first) > 0
    return np.flatnonzero(mask | (gives & ~given & ~standby)).astype(np.int32)


def supplied(
    graph: Graph, view: View, sources: Int32s, closed: Bools, *, backups: bool = True
) -> tuple[Reach, list[int]]:
    """Return what is reached from sources past closed objects, and which backups stand in.

    A backup stands in for what it backs up when that is closed or not supplied, and when it is
    supplied itself or needs no supply; what the other would have given to is then given by it.
    """
    reach = view.reach(sources, closed=closed)
    if not backups:
        return reach, []
    rows = graph.of_kind(view, "isBackupOf")
    waiting = {
        (one, other)
        for one, other in zip(view.tails[rows].tolist(), view.heads[rows].tolist(), strict=True)
        if one != other and not closed[one]
    }
    used: list[int] = []
    given = np.diff(view.up.first) > 0
    first, others = view.down.first, view.down.others
    while True:
        begin: list[int] = []
        for one, other in sorted(waiting):
            ready = reach.came_from[one] >= 0 or not given[one]
            if ready and reach.came_from[other] < 0:
                waiting.discard((one, other))
                used.append(one)
                begin += (one, *others[first[other] : first[other + 1]].tolist())
        if not begin:
            return reach, used
        reach = view.reach_on(reach, begin)


def loss(
    graph: Graph,
    view: View,
    closed: Sequence[int],
    sources: Int32s | None = None,
    *,
    backups: bool = True,
) -> Loss:
    """Return who loses supply when objects close.

    Args:
        graph: of the view.
        view: the moment, and along what supply goes.
        closed: numbers of objects.
        sources: where supply begins; None: ``sources_of``.
        backups: whether backups stand in.
    """
    if sources is None:
        sources = sources_of(graph, view)
    shut = np.zeros(view.size, np.bool_)
    before, _ = supplied(graph, view, sources, shut, backups=backups)
    shut = shut.copy()
    shut[list(closed)] = True
    after, used = supplied(graph, view, sources, shut, backups=backups)
    bare = supplied(graph, view, sources, shut, backups=False)[0] if used else after
    had = before.came_from >= 0
    order = before.found[~shut[before.found]]
    lost = order[after.came_from[order] < 0]
    held = order[had[order] & (after.came_from[order] >= 0) & (bare.came_from[order] < 0)]
    return Loss(lost, held, sources, np.array(sorted(set(used)), np.int32))


@dataclass(frozen=True, slots=True)
class Isolation:
    """Where to close so that an object stands alone, by number.

    Attributes:
        valves: to be closed.
        segment: what then stands alone with the object.
    """

    valves: Int32s
    segment: Int32s


def isolation(
    graph: Graph, view: View, one: int, types: Collection[str] = VALVE_TYPES
) -> Isolation:
    """Return which valves (objects of some types) stand between an object and the rest."""
    valves = graph.of_types(view, types)
    valves[one] = False
    rows = view.flow
    around = view.only(rows).both_ways()
    segment = around.reach([one], closed=valves).found
    inside = np.zeros(view.size, np.bool_)
    inside[segment] = True
    met = around.heads[inside[around.tails] & valves[around.heads]]
    return Isolation(np.unique(met), segment)
