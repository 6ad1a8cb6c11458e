"""Registrations: the context sources of one tenant: registered, changed, deleted and found.

The operations are those of ETSI GS CIM 009, clauses 5.9 and 5.10; which modes may stand beside each
other is clause 4.3.6. Every method may be called on any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from citytwin.clock import Clock
from citytwin_hub.entities.errors import (
    BadRequestData,
    Conflict,
    ResourceNotFound,
    TooManyResults,
)
from citytwin_hub.entities.evolution_store import Span
from citytwin_hub.entities.links import Find
from citytwin_hub.entities.selection import Selection
from citytwin_hub.entities.sources import ANYTHING, READING, Information, Mode, Sought, Source
from citytwin_hub.entities.sqlite_sources import SqliteSources

SOURCES_MAX: Final = 1_000
"""For each tenant. Each is looked at when sources are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuery:
    """Which sources are looked for (immutable); what is not given does not matter.

    Attributes:
        sought: what they must have.
        described: what they must say of themselves: queries, scopes, a geometry.
        observed, managed: they must have something of this span.
        is_temporal: without it only sources are meant that have the latest.
    """

    sought: Sought = ANYTHING
    described: tuple[Selection, ...] = ()
    observed: Span | None = None
    managed: Span | None = None
    is_temporal: bool = False

    def matches(self, source: Source) -> bool:
        """Tell whether a source is one of them (clause 5.10.2.4)."""
        if not self.is_temporal and (source.observed or source.managed):
            return False
        for span, interval in ((self.observed, source.observed), (self.managed, source.managed)):
            if span is not None and (
                interval is None or not interval.touches(span.start_ns, span.end_ns)
            ):
                return False
        if not source.may_have(self.sought):
            return False
        if not self.described:
            return True
        entity = source.described()
        return all(one.matches(entity) for one in self.described)


class Registrations:
    """The context sources of one tenant."""

    def __init__(self, store: SqliteSources, find: Find, clock: Clock) -> None:
        """Read what is there.

        Args:
            store: where they lie.
            find: looks up the tenant's own entities.
            clock: when they registered, and whether they have ended.

        Raises:
            StoreError: the file cannot be used.
        """
        self._store, self._find, self._clock = store, find, clock
        self._lock = threading.RLock()
        self._sources = {source.id: source for source in store.all()}

    def get(self, source_id: str) -> Source:
        """Return a source (5.10.1).

        Raises:
            ResourceNotFound: there is none with this identifier, or not any more.
        """
        source = self._sources.get(source_id)
        if source is None or source.has_ended(self._clock.now_ns()):
            raise ResourceNotFound(f"there is no context source registration {source_id}")
        return source

    def query(self, wanted: SourceQuery) -> list[Source]:
        """Return the sources that are looked for, the oldest first (5.10.2)."""
        now_ns = self._clock.now_ns()
        with self._lock:
            sources = list(self._sources.values())
        return [one for one in sources if not one.has_ended(now_ns) and wanted.matches(one)]

    def register(self, source: Source) -> None:
        """Take a source (5.9.2).

        Raises:
            AlreadyExists: there is one with this identifier.
            BadRequestData: it has ended already, or its mode does not go with what it says.
            Conflict: the hub itself, or a source that is alone with it, has the same.
            TooManyResults: there are as many as may be.
        """
        now_ns = self._clock.now_ns()
        source = replace(source, created_ns=now_ns, modified_ns=now_ns)
        with self._lock:
            self._forget_ended(now_ns)
            if len(self._sources) >= SOURCES_MAX:
                raise TooManyResults(f"there are {SOURCES_MAX} context sources already")
            if source.id not in self._sources:
                self._check(source, now_ns)
            self._store.add(source)
            self._sources[source.id] = source

    def update(self, source_id: str, make: Callable[[Source], Source]) -> None:
        """Make a source what ``make`` returns (5.9.3).

        Raises:
            ResourceNotFound: there is none with this identifier.
            BadRequestData, Conflict: as ``register``.
        """
        now_ns = self._clock.now_ns()
        with self._lock:
            changed = replace(make(self.get(source_id)), modified_ns=now_ns)
            self._check(changed, now_ns)
            self._store.put(changed)
            self._sources[source_id] = changed

    def delete(self, source_id: str) -> None:
        """Forget a source (5.9.4).

        Raises:
            ResourceNotFound: there is none with this identifier.
        """
        with self._lock:
            self.get(source_id)
            self._store.remove(source_id)
            del self._sources[source_id]

    def _forget_ended(self, now_ns: int) -> None:
        for source in [one for one in self._sources.values() if one.has_ended(now_ns)]:
            self._store.remove(source.id)
            del self._sources[source.id]

    def _check(self, source: Source, now_ns: int) -> None:
        if source.has_ended(now_ns):
            raise BadRequestData("expiresAt lies in the past: the source would never be asked")
        if source.mode is Mode.AUXILIARY and not READING.issuperset(source.operations):
            raise BadRequestData("an auxiliary source is only read: its operations cannot write")
        if source.mode is Mode.EXCLUSIVE:
            for information in source.information:
                _refuse_vague(information)
        if source.mode is not None and source.mode.is_proxied:
            self._refuse_shared(source, now_ns)

    def _refuse_shared(self, source: Source, now_ns: int) -> None:
        alone = source.mode is Mode.EXCLUSIVE
        for other in self._sources.values():
            rivals = other.mode is Mode.EXCLUSIVE or (alone and other.mode is Mode.REDIRECT)
            if not rivals or other.id == source.id or other.has_ended(now_ns):
                continue
            if any(
                one.overlaps(another) for one in source.information for another in other.information
            ):
                raise Conflict(
                    f"the source {other.id} has some of these attributes already; it and this one "
                    f"are {other.mode} and {source.mode}, and one of them must be alone"
                )
        for information in source.information:
            own = self._find([one.id for one in information.entities if one.id])
            attributes = information.attributes
            for entity in own.values():
                if not alone or attributes is None or attributes & entity.attributes.keys():
                    raise Conflict(
                        f"this hub itself has {entity.id}: delete it here first, or register the "
                        "source as inclusive"
                    )


def _refuse_vague(information: Information) -> None:
    named = information.entities and all(one.id for one in information.entities)
    if not named or not information.attributes:
        raise BadRequestData(
            "an exclusive source names the id of each of its entities, and the attributes "
            "(clause 4.3.6.3)"
        )
