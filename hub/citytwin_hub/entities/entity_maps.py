"""EntityMaps: which entities a query found once, so that its pages stay the same pages.

ETSI GS CIM 009, clauses 5.2.39, 5.5.14 and 5.14. They are in memory only: who refers to one that is
gone is given a new one, as the standard wants it.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin_hub.entities.errors import ResourceNotFound, TooManyResults

ID_PREFIX: Final = "urn:ngsi-ld:EntityMap:"
MAPS_MAX: Final = 1_000
"""Of a tenant; the one that was used longest ago goes."""
MILLISECOND_NS: Final = 1_000_000
IDS_MAX: Final = 1_000_000
"""Of all maps of a tenant together: about 100 bytes each."""
LIFE_S: Final = 3_600
LIFE_S_MAX: Final = 86_400


@dataclass(slots=True)
class EntityMap:
    """Identifiers in the order in which they were found, each with None: this hub has it."""

    id: str
    expires_ns: int
    entities: dict[str, None] = field(default_factory=dict)


class EntityMaps:
    """The EntityMaps of one tenant; every method may be called on any thread."""

    def __init__(self, clock: Clock) -> None:
        """Begin without any."""
        self._clock, self._lock = clock, threading.Lock()
        self._maps: OrderedDict[str, EntityMap] = OrderedDict()

    def create(self, ids: Iterable[str], life_ns: int | None = None) -> EntityMap:
        """Make a map (5.14.4); it lives as long as is asked for, but at most a day.

        Raises:
            TooManyResults: there are more identifiers than may be.
        """
        entities = dict.fromkeys(ids)
        if len(entities) > IDS_MAX:
            raise TooManyResults(f"an EntityMap has at most {IDS_MAX} entities: ask for fewer")
        made = EntityMap(f"{ID_PREFIX}{uuid.uuid4()}", self._end(life_ns), entities)
        with self._lock:
            self._maps[made.id] = made
            while len(self._maps) > MAPS_MAX or sum(map(_size, self._maps.values())) > IDS_MAX:
                self._maps.popitem(last=False)
        return made

    def look(self, map_id: str) -> EntityMap | None:
        """Return a map, if it is there and lives."""
        with self._lock:
            found = self._maps.get(map_id)
            if found is None:
                return None
            if found.expires_ns <= self._clock.now_ns():
                del self._maps[map_id]
                return None
            self._maps.move_to_end(map_id)
            return found

    def get(self, map_id: str) -> EntityMap:
        """Return a map (5.14.1).

        Raises:
            ResourceNotFound: there is none, or not any more.
        """
        found = self.look(map_id)
        if found is None:
            raise ResourceNotFound(f"there is no EntityMap {map_id}")
        return found

    def extend(self, map_id: str, expires_ns: int) -> None:
        """Let a map live until a moment, but at most for a day (5.14.2); raises as ``get``."""
        found = self.get(map_id)
        found.expires_ns = min(expires_ns, self._end(LIFE_S_MAX * SECOND_NS))

    def delete(self, map_id: str) -> None:
        """Drop a map (5.14.3); raises as ``get``."""
        self.get(map_id)
        with self._lock:
            self._maps.pop(map_id, None)

    def prune(self, found: EntityMap, gone: Collection[str]) -> None:
        """Take out what no longer fits the query (5.5.9.3)."""
        with self._lock:
            for one in gone:
                found.entities.pop(one, None)

    def _end(self, life_ns: int | None) -> int:
        life_ns = LIFE_S * SECOND_NS if life_ns is None else min(life_ns, LIFE_S_MAX * SECOND_NS)
        # To the millisecond: many a client reads no finer moment.
        return (self._clock.now_ns() + life_ns) // MILLISECOND_NS * MILLISECOND_NS


def _size(one: EntityMap) -> int:
    return len(one.entities)
