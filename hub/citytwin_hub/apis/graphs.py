"""Graphs: questions on the relations of city objects, asked by identifier and answered by it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import ResourceNotFound
from citytwin_hub.entities.graph import Bools, Graph, Int32s, View
from citytwin_hub.entities.live_graph import LiveGraph
from citytwin_hub.entities.outage import SOURCE_TYPES, VALVE_TYPES, isolation, loss, sources_of
from citytwin_hub.entities.relations import TYPE, local_name, reading

NEIGHBOURS_MAX: Final = 10_000
"""In one answer; a hub of relations has more, and is asked for by kind."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every question has.

    Attributes:
        moment_ns: UTC nanoseconds; None: now.
        kinds: along which something goes; None: those that say so.
        types: only objects of one of these types: IRIs or their last parts; empty: all.
        limit: how many objects are listed; all are counted.
        visible: which of some objects whoever asks may see; None: all.
        shows: whether he may see a relation, by its IRI.
    """

    moment_ns: int | None = None
    kinds: frozenset[str] | None = None
    types: tuple[str, ...] = ()
    limit: int = 1000
    visible: Callable[[Sequence[str]], Collection[str]] | None = None
    shows: Callable[[str], bool] = lambda _: True

    def mask(self, graph: Graph, found: Int32s) -> Bools:
        """Tell which of some objects may be seen."""
        if self.visible is None:
            return np.ones(len(found), np.bool_)
        ids = [graph.ids[number] for number in found.tolist()]
        visible = self.visible(ids)
        return np.array([one in visible for one in ids], np.bool_)

    def only(self, graph: Graph, found: Int32s) -> Int32s:
        """Return those of some objects that may be seen."""
        return found if self.visible is None else found[self.mask(graph, found)]


class Graphs:
    """The graphs of every tenant; each is read when it is first asked."""

    def __init__(self, broker: Broker) -> None:
        """Stand on the tenants of a broker."""
        self.broker, self._lock = broker, threading.Lock()
        self._live: dict[int, tuple[Entities, LiveGraph]] = {}

    def of(self, tenant: str) -> LiveGraph:
        """Return a tenant's graph.

        Raises:
            EntityError: there is no such tenant.
        """
        found = self.broker.tenant(tenant)
        with self._lock:
            known = self._live.get(id(found.entities))
            if known is None:
                live = LiveGraph(found.entities, found.store.relations)
                # The entities are kept with it, so that nothing else gets their number.
                known = self._live[id(found.entities)] = (found.entities, live)
            return known[1]

    def reached(self, tenant: str, one: str, asked: Asked, *, against: bool) -> dict[str, Any]:
        """Return what lies downstream of an object, or upstream, the nearest first."""

        def answer(graph: Graph, view: View) -> dict[str, Any]:
            found = view.reach([_number(graph, one, asked)], against=against).found[1:]
            return _listed(graph, view, found, asked)

        return self._ask(tenant, answer, asked)

    def neighbours(self, tenant: str, one: str, asked: Asked) -> dict[str, Any]:
        """Return every relation of an object: its name, its kind, to or from whom."""

        def answer(graph: Graph, view: View) -> dict[str, Any]:
            number = _number(graph, one, asked)
            out, into = view.tails == number, view.heads == number
            rows = [
                *(
                    (int(n), int(o), True)
                    for n, o in zip(view.names[out], view.heads[out], strict=True)
                ),
                *(
                    (int(n), int(o), False)
                    for n, o in zip(view.names[into], view.tails[into], strict=True)
                ),
            ]
            seen: set[tuple[int, int]] = set()
            found = []
            for name, other, outward in rows:
                iri = graph.names[name]
                read = reading(iri)
                both = read is not None and read[0] == "connects"
                if iri == TYPE or (asked.kinds and (read is None or read[0] not in asked.kinds)):
                    continue
                if both and (name, other) in seen:
                    continue
                seen.add((name, other))
                found.append(
                    {
                        "id": graph.ids[other],
                        "relation": iri,
                        "kind": read[0] if read else "",
                        "direction": "both" if both else "out" if outward else "in",
                    }
                )
            if asked.visible is not None:
                visible = asked.visible([one["id"] for one in found])
                found = [one for one in found if one["id"] in visible
                         and asked.shows(one["relation"])]  # fmt: skip
            found.sort(key=lambda n: (n["kind"], n["direction"], n["id"]))
            return {"count": len(found), "neighbours": found[: asked.limit]}

        return self._ask(tenant, answer, asked)

    def path(
        self, tenant: str, ends: tuple[str, str], asked: Asked, *, both: bool
    ) -> dict[str, Any]:
        """Return a shortest way between two objects along the flow, or in any direction."""

        def answer(graph: Graph, view: View) -> dict[str, Any]:
            begin, end = (_number(graph, one, asked) for one in ends)
            if both:
                named = np.array([name != TYPE for name in graph.names], np.bool_)
                view = view.only(named[view.names]).both_ways()
            came_from = view.reach([begin]).came_from
            if came_from[end] < 0:
                return {"found": False, "path": []}
            way = [end]
            while way[-1] != begin:
                way.append(int(came_from[way[-1]]))
            way.reverse()
            steps = [_step(graph, view, way, at) for at in range(len(way))]
            shown = all(asked.shows(one["relation"]) for one in steps[1:])
            if not shown or not asked.mask(graph, np.array(way, np.int32)).all():
                return {"found": False, "path": []}
            return {"found": True, "path": steps}

        return self._ask(tenant, answer, asked)

    def loss(
        self,
        tenant: str,
        closed: Sequence[str],
        asked: Asked,
        *,
        sources: Sequence[str] = (),
        source_types: Sequence[str] = (),
        backups: bool = True,
    ) -> dict[str, Any]:
        """Return who is no longer supplied when objects close, and who is held by backups."""

        def answer(graph: Graph, view: View) -> dict[str, Any]:
            shut = [_number(graph, one, asked) for one in closed]
            begin = np.array([_number(graph, one, asked) for one in sources], np.int32)
            if source_types:
                of_types = np.flatnonzero(graph.of_types(view, source_types))
                begin = np.union1d(begin, of_types).astype(np.int32)
            elif not sources:
                begin = sources_of(graph, view, SOURCE_TYPES)
            lost = loss(graph, view, shut, begin, backups=backups)
            held = _listed(graph, view, lost.held, asked)
            backups_seen = asked.only(graph, np.asarray(lost.backups, np.int32))
            sources_seen = asked.only(graph, np.asarray(lost.sources, np.int32))
            return {
                **_listed(graph, view, lost.lost, asked),
                "held": held["objects"],
                "held_count": held["count"],
                "backups": [graph.ids[number] for number in backups_seen],
                "sources": [graph.ids[number] for number in sources_seen[: asked.limit]],
                "sources_count": len(sources_seen),
            }

        return self._ask(tenant, answer, asked)

    def isolation(
        self, tenant: str, one: str, asked: Asked, valve_types: Sequence[str] = VALVE_TYPES
    ) -> dict[str, Any]:
        """Return which valves to close so that an object stands alone, and what does with it."""

        def answer(graph: Graph, view: View) -> dict[str, Any]:
            found = isolation(graph, view, _number(graph, one, asked), valve_types)
            valves = asked.only(graph, np.asarray(found.valves, np.int32))
            return {
                "valves": [graph.ids[number] for number in valves[: asked.limit]],
                "valves_count": len(valves),
                **_listed(graph, view, found.segment, asked),
            }

        return self._ask(tenant, answer, asked)

    def _ask(
        self, tenant: str, answer: Callable[[Graph, View], dict[str, Any]], asked: Asked
    ) -> dict[str, Any]:
        return self.of(tenant).ask(answer, asked.moment_ns, asked.kinds)


def _number(graph: Graph, one: str, asked: Asked) -> int:
    number = graph.numbers.get(one)
    if number is None or (asked.visible is not None and one not in asked.visible([one])):
        raise ResourceNotFound(f"no relation of {one[:200]} is or was known")
    return number


def _listed(graph: Graph, view: View, found: Int32s, asked: Asked) -> dict[str, Any]:
    if asked.types:
        mask: Bools = graph.of_types(view, asked.types)
        found = found[mask[found]]
    found = asked.only(graph, found)
    page = found[: asked.limit].tolist()
    kinds = _types(graph, view, page)
    objects = [{"id": graph.ids[one], "types": kinds.get(one, [])} for one in page]
    return {"count": len(found), "objects": objects}


def _types(graph: Graph, view: View, page: list[int]) -> dict[int, list[str]]:
    """Return the types of some objects, by their last parts."""
    named = np.array([name == TYPE for name in graph.names], np.bool_)
    if not page:
        return {}
    wanted = np.zeros(view.size, np.bool_)
    wanted[page] = True
    rows = named[view.names] & wanted[view.tails]
    found: dict[int, list[str]] = {}
    for one, kind in zip(view.tails[rows].tolist(), view.heads[rows].tolist(), strict=True):
        found.setdefault(one, []).append(local_name(graph.ids[kind]))
    return found


def _step(graph: Graph, view: View, way: list[int], at: int) -> dict[str, Any]:
    if at == 0:
        return {"id": graph.ids[way[0]], "relation": ""}
    rows = np.flatnonzero((view.tails == way[at - 1]) & (view.heads == way[at]))
    return {"id": graph.ids[way[at]], "relation": graph.names[int(view.names[rows[0]])]}
