"""EvolutionStore: what keeps the temporal evolution of one tenant's entities, as a contract.

What changed is recorded by the ``EntityStore`` as it is written (``evolution.py``); here it is read
back, and what is provided as evolution itself is added (ETSI GS CIM 009, clauses 5.6.11–5.6.16).
Every method may be called on any thread. What a writing method took is durable when it returns, all
of it or nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from citytwin_hub.entities.fragment import Patch
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity

INSTANCE: Final = "urn:ngsi-ld:Instance:"
"""Before the number of a record it is an ``instanceId``."""


class Moment(Enum):
    """By which of its moments an instance is looked at (``timeproperty``, clause 4.8)."""

    OBSERVED = "observedAt"
    CREATED = "createdAt"
    MODIFIED = "modifiedAt"
    DELETED = "deletedAt"
    ANY = ""
    """``observedAt``, or ``modifiedAt`` where there is none."""


class Span(NamedTuple):
    """A span of time: UTC nanoseconds, from ``start_ns`` (included) to ``end_ns`` (not)."""

    moment: Moment = Moment.ANY
    start_ns: int | None = None
    end_ns: int | None = None


EVER: Final = Span()


class Dated(NamedTuple):
    """An instance of an attribute, and the moment by which it was asked for."""

    time_ns: int
    attribute: Attribute


class Head(NamedTuple):
    """What an entity was apart from its attributes.

    Attributes:
        number: of the record.
        given: it was provided as evolution.
        observed_ns: from when on its scopes hold, if that was provided.
        entity: without attributes.
    """

    number: int
    given: bool
    observed_ns: int | None
    entity: Entity


class Series(NamedTuple):
    """The values of one dataset of an attribute, oldest first."""

    kind: AttributeKind
    times_ns: list[int]
    values: list[object]


class EvolutionStore(Protocol):
    """The evolution of the entities of one tenant."""

    def candidates(
        self, ids: Collection[str] | None, types: Collection[str] | None
    ) -> Iterator[str]:
        """Yield identifiers in the order of their first creation; ``types``: ever had one."""
        ...

    def heads(self, entity_id: str) -> Sequence[Head]:
        """Return what is known of an entity itself, oldest first; none: it has no evolution."""
        ...

    def attributes(self, entity_id: str) -> Sequence[str]:
        """Return the IRIs of the attributes that an entity has had."""
        ...

    def instances(
        self,
        entity_id: str,
        attribute: str,
        span: Span,
        *,
        datasets: Collection[str] | None = None,
        limit: int,
        newest: bool = False,
    ) -> list[Dated]:
        """Return instances with ``instance`` set, oldest first, or newest first."""
        ...

    def series(
        self,
        entity_id: str,
        attribute: str,
        span: Span,
        *,
        datasets: Collection[str] | None = None,
        limit: int,
    ) -> Mapping[str, Series]:
        """Return the values of an attribute by dataset; what was deleted is left out."""
        ...

    def give(self, entity: Entity, scopes: Sequence[Attribute], now_ns: int) -> bool:
        """Add to an entity's evolution; return whether it had none.

        Args:
            entity: its types are added; of each attribute any number of instances, of which one
                with the ``observedAt`` of another of its dataset takes that one's place.
            scopes: instances whose values are tuples of scopes.
            now_ns: the moment.
        """
        ...

    def forget(self, entity_id: str, now_ns: int) -> bool:
        """Delete an entity's evolution but for what it is now; return whether there was one."""
        ...

    def forget_attribute(self, entity_id: str, attribute: str, dataset: str | None) -> bool:
        """Delete the instances of an attribute, of one dataset or of all (None)."""
        ...

    def forget_instance(self, entity_id: str, attribute: str, instance: str) -> bool:
        """Delete one instance."""
        ...

    def change_instance(
        self, entity_id: str, attribute: str, instance: str, patch: Patch, now_ns: int
    ) -> bool:
        """Change one instance, which keeps its identifier; return whether there is one.

        Raises:
            BadRequestData: it is of another kind.
        """
        ...

    def end_attribute(
        self, entity_id: str, attribute: str, dataset: str | None, now_ns: int
    ) -> bool:
        """Note the deletion of an attribute that only evolution has; '' is the scope."""
        ...

    def past(self, entity_id: str, moment_ns: int) -> Entity | None:
        """Return what an entity was; expired parts are still there.

        Raises:
            ResourceNotFound: that is so long ago that it is not kept.
        """
        ...

    def past_all(
        self, moment_ns: int, ids: Collection[str] | None, types: Collection[str] | None
    ) -> Iterator[Entity]:
        """Yield what entities were, in the order of their first creation; see ``past``."""
        ...

    def trim(self, before_ns: int) -> int:
        """Delete what is older, apart from what states since then need; return how many records."""
        ...
