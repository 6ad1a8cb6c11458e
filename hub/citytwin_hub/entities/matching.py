"""Matching: which subscriptions a change concerns, without looking at the others.

Subscriptions lie in dictionaries by the identifiers, types and attributes that they name, and by
the places that they ask about, so that the work for a change grows with those that it may concern
and not with all there are.

>>> from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
>>> level = Attribute(kind=AttributeKind.PROPERTY, value=3)
>>> tank = Entity(id="urn:x:1", types=("Tank",), attributes={"level": (level,)})
>>> matcher = Matcher()
>>> matcher.add(Watch(id="urn:s:1", watched=frozenset({"level"})))
>>> [watch.id for watch in matcher.match(Change(None, tank), now_ns=0)]
['urn:s:1']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import Final, NamedTuple

from citytwin_hub.entities.boxes import box_of
from citytwin_hub.entities.links import Find
from citytwin_hub.entities.model import Attribute, AttributeKind
from citytwin_hub.entities.selection import EVERYTHING, Selection, Selector
from citytwin_hub.entities.store import Change
from citytwin_hub.entities.subscriptions import ATTRIBUTES, Touch

_Key = tuple[str, str, str]
"""An identifier, a type and an attribute; empty for any."""
_ANY: Final[_Key] = ("", "", "")
CELL_DEGREES: Final = 0.01
"""The sides of the cells that places are found by: about a kilometre."""
CELLS_MAX: Final = 64
"""Cells of one area; a larger one is compared with every entity of its type."""
_Cell = tuple[str, str, int, int]
"""A type (empty for any), a GeoProperty, and the number of a cell to the east and to the north."""


class Touched(NamedTuple):
    """What a change did to one instance of an attribute."""

    name: str
    dataset: str
    touch: Touch


def touched(change: Change) -> list[Touched]:
    """Return what a change did to each instance of an attribute that came, changed or went."""
    before = change.before.attributes if change.before else {}
    after = change.after.attributes if change.after else {}
    return [
        *(one for name, new in after.items() for one in _compared(name, before.get(name, ()), new)),
        *(
            Touched(name, gone.dataset, Touch.DELETED)
            for name, old in before.items()
            if name not in after
            for gone in old
        ),
    ]


def _compared(name: str, old: Sequence[Attribute], new: Sequence[Attribute]) -> Iterator[Touched]:
    if old is new:
        return
    known = {one.dataset: one for one in old}
    for one in new:
        was = known.pop(one.dataset, None)
        if was is None:
            yield Touched(name, one.dataset, Touch.CREATED)
        elif was is not one and was != one:
            yield Touched(name, one.dataset, Touch.UPDATED)
    for dataset in known:
        yield Touched(name, dataset, Touch.DELETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is needed of a subscription to find it, and to tell whether a change concerns it.

    Attributes:
        id: the subscription's.
        selection: which entities, and what they must be like.
        find: looks up what an entity links to, for queries that follow links.
        watched: IRIs of attributes; empty: any.
        datasets: only instances with one of these; None: any.
        mask: what counts as a change.
        expires_ns: when it ends; None: never.
        seen: what of a change the subscriber may see; None: all.
    """

    id: str
    selection: Selection = EVERYTHING
    find: Find | None = None
    watched: frozenset[str] = frozenset()
    datasets: frozenset[str] | None = None
    mask: Touch = Touch.CREATED | Touch.UPDATED
    expires_ns: int | None = None
    seen: Callable[[Change], Change | None] | None = None

    def concerns(self, change: Change, touches: Sequence[Touched], now_ns: int) -> bool:
        """Tell whether a change concerns it."""
        if self.seen is not None:
            shown = self.seen(change)
            if shown is None:
                return False
            if shown is not change:
                change, touches = shown, touched(shown)
        if self.expires_ns is not None and self.expires_ns <= now_ns:
            return False
        entity = change.after or change.before
        if entity is None or not self._counts(change, touches):
            return False
        return self.selection.matches(entity, self.find)

    def _counts(self, change: Change, touches: Sequence[Touched]) -> bool:
        mask = self.mask
        if change.before is None and mask & Touch.ENTITY_CREATED:
            return True
        if change.after is None and mask & Touch.ENTITY_DELETED:
            return True
        return any(self.heeds(one) for one in touches)

    def among(self, changes: Iterable[Change], now_ns: int) -> tuple[Change, ...]:
        """Return those of some changes that concern it."""
        found = (one for one in changes if self.concerns(one, touched(one), now_ns))
        return tuple(shown for one in found if (shown := self.shown(one)) is not None)

    def shown(self, change: Change) -> Change | None:
        """Return what of a change its subscriber may see; None: nothing."""
        return change if self.seen is None else self.seen(change)

    def heeds(self, one: Touched) -> bool:
        """Tell whether what happened to one instance of an attribute counts."""
        return bool(
            one.touch & self.mask
            and (not self.watched or one.name in self.watched)
            and (self.datasets is None or one.dataset in self.datasets)
        )


@dataclass(slots=True)
class Matcher:
    """Finds the subscriptions that a change concerns. Not for two threads at once."""

    _watches: dict[str, Watch] = field(default_factory=dict)
    _index: dict[_Key | _Cell, dict[str, Watch]] = field(default_factory=dict)
    _areas: int = 0
    """How many lie by their places."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._watches)

    def add(self, watch: Watch) -> None:
        """Add a subscription, or put it in the place of what had its identifier."""
        self.remove(watch.id)
        self._watches[watch.id] = watch
        self._areas += _cells_of(watch) is not None
        for key in _keys(watch):
            self._index.setdefault(key, {})[watch.id] = watch

    def remove(self, subscription_id: str) -> None:
        """Forget a subscription, if it is known."""
        watch = self._watches.pop(subscription_id, None)
        if watch is None:
            return
        self._areas -= _cells_of(watch) is not None
        for key in _keys(watch):
            found = self._index[key]
            del found[subscription_id]
            if not found:
                del self._index[key]

    def wants(self, attributes: frozenset[str]) -> bool:
        """Tell whether a change of one of some attributes can concern any subscription."""
        return any(
            not (one.watched and attributes.isdisjoint(one.watched))
            for one in self._watches.values()
        )

    def match(self, change: Change, now_ns: int) -> list[Watch]:
        """Return the subscriptions that a change concerns."""
        touches = touched(change)
        candidates: dict[str, Watch] = {}
        for key in _looked_up(change, touches):
            candidates.update(self._index.get(key, {}))
        for cell in _cells_looked_up(change) if self._areas else ():
            candidates.update(self._index.get(cell, {}))
        return [one for one in candidates.values() if one.concerns(change, touches, now_ns)]


def _keys(watch: Watch) -> set[_Key | _Cell]:
    """Return under which keys a subscription lies; an entity it concerns has one of them."""
    by_attribute = bool(watch.watched) and not watch.mask & ~ATTRIBUTES
    names = watch.watched if by_attribute else ("",)
    cells = _cells_of(watch)
    keys: set[_Key | _Cell] = set()
    for selector in watch.selection.selectors or (Selector(),):
        if selector.ids is not None:
            keys.update((one, "", "") for one in selector.ids)
            continue
        types = selector.types.needed() if selector.types is not None else ("",)
        if cells is None:
            keys.update(("", one, name) for one in types for name in names)
        else:
            # Under the last one too: for entities that are in more cells than are looked up.
            attribute, numbers = cells
            keys.update((one, attribute, *cell) for one in types for cell in numbers)
            keys.update(("@areas", one, attribute) for one in types)
    return keys


def _cells_of(watch: Watch) -> tuple[str, list[tuple[int, int]]] | None:
    """Return a GeoProperty and the few cells of which every entity that it concerns has one."""
    box = watch.selection.box()
    if box is None:
        return None
    numbers = _cells(*box[1:])
    return None if numbers is None else (box[0], numbers)


def _cells(west: float, south: float, east: float, north: float) -> list[tuple[int, int]] | None:
    """Return the cells that a box touches; None if they are too many."""
    left, right = floor(west / CELL_DEGREES), floor(east / CELL_DEGREES)
    low, high = floor(south / CELL_DEGREES), floor(north / CELL_DEGREES)
    if (right - left + 1) * (high - low + 1) > CELLS_MAX:
        return None
    return [(x, y) for x in range(left, right + 1) for y in range(low, high + 1)]


def _cells_looked_up(change: Change) -> Iterator[_Key | _Cell]:
    """Yield the cells of an entity's places."""
    entity = change.after or change.before
    for attribute, instances in entity.attributes.items() if entity else ():
        shapes = [one.value for one in instances if one.kind is AttributeKind.GEO]
        box = box_of(shapes) if shapes else None
        if box is None:
            continue
        west, east, south, north = box
        numbers = _cells(west, south, east, north)
        for one in ("", *(entity.types if entity else ())):
            if numbers is None:
                yield "@areas", one, attribute
            else:
                yield from ((one, attribute, *cell) for cell in numbers)


def _looked_up(change: Change, touches: Sequence[Touched]) -> Iterator[_Key]:
    entity = change.after or change.before
    types = entity.types if entity else ()
    yield _ANY
    yield change.id, "", ""
    for name in {one.name for one in touches}:
        yield "", "", name
        for one in types:
            yield "", one, name
    for one in types:
        yield "", one, ""
