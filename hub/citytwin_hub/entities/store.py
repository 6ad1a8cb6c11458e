"""EntityStore: what keeps the entities of one tenant, as a contract.

Every method may be called on any thread; ``write`` never by two at the same time. What ``write``
took is durable when it returns, all of it or nothing. Reading sees what was written before it
began. The SQLite file of ``entities/sqlite.py`` keeps it; tests/hub/entities/check_store.py proves
any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from citytwin_hub.entities.model import Entity


class Change(NamedTuple):
    """An entity before and after; None before it is created and after it is deleted."""

    before: Entity | None
    after: Entity | None

    @property
    def id(self) -> str:
        """The entity's identifier."""
        entity = self.after or self.before
        if entity is None:
            raise ValueError("a change has an entity before, after or both")
        return entity.id


class Box(NamedTuple):
    """Geometries of an attribute that may touch a box: degrees, WGS 84."""

    attribute: str
    west: float
    south: float
    east: float
    north: float


class ValueSpan(NamedTuple):
    """Values of an attribute from one key to another, both included (``value_keys.py``)."""

    attribute: str
    low: int | float | str | bytes
    high: int | float | str | bytes


@dataclass(frozen=True, slots=True)
class Hints:
    """What a store may leave out: entities that cannot match; those that remain are looked at.

    Attributes:
        ids: only these; None: any.
        types: with at least one of these IRIs; None: any.
        attributes: with at least one of these IRIs; None: any.
        box: with a geometry that may touch it; None: anywhere.
        after: only those that were first created later than the one with this identifier, which may
            be gone by now; empty: any. One that was never known leaves nothing.
        cell: with ``box``: of the geometries that are smaller than a square of so many degrees, one
            in each; 0: all.
        values: with a value in at least one of the spans of each; a store may pass them over.
    """

    ids: Collection[str] | None = None
    types: Collection[str] | None = None
    attributes: Collection[str] | None = None
    box: Box | None = None
    after: str = ""
    cell: float = 0.0
    values: tuple[tuple[ValueSpan, ...], ...] = ()


class EntityStore(Protocol):
    """The entities of one tenant as they are now, in the order in which they were first created."""

    def get(self, entity_id: str) -> Entity | None:
        """Return an entity."""
        ...

    def find(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there are."""
        ...

    def candidates(self, hints: Hints) -> Iterator[Entity]:
        """Yield the entities that hints do not rule out, in their order.

        The caller takes them on one thread and closes the iterator if he does not end it.
        """
        ...

    def count(self, hints: Hints) -> int:
        """Return how many ``candidates`` would yield."""
        ...

    def has_expiring(self) -> bool:
        """Tell whether something may have expired, which is still counted."""
        ...

    def types(self) -> Mapping[str, int]:
        """Return how many entities there are of each type."""
        ...

    def attributes(self) -> Mapping[str, int]:
        """Return how many entities have each attribute."""
        ...

    def attributes_of_types(self) -> Mapping[str, Collection[str]]:
        """Return the attributes that entities of each type have."""
        ...

    def extents(self, attribute: str) -> Mapping[str, tuple[float, float, float, float]]:
        """Return west, south, east, north around the geometries of an attribute, by type."""
        ...

    def changed(self) -> int:
        """Return the number of the last record in the log; it never falls."""
        ...

    def write(self, changes: Sequence[Change], now_ns: int) -> int:
        """Keep changes, with their evolution; return the number of the last one in the log.

        Raises:
            StoreError: the file cannot be written; nothing of it was kept.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...
