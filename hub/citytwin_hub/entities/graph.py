"""Graph: relations as columns in memory, and what can be reached along them at any moment.

Objects are numbers, and a relation a row: who, to whom, of which kind, from when until when. A
:class:`View` is the graph at one moment: the rows that held then, sorted by their ends, which is
made once and serves every question about that moment. Nothing here reads a store or a clock.

>>> graph = Graph()
>>> graph.begin("pump", "feeds", "house", 10)
>>> view = graph.view(20)
>>> [graph.ids[one] for one in view.reach([graph.numbers["pump"]]).found]
['pump', 'house']
>>> graph.end("pump", "feeds", "house", 30)
>>> len(graph.view(20).reach([0]).found), len(graph.view(30).reach([0]).found)
(2, 1)
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from citytwin.errors import StoreLimit
from citytwin_hub.entities.relations import KINDS, TYPE, local_name, reading

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

OPEN_NS: Final = np.iinfo(np.int64).max
"""The end of what has not ended."""
ROWS_MAX: Final = 10_000_000
NAMES_MAX: Final = 1 << 20
WIDE: Final = 200
"""From so many objects on, numpy takes a step in less time than a loop."""
_FREE: Final = -1
_CLOSED: Final = -2


@dataclass(frozen=True, slots=True)
class Reach:
    """What was reached: in the order of distance, and from where each object was.

    Attributes:
        found: numbers of objects, where it began included.
        came_from: by number: the object before it; itself where it began; negative if not reached.
    """

    found: Int32s
    came_from: Int32s


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Rows by one end: those of object n lie at ``first[n]:first[n + 1]`` of ``others``."""

    first: Int64s
    others: Int32s


class View:
    """The graph at one moment (immutable); see ``Graph.view``."""

    def __init__(self, size: int, tails: Int32s, heads: Int32s, names: Int32s, flow: Bools) -> None:
        """Take the rows that held; ``flow`` are those along which something goes, both ways."""
        self.size, self.tails, self.heads, self.names = size, tails, heads, names
        self.flow = flow

    def only(self, rows: Bools) -> View:
        """Return the view of some rows, along all of which something goes."""
        flow = np.ones(int(rows.sum()), np.bool_)
        return View(self.size, self.tails[rows], self.heads[rows], self.names[rows], flow)

    def both_ways(self) -> View:
        """Return the view in which each row can be gone in both directions."""
        tails = np.concatenate((self.tails, self.heads))
        heads = np.concatenate((self.heads, self.tails))
        return View(
            self.size,
            tails,
            heads,
            np.concatenate((self.names, self.names)),
            np.concatenate((self.flow, self.flow)),
        )

    @cached_property
    def down(self) -> _Sorted:
        """Along the flow."""
        return self._sorted(self.tails[self.flow], self.heads[self.flow])

    @cached_property
    def up(self) -> _Sorted:
        """Against the flow."""
        return self._sorted(self.heads[self.flow], self.tails[self.flow])

    def _sorted(self, ends: Int32s, others: Int32s) -> _Sorted:
        first = np.zeros(self.size + 1, np.int64)
        np.cumsum(np.bincount(ends, minlength=self.size), out=first[1:])
        return _Sorted(first, others[np.argsort(ends, kind="stable")])

    def reach(
        self, begin: Sequence[int] | Int32s, *, against: bool = False, closed: Bools | None = None
    ) -> Reach:
        """Return what is reached from some objects along the flow, or against it.

        Args:
            begin: numbers of objects; closed ones do not count.
            against: go against the flow.
            closed: by number: objects that nothing passes and that are not reached.
        """
        came_from = np.full(self.size, _FREE, np.int32)
        if closed is not None:
            came_from[closed] = _CLOSED
        return self._spread(came_from, [np.zeros(0, np.int32)], begin, against=against)

    def reach_on(self, reach: Reach, begin: Sequence[int] | Int32s) -> Reach:
        """Return what is reached when further objects are where it began."""
        return self._spread(reach.came_from.copy(), [reach.found], begin, against=False)

    def _spread(
        self,
        came_from: Int32s,
        found: list[Int32s],
        begin: Sequence[int] | Int32s,
        *,
        against: bool,
    ) -> Reach:
        rows = self.up if against else self.down
        front = np.unique(np.asarray(begin, np.int32))
        front = front[came_from[front] == _FREE]
        came_from[front] = front
        found.append(front)
        while front.size:
            if front.size < WIDE:
                passed, front = _narrow(rows, came_from, front)
                found.append(passed)
            else:
                front = _wide(rows, came_from, front)
                found.append(front)
        return Reach(np.concatenate(found), came_from)


def _narrow(rows: _Sorted, came_from: Int32s, front: Int32s) -> tuple[Int32s, Int32s]:
    """Go on object by object until the front is wide; return what was reached, and the front."""
    # Numbers come out of a memoryview in half the time that numpy takes.
    first, others, came = rows.first.data, rows.others.data, came_from.data
    queue = front.tolist()
    at = 0
    while at < len(queue) and len(queue) - at < WIDE:
        one = queue[at]
        at += 1
        for other in others[first[one] : first[one + 1]]:
            if came[other] == _FREE:
                came[other] = one
                queue.append(other)
    return np.array(queue[front.size :], np.int32), np.array(queue[at:], np.int32)


def _wide(rows: _Sorted, came_from: Int32s, front: Int32s) -> Int32s:
    """Go one step from all of the front at once; return what was reached."""
    begin = rows.first[front]
    counts = rows.first[front + 1] - begin
    ends = np.cumsum(counts)
    at = np.arange(int(ends[-1])) + np.repeat(begin - ends + counts, counts)
    others, ones = rows.others[at], np.repeat(front, counts)
    free = came_from[others] == _FREE
    others, ones = others[free], ones[free]
    # Of several ways to one object only the one that was written last counts.
    way = np.arange(others.size, dtype=np.int32)
    came_from[others] = way
    last = came_from[others] == way
    others, ones = others[last], ones[last]
    came_from[others] = ones
    reached: Int32s = others
    return reached


class Graph:
    """Relations of all times in columns. Not safe for two threads at once.

    Attributes:
        ids: identifiers of objects by number; those of types are among them.
        numbers: numbers by identifier.
        names: IRIs of the attributes by number.
        version: grows with every change.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.ids: list[str] = []
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []
        self.version = 0
        self._name_numbers: dict[str, int] = {}
        self._tails = array("i")
        self._heads = array("i")
        self._kinds = array("i")
        self._since = array("q")
        self._until = array("q")
        self._open: dict[tuple[int, int, int], int] = {}
        self._columns: tuple[Int32s, Int32s, Int32s, Int64s, Int64s] | None = None

    def __len__(self) -> int:
        """Return how many rows there are, those that have ended counted."""
        return len(self._tails)

    def add(self, rows: Iterable[tuple[str, str, str, int, int | None]]) -> None:
        """Take rows of a store: source, name, target, since, until."""
        for source, name, target, since, until in rows:
            self.begin(source, name, target, since)
            if until is not None:
                self.end(source, name, target, until)

    def begin(self, source: str, name: str, target: str, since_ns: int) -> None:
        """Let a relation begin; nothing if it holds already.

        Raises:
            StoreLimit: there are as many as there may be.
        """
        key = (self._number(source), self._name(name), self._number(target))
        if key in self._open:
            return
        if len(self._tails) >= ROWS_MAX:
            raise StoreLimit(f"the graph has {ROWS_MAX} relations already, past ones counted")
        self._open[key] = len(self._tails)
        self._tails.append(key[0])
        self._kinds.append(key[1])
        self._heads.append(key[2])
        self._since.append(since_ns)
        self._until.append(OPEN_NS)
        self._changed()

    def end(self, source: str, name: str, target: str, until_ns: int) -> None:
        """Let a relation end; nothing if it does not hold."""
        key = (self._number(source), self._name(name), self._number(target))
        row = self._open.pop(key, None)
        if row is not None:
            self._until[row] = max(self._since[row], until_ns)
            self._changed()

    def _changed(self) -> None:
        self.version += 1
        self._columns = None

    def _number(self, one: str) -> int:
        number = self.numbers.get(one)
        if number is None:
            number = self.numbers[one] = len(self.ids)
            self.ids.append(one)
        return number

    def _name(self, name: str) -> int:
        number = self._name_numbers.get(name)
        if number is None:
            number = self._name_numbers[name] = len(self.names)
            self.names.append(name)
        return number

    def view(self, moment_ns: int | None = None, kinds: Iterable[str] | None = None) -> View:
        """Return the graph at a moment; None: as it is after all that is known.

        Args:
            moment_ns: UTC nanoseconds.
            kinds: names of ``KINDS`` along which something goes; None: those that say so.
        """
        if self._columns is None:
            # Copies: an array that lends its memory cannot grow.
            self._columns = (
                np.array(self._tails, np.int32),
                np.array(self._heads, np.int32),
                np.array(self._kinds, np.int32),
                np.array(self._since, np.int64),
                np.array(self._until, np.int64),
            )
        tails, heads, names, since, until = self._columns
        held = until == OPEN_NS if moment_ns is None else (since <= moment_ns) & (until > moment_ns)
        tails, heads, names = tails[held], heads[held], names[held]
        wanted = frozenset(kinds) if kinds is not None else None
        flow, turned, both = self._meanings(wanted)
        swap = turned[names]
        tails, heads = np.where(swap, heads, tails), np.where(swap, tails, heads)
        twice = both[names]
        return View(
            len(self.ids),
            np.concatenate((tails, heads[twice])),
            np.concatenate((heads, tails[twice])),
            np.concatenate((names, names[twice])),
            np.concatenate((flow[names], flow[names][twice])),
        )

    def _meanings(self, wanted: frozenset[str] | None) -> tuple[Bools, Bools, Bools]:
        """Return of each name whether something flows, whether it is turned, whether both ways."""
        flow, turned, both = (np.zeros(len(self.names), np.bool_) for _ in range(3))
        for number, name in enumerate(self.names):
            read = None if name == TYPE else reading(name)
            if read is not None:
                kind = KINDS[read[0]]
                flow[number] = kind.flows if wanted is None else kind.name in wanted
                turned[number] = read[1] and kind.directed
                both[number] = not kind.directed
        return flow, turned, both

    def of_kind(self, view: View, kind: str) -> Bools:
        """Tell of each row of a view whether it is of a kind."""
        mask = np.array(
            [(reading(name) or ("",))[0] == kind and name != TYPE for name in self.names], np.bool_
        )
        return mask[view.names] if mask.size else np.zeros(len(view.names), np.bool_)

    def of_types(self, view: View, types: Iterable[str]) -> Bools:
        """Tell of each object whether it was of one of some types: IRIs, or their last parts."""
        wanted = frozenset(types)
        mask = np.zeros(view.size, np.bool_)
        number = self._name_numbers.get(TYPE)
        if number is None or not wanted:
            return mask
        rows = view.names == number
        kinds = np.unique(view.heads[rows])
        chosen = [
            one
            for one in kinds.tolist()
            if self.ids[one] in wanted or local_name(self.ids[one]) in wanted
        ]
        mask[view.tails[rows][np.isin(view.heads[rows], chosen)]] = True
        return mask
