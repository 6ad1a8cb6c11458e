"""Time travel: entities as they were at a moment, asked like those of now (our extension ``at``).

States come from the evolution of entities and the history of points (``Temporal.at``); filters and
representations are those of the present (ETSI GS CIM 009, 5.7.1 and 5.7.2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, Protocol

from citytwin_hub.apis.ngsild.members import read_moment
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.store import Hints
from citytwin_hub.entities.temporal import Temporal

AT: Final = "at"
"""The parameter, which is not of the standard."""


class Readable(Protocol):
    """What retrieving and querying need of entities, of now or of the past."""

    def get(self, entity_id: str) -> Entity:
        """Return an entity; raises ResourceNotFound."""
        ...

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there are."""
        ...

    def select(self, hints: Hints) -> Iterator[Entity]:
        """Yield entities that may fit; the caller tests each."""
        ...

    def count(self, hints: Hints) -> int | None:
        """Return how many ``select`` yields, if that is known without reading them."""
        ...


class Past:
    """The entities of a tenant at one moment."""

    def __init__(self, temporal: Temporal, moment_ns: int) -> None:
        """Stand on how entities evolved; ``moment_ns`` is UTC."""
        self._temporal, self._moment_ns = temporal, moment_ns

    def get(self, entity_id: str) -> Entity:
        """Return an entity as it was; raises ResourceNotFound if it was not there."""
        entity = self._temporal.at(entity_id, self._moment_ns)
        if entity is None:
            raise ResourceNotFound(f"{entity_id} was not there at the moment that is asked for")
        return entity

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there were."""
        return {one.id: one for one in self._temporal.all_at(self._moment_ns, ids)}

    def select(self, hints: Hints) -> Iterator[Entity]:
        """Yield entities there were, in the order of their creation; the caller tests each."""
        return self._temporal.all_at(self._moment_ns, hints.ids, hints.types)

    def count(self, hints: Hints) -> None:
        """Return that it is not known."""


def entities_at(present: Entities, temporal: Temporal, given: str | None, now_ns: int) -> Readable:
    """Return the entities of the moment that ``at`` gives; without it, those of now.

    Raises:
        BadRequestData: it is no DateTime, or it lies in the future.
    """
    if given is None:
        return present
    moment_ns = read_moment(given, AT)
    if moment_ns > now_ns:
        raise BadRequestData(f"at={given} lies in the future: ask for a moment that has been")
    return Past(temporal, moment_ns)
