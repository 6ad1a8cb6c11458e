"""Mailbox: what waits for one subscriber, and what he was told last; bounded.

What does not fit is not lost: the mailbox falls behind, which is to say that it keeps only the
number of the last record he was told of, and what came since is read out of the evolution again.
What points gave has no record: of each entity one change waits, from what he knows to the newest,
and when they are too many, only the moment since when he must be told.

>>> box = Mailbox(passed=10)
>>> box.cursor, box.has_work
(None, False)
"""

from __future__ import annotations

from typing import Final, NamedTuple

from citytwin_hub.entities.store import Change

PENDING_MAX: Final = 1000
"""Changes that wait in memory for one subscriber; with more he is behind."""
ENTITIES_MAX: Final = 1000
"""Entities in one notification."""
BACKOFF_S_MIN: Final = 1.0
"""How long a receiver is left alone after the first failure; then twice as long each time."""
BACKOFF_S_MAX: Final = 300.0
"""But no longer than this: who comes back is told within minutes."""


class Item(NamedTuple):
    """A change that waits.

    Attributes:
        number: of the last record of the write that it belongs to.
        after: of the last record before that write.
        change: the entity before and after.
        at_ns: when it was written.
    """

    number: int
    after: int
    change: Change
    at_ns: int


class _Live(NamedTuple):
    """The key of what points gave an entity; what is written has others."""

    entity: str


class Mailbox:
    """What waits for one subscriber. Belongs to one thread."""

    def __init__(self, passed: int, behind: int | None = None) -> None:
        """Begin.

        Args:
            passed: changes up to this number do not concern him any more.
            behind: the number after which he must be told out of the evolution; None: he is in
                step.
        """
        self.passed, self.behind = passed, behind
        self.failures = 0
        self.ready_ns = 0
        """Not before this (monotonic) is anything sent to him."""
        self.since_ns: int | None = None
        """When what he was not told of yet began; None: there is nothing."""
        self._items: dict[object, Item] = {}
        self._first: Item | None = None
        self._live: dict[_Live, Item] = {}
        self.live_behind: int | None = None
        """He must be told again of what points gave that was received after this moment."""

    @property
    def has_work(self) -> bool:
        """Whether there is something to tell."""
        told_later = self.behind is not None or self.live_behind is not None
        return told_later or bool(self._items) or bool(self._live)

    @property
    def pending(self) -> int:
        """How many changes wait in memory."""
        return len(self._items) + len(self._live)

    @property
    def live_cursor(self) -> int | None:
        """When the first was received of what points gave and he was not told; None: he was."""
        if self.live_behind is not None:
            return self.live_behind
        first = next(iter(self._live.values()), None)
        return None if first is None else first.after

    @property
    def cursor(self) -> int | None:
        """The last record that he was told of for sure; None: all of them. On any thread."""
        behind, first = self.behind, self._first
        if behind is not None:
            return behind
        return None if first is None else first.after

    def put(self, item: Item, *, merge: bool) -> None:
        """Add a change.

        Args:
            item: the change.
            merge: take several changes of one entity as one, from the first to the last.
        """
        if item.number <= self.passed or self.behind is not None:
            return
        key: object = item.change.id if merge else object()
        known = self._items.get(key)
        if known is not None:
            change = Change(known.change.before, item.change.after)
            if change == (None, None):
                del self._items[key]  # it came and went meanwhile
            else:
                told = item._replace(after=known.after, change=change, at_ns=known.at_ns)
                self._items[key] = told
        elif len(self._items) >= PENDING_MAX:
            self.behind = self.cursor
            self._items.clear()
        else:
            self._items[key] = item
        self._settle()

    def put_live(self, change: Change, before_ns: int, at_ns: int) -> None:
        """Add what points gave an entity.

        Args:
            change: the entity before and after.
            before_ns: a moment before all of it was received, and after what was told before.
            at_ns: when it was seen.
        """
        if self.live_behind is not None:
            return
        key = _Live(change.id)
        known = self._live.get(key)
        if known is not None:
            change = Change(known.change.before, change.after)
            self._live[key] = known._replace(change=change)
        elif len(self._live) >= PENDING_MAX:
            self.live_behind = self.live_cursor
            self._live.clear()
        else:
            self._live[key] = Item(0, before_ns, change, at_ns)
        self._settle()

    def next(self) -> dict[object, Item]:
        """Return what one notification can tell: no entity twice. It stays until ``done``."""
        found: dict[object, Item] = {}
        entities: set[str] = set()
        for key, item in self._items.items():
            if item.change.id in entities or len(found) >= ENTITIES_MAX:
                break
            entities.add(item.change.id)
            found[key] = item
        for key, item in self._live.items():
            if len(found) >= ENTITIES_MAX:
                break
            if key.entity not in entities:
                found[key] = item
        return found

    def done(self, told: dict[object, Item]) -> None:
        """Forget what was told."""
        written = [item.after for key, item in told.items() if not isinstance(key, _Live)]
        for key, item in told.items():
            if isinstance(key, _Live):
                self._done_live(key, item)
            elif self._items.get(key) is item:
                del self._items[key]
        if written and self.behind is not None:
            # It fell behind meanwhile; of the last write there may be more to tell.
            self.behind = max(self.behind, *written)
        self._settle()

    def _done_live(self, key: _Live, told: Item) -> None:
        newer = self._live.get(key)
        if newer is told:
            del self._live[key]
        elif newer is not None:
            change = Change(told.change.after, newer.change.after)
            self._live[key] = newer._replace(change=change)

    def take_live_behind(self) -> int | None:
        """Return since when he must be told again of what points gave; from now on it waits."""
        since_ns, self.live_behind = self.live_behind, None
        self._settle()
        return since_ns

    def fall_live_behind(self, received_ns: int) -> None:
        """Note that he must be told again of what was received after a moment."""
        self._live.clear()
        self.live_behind = received_ns
        self._settle()

    def caught_up(self, number: int, *, in_step: bool) -> None:
        """Note up to which record he was told out of the evolution, and whether that is all."""
        if in_step:
            self.passed, self.behind = max(self.passed, number), None
        else:
            self.behind = number
        self._settle()

    def rewind(self, number: int, at_ns: int) -> None:
        """Tell him again what came after a record."""
        self._items.clear()
        self.behind, self.since_ns = number, at_ns
        self.failures, self.ready_ns = 0, 0
        self._settle()

    def skip(self, number: int) -> None:
        """Forget everything up to a record: he does not want to be told."""
        self._items.clear()
        self._live.clear()
        self.live_behind = None
        self.passed, self.behind, self.failures, self.ready_ns = number, None, 0, 0
        self._settle()

    def failed(self, now_ns: int, cooldown_s: float) -> None:
        """Leave the receiver alone for a while, longer each time."""
        self.failures += 1
        backoff_s = min(BACKOFF_S_MIN * 2 ** min(self.failures - 1, 16), BACKOFF_S_MAX)
        self.ready_ns = now_ns + int(max(backoff_s, cooldown_s) * 1_000_000_000)

    def succeeded(self, now_ns: int, throttling_s: float) -> None:
        """Wait as long as the subscriber wants to be left alone."""
        self.failures = 0
        self.ready_ns = now_ns + int(throttling_s * 1_000_000_000)

    def _settle(self) -> None:
        self._first = next(iter(self._items.values()), None)
        waiting = [one for one in (self._first, next(iter(self._live.values()), None)) if one]
        if waiting:
            self.since_ns = min(one.at_ns for one in waiting)
        elif self.behind is None and self.live_behind is None:
            self.since_ns = None
