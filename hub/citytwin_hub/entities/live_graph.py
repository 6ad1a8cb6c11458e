"""Live graph: the relations of one tenant in memory, read once and kept up to date by its writers.

Questions about any moment are answered from the same columns. The first question reads the file;
after that each change of an entity is taken over before its writer goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, TypeVar

from citytwin.errors import StoreLimit
from citytwin_hub.entities.entities import Entities, Written
from citytwin_hub.entities.graph import Graph, View
from citytwin_hub.entities.relations import steps

VIEWS_MAX: Final = 4
"""Views of different moments and kinds that are kept; each takes 40 bytes a relation."""

Answer = TypeVar("Answer")
Rows: TypeAlias = Iterable[tuple[str, str, str, int, int | None]]


class LiveGraph:
    """One tenant's graph; every method may be called on any thread."""

    def __init__(self, entities: Entities, relations: Callable[[], Rows]) -> None:
        """Stand on entities and on what reads their relations; nothing is read yet."""
        self._relations = relations
        self._lock = threading.RLock()
        self._graph: Graph | None = None
        self._views: dict[tuple[int | None, frozenset[str] | None], View] = {}
        self._version = -1
        entities.observers.append(self.observe)

    def observe(self, written: Written) -> None:
        """Take over what was written. What cannot be taken is read anew with the next question."""
        with self._lock:
            graph = self._graph
            if graph is None:
                return
            try:
                for change in written.changes:
                    for step in steps(change, written.now_ns):
                        act = graph.begin if step.begins else graph.end
                        act(step.source, step.name, step.target, step.moment_ns)
            except StoreLimit:
                self._graph = None

    def ask(
        self,
        question: Callable[[Graph, View], Answer],
        moment_ns: int | None = None,
        kinds: frozenset[str] | None = None,
    ) -> Answer:
        """Return the answer of a question on the graph at a moment; one is asked at a time.

        Args:
            question: takes the graph and its view, and keeps neither.
            moment_ns: UTC nanoseconds; None: now.
            kinds: along which something goes; None: those that say so.

        Raises:
            StoreError: the relations cannot be read.
            StoreLimit: there are more than a graph may have.
        """
        with self._lock:
            graph = self._graph
            if graph is None:
                graph = Graph()
                graph.add(self._relations())
                self._graph, self._version = graph, -1
            if self._version != graph.version:
                self._views.clear()
                self._version = graph.version
            key = (moment_ns, kinds)
            view = self._views.pop(key, None) or graph.view(moment_ns, kinds)
            self._views[key] = view
            while len(self._views) > VIEWS_MAX:
                self._views.pop(next(iter(self._views)))
            return question(graph, view)
