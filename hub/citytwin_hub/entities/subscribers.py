"""Subscribers: the subscriptions of one tenant: made, read, changed, deleted and matched.

The operations are those of ETSI GS CIM 009, clause 5.8. Every method may be called on any thread.
Who sends the notifications (``notifier.py``) listens to what becomes of subscriptions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec.structs import replace

from citytwin.clock import Clock
from citytwin_hub.entities import geo, patterns, q_parser, scopes, types
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound, TooManyResults
from citytwin_hub.entities.links import Find
from citytwin_hub.entities.matching import Matcher, Watch
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.selection import Selection, Selector
from citytwin_hub.entities.sqlite_replay import SqliteReplay
from citytwin_hub.entities.sqlite_subscriptions import SqliteSubscriptions
from citytwin_hub.entities.store import Change
from citytwin_hub.entities.subscriptions import (
    EntitySelector,
    Progress,
    Subscription,
)

SUBSCRIPTIONS_MAX: Final = 50_000
"""For each tenant: about 5 kB each in memory."""


@dataclass(slots=True)
class Entry:
    """A subscription, how it is found, and how far its subscriber was told.

    ``rewound`` is the record after which he is to be told again, until that has begun.
    """

    subscription: Subscription
    watch: Watch
    progress: Progress
    rewound: int | None = None


class Looks(Protocol):
    """Who made a subscription, as he may see changes and entities at each moment."""

    def change(self, change: Change) -> Change | None:
        """Return a change as he sees it; None: he sees nothing of it."""
        ...

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that he sees."""
        ...


class Subscribers:
    """The subscriptions of one tenant."""

    def __init__(
        self,
        store: SqliteSubscriptions,
        replay: SqliteReplay,
        find: Find,
        clock: Clock,
        looking: Callable[[str], Looks] | None = None,
    ) -> None:
        """Read what is there.

        Args:
            store: where they lie.
            replay: the evolution of the tenant's entities.
            find: looks up entities, for queries that follow links.
            clock: when they were made, and whether they have ended.
            looking: what the owner of a subscription may see; None: everything.

        Raises:
            StoreError: the file cannot be used.
        """
        self.store, self.replay, self._find, self._clock = store, replay, find, clock
        self._looking, self._lock = looking, threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._matcher = Matcher()
        self.listeners: list[Callable[[str], None]] = []
        for subscription, progress in store.all():
            watch = self._watch(subscription)
            self._entries[subscription.id] = Entry(subscription, watch, progress)
            self._index(subscription, watch)

    def get(self, subscription_id: str) -> Entry:
        """Return a subscription (5.8.3).

        Raises:
            ResourceNotFound: there is none with this identifier.
        """
        entry = self.look(subscription_id)
        if entry is None:
            raise ResourceNotFound(f"there is no subscription {subscription_id}")
        return entry

    def look(self, subscription_id: str) -> Entry | None:
        """Return a subscription, if there is one."""
        return self._entries.get(subscription_id)

    def all(self) -> list[Entry]:
        """Return every subscription, the oldest first (5.8.4)."""
        with self._lock:
            return list(self._entries.values())

    def create(self, subscription: Subscription) -> None:
        """Make a subscription (5.8.1); nothing of what was written before concerns it.

        Raises:
            AlreadyExists: there is one with this identifier.
            BadRequestData: it has ended already, or a query in it is wrong.
            TooManyResults: there are as many as may be.
        """
        now_ns = self._clock.now_ns()
        _refuse_past(subscription, now_ns)
        subscription = replace(subscription, created_ns=now_ns, modified_ns=now_ns)
        watch = self._watch(subscription)
        with self._lock:
            if len(self._entries) >= SUBSCRIPTIONS_MAX:
                raise TooManyResults(f"there are {SUBSCRIPTIONS_MAX} subscriptions already")
            progress = Progress(cursor=self.replay.head())
            self.store.add(subscription, progress)
            self._entries[subscription.id] = Entry(subscription, watch, progress)
            self._index(subscription, watch)
        self._tell(subscription.id)

    def update(
        self, subscription_id: str, make: Callable[[Subscription], Subscription]
    ) -> Subscription:
        """Make a subscription what ``make`` returns (5.8.2).

        Raises:
            ResourceNotFound: there is none with this identifier.
            BadRequestData: it would have ended already, or a query in it is wrong.
        """
        now_ns = self._clock.now_ns()
        with self._lock:
            entry = self.get(subscription_id)
            changed = replace(make(entry.subscription), modified_ns=now_ns)
            if changed.expires_ns != entry.subscription.expires_ns:
                _refuse_past(changed, now_ns)
            watch = self._watch(changed)
            self.store.put(changed, entry.progress)
            entry.subscription, entry.watch = changed, watch
            self._index(changed, watch)
        self._tell(subscription_id)
        return changed

    def rewind(self, subscription_id: str, number: int) -> None:
        """Tell a subscriber again what came after a record of the evolution.

        Raises:
            ResourceNotFound: there is no such subscription.
            BadRequestData: there is no such record.
        """
        with self._lock:
            entry = self.get(subscription_id)
            head = self.replay.head()
            if not 0 <= number <= head:
                raise BadRequestData(f"after={number}: records have the numbers 1 to {head}")
            self.store.put(entry.subscription, replace(entry.progress, cursor=number))
            entry.rewound = number
        self._tell(subscription_id)

    def delete(self, subscription_id: str) -> None:
        """Delete a subscription (5.8.5).

        Raises:
            ResourceNotFound: there is none with this identifier.
        """
        with self._lock:
            self.get(subscription_id)
            self.store.remove(subscription_id)
            del self._entries[subscription_id]
            self._matcher.remove(subscription_id)
        self._tell(subscription_id)

    def wants(self, attributes: frozenset[str]) -> bool:
        """Tell whether anybody may want to know of a change of one of some attributes (IRIs)."""
        with self._lock:
            return self._matcher.wants(attributes)

    def match(self, changes: Iterable[Change]) -> list[tuple[str, Change]]:
        """Return which subscriptions each change concerns."""
        now_ns = self._clock.now_ns()
        with self._lock:
            return [
                (watch.id, shown)
                for change in changes
                for watch in self._matcher.match(change, now_ns)
                if (shown := watch.shown(change)) is not None
            ]

    def _watch(self, subscription: Subscription) -> Watch:
        if self._looking is None or not subscription.owner:
            return watch_of(subscription, self._find)
        owner = self._looking(subscription.owner)
        return watch_of(subscription, owner.find, owner.change)

    def _index(self, subscription: Subscription, watch: Watch) -> None:
        if subscription.interval_s is None and subscription.is_active is not False:
            self._matcher.add(watch)
        else:
            self._matcher.remove(watch.id)

    def _tell(self, subscription_id: str) -> None:
        for listener in self.listeners:
            listener(subscription_id)


class Meanings:
    """Names whose meaning is known; any other means itself."""

    def __init__(self, terms: dict[str, str] | None = None) -> None:
        """Take what names mean."""
        self._terms = terms or {}

    def expand(self, name: str) -> str:
        """Return the IRI of a name."""
        return self._terms.get(name, name)

    def compact(self, iri: str) -> str:
        """Return an IRI as it is."""
        return iri


def watch_of(
    subscription: Subscription, find: Find, seen: Callable[[Change], Change | None] | None = None
) -> Watch:
    """Return how a subscription is found; ``find`` and ``seen``: see ``Watch``.

    Raises:
        BadRequestData: a query in it is wrong.
    """
    selection = Selection(
        selectors=tuple(_selector(one) for one in subscription.selectors),
        q=q_parser.parse(subscription.q, Meanings(subscription.terms), encoded=True)
        if subscription.q
        else None,
        geo=_geo(subscription),
        scope=scopes.parse(subscription.scope_q) if subscription.scope_q else None,
    )
    return Watch(
        id=subscription.id,
        selection=selection,
        find=find,
        watched=frozenset(subscription.watched),
        datasets=None if subscription.datasets is None else frozenset(subscription.datasets),
        mask=subscription.mask,
        expires_ns=subscription.expires_ns,
        seen=seen,
    )


def _selector(given: EntitySelector) -> Selector:
    return Selector(
        ids=frozenset(given.ids) if given.ids else None,
        id_pattern=patterns.compile_pattern(given.pattern, "idPattern") if given.pattern else None,
        types=types.parse(given.types, Meanings()) if given.types else None,
    )


def _geo(subscription: Subscription) -> geo.GeoQuery | None:
    given = subscription.geo
    if given is None:
        return None
    return geo.parse(
        given.get("georel"),
        given.get("geometry"),
        given.get("coordinates"),
        str(given.get("geoproperty")),
    )


def _refuse_past(subscription: Subscription, now_ns: int) -> None:
    if subscription.expires_ns is not None and subscription.expires_ns <= now_ns:
        raise BadRequestData("expiresAt lies in the past: nothing would ever be notified")
