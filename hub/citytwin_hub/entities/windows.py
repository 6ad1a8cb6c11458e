"""Windows: which part of an entity's evolution is asked for, and what the answer has of it.

ETSI GS CIM 009, clauses 4.5.6 (the scope's evolution), 4.11 (temporal queries) and 6.3.10 (parts of
an answer). Pure functions: nothing here reads a clock or a store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from citytwin_hub.entities.evolution_store import Dated, Head, Moment, Span
from citytwin_hub.entities.model import Attribute, AttributeKind


class Relation(StrEnum):
    """How instances lie to a moment (``timerel``)."""

    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which instances are asked for (clause 4.11).

    Attributes:
        relation: None: whenever.
        at_ns: UTC nanoseconds; excluded by ``before``, included by the others.
        end_ns: of ``between``; excluded.
        moment: which of the instances' moments is looked at; ANY where nothing is said.
        last: only as many of each attribute, the newest.
    """

    relation: Relation | None = None
    at_ns: int = 0
    end_ns: int = 0
    moment: Moment = Moment.ANY
    last: int | None = None

    @property
    def span(self) -> Span:
        """The span of time."""
        if self.relation is None:
            return Span(self.moment)
        if self.relation is Relation.BEFORE:
            return Span(self.moment, None, self.at_ns)
        end_ns = self.end_ns if self.relation is Relation.BETWEEN else None
        return Span(self.moment, self.at_ns, end_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of each entity.

    Attributes:
        window: which instances.
        attributes: IRIs of attributes; None: all.
        datasets: of the instances; None: all.
        scope: tells which of its scopes an entity must have had, if that matters; then only
            instances of that time count (clause 5.7.4.4).
    """

    window: Window = Window()
    attributes: Collection[str] | None = None
    datasets: Collection[str] | None = None
    scope: Callable[[Collection[str]], bool] | None = None


@dataclass(slots=True)
class Evolution:
    """How one entity evolved.

    Attributes:
        id, types: as the entity's.
        created_ns: when the hub first knew it; ``modified_ns``: when it last changed.
        deleted_ns: when it was deleted, if it is.
        scopes: instances whose values are tuples of scopes; dated.
        valid: the same by when each began to hold, and with the ends of scopes.
        attributes: instances by IRI, dated, in the order that was asked for.
        kinds: of these attributes.
    """

    id: str
    types: tuple[str, ...]
    created_ns: int
    modified_ns: int
    deleted_ns: int | None
    scopes: list[Dated] = field(default_factory=list)
    valid: list[Dated] = field(default_factory=list)
    attributes: dict[str, list[Dated]] = field(default_factory=dict)
    kinds: dict[str, AttributeKind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """What of an evolution an answer has: ``Content-Range`` (clause 6.3.10).

    Attributes:
        start_ns, end_ns: where it begins and ends; with ``last`` the end is before the beginning.
        last: how many newest ones were asked for.
    """

    start_ns: int
    end_ns: int
    last: int | None


def cut(evolutions: Sequence[Evolution], window: Window, edge_ns: int, *, newest: bool) -> Part:
    """Leave out what lies beyond an edge, so that up to there every attribute is whole."""
    times = []
    for evolution in evolutions:
        for name, instances in evolution.attributes.items():
            kept = [
                one
                for one in instances
                if (one.time_ns >= edge_ns if newest else one.time_ns <= edge_ns)
            ]
            evolution.attributes[name] = kept
            times += [one.time_ns for one in kept]
    start_ns = max(times) if newest else min(times)
    if newest and window.relation is Relation.BEFORE:
        start_ns = window.at_ns
    elif newest and window.relation is Relation.BETWEEN:
        start_ns = window.end_ns
    elif not newest and window.relation in {Relation.AFTER, Relation.BETWEEN}:
        start_ns = window.at_ns
    return Part(start_ns, edge_ns, window.last)


def overlap(whole: Span, start_ns: int, end_ns: int | None) -> Span | None:
    """Return what of a span lies within a time; None if nothing does."""
    start = start_ns if whole.start_ns is None else max(whole.start_ns, start_ns)
    ends = [end for end in (whole.end_ns, end_ns) if end is not None]
    end = min(ends, default=None)
    return None if end is not None and start >= end else Span(whole.moment, start, end)


def scopes_of(heads: Sequence[Head], moment: Moment) -> list[Dated]:
    """Return the instances of an entity's scope, oldest first (clause 4.5.6)."""
    found: list[Dated] = []
    before: tuple[str, ...] = ()
    for head in heads:
        entity = head.entity
        if head.given and not entity.scopes and entity.deleted_ns is None:
            continue  # Only types were provided.
        if not head.given:
            if entity.scopes == before:
                continue
            before = entity.scopes
        gone = not entity.scopes
        modified_ns = entity.modified_ns
        # What an ordinary operation sets is observed when it is set; what is gone, never.
        observed_ns = head.observed_ns if head.given else modified_ns
        one = Attribute(
            kind=AttributeKind.PROPERTY,
            value=entity.scopes,
            observed_ns=None if gone else observed_ns,
            created_ns=modified_ns,
            modified_ns=modified_ns,
            deleted_ns=modified_ns if gone else None,
        )
        time_ns = {
            Moment.OBSERVED: one.observed_ns,
            Moment.CREATED: one.created_ns,
            Moment.MODIFIED: one.modified_ns,
            Moment.DELETED: one.deleted_ns,
            Moment.ANY: one.modified_ns if one.observed_ns is None else one.observed_ns,
        }[moment]
        if time_ns is not None:
            found.append(Dated(time_ns, one))
    found.sort(key=lambda one: one.time_ns)
    return found
