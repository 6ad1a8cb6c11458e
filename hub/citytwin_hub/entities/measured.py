"""Measured: how attributes that points give came to be what they are, out of the points' history.

Nothing is recorded twice: the samples of points are in the history, and whoever asks for the
evolution of an entity (ETSI GS CIM 009, clause 4.5.7) or for its state at a moment is shown them as
instances of the attributes that the points give now. History keeps when a sample was taken, not
when it was received, so that moment is ``createdAt`` and ``modifiedAt`` too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec.structs import replace

from citytwin.batch import Batch, Int32
from citytwin.errors import StoreLimit
from citytwin.history import HistoryStore
from citytwin_hub.entities.bindings import Bindings, Bound
from citytwin_hub.entities.errors import TooComplexQuery
from citytwin_hub.entities.evolution_store import INSTANCE, Dated, Moment, Series, Span
from citytwin_hub.entities.model import AttributeKind, Entity
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_evolution import SqliteEvolution
from citytwin_hub.twin import Latest, Twin

_END_NS: Final = 2**62
_ROWS_MAX: Final = 10_000
"""Points whose samples at a moment are looked up together."""


class Points(NamedTuple):
    """What points give to entities, what they gave last, and all that they ever gave."""

    bindings: Bindings
    twin: Twin
    history: HistoryStore


class Then:
    """What points had given at a moment; each is looked up once. Belongs to one thread."""

    def __init__(self, history: HistoryStore, moment_ns: int) -> None:
        """Stand on a history; ``moment_ns`` is UTC."""
        self._history, self._moment_ns = history, moment_ns
        self._known: dict[int, tuple[int, float, int]] = {}

    def look(self, rows: Collection[int]) -> None:
        """Look up some rows at once."""
        new = [row for row in rows if row not in self._known]
        for start in range(0, len(new), _ROWS_MAX):
            part = new[start : start + _ROWS_MAX]
            self._known.update(dict.fromkeys(part, (0, np.nan, 0)))
            found = self._history.ends(part, 0, self._moment_ns + 1, count=1, newest=True)
            columns = (found.time_ns.tolist(), found.value.tolist(), found.quality.tolist())
            self._known.update(zip(found.point.tolist(), zip(*columns, strict=True), strict=True))

    def read(self, rows: Sequence[int] | Int32 | None = None) -> Latest:
        """Return the samples of some rows; time 0 where there was none."""
        asked = list(self._known) if rows is None else [int(row) for row in rows]
        self.look(asked)
        found = [self._known[row] for row in asked]
        times = np.array([one[0] for one in found], np.int64)
        return Latest(
            np.array(asked, np.int32),
            times,
            np.array([one[1] for one in found], np.float64),
            np.array([one[2] for one in found], np.uint8),
            times,
        )


class MeasuredEvolution(SqliteEvolution):
    """The evolution of a tenant's entities, with that of what points give."""

    def __init__(self, entities: SqliteEntities, points: Points) -> None:
        """Stand on the file of a tenant's entities, and on points."""
        super().__init__(entities)
        self._points = points

    def attributes(self, entity_id: str) -> Sequence[str]:
        """Return the IRIs of the attributes that an entity has had, or that points give."""
        known = super().attributes(entity_id)
        given = (one.attribute for one in self._points.bindings.of(entity_id))
        return list(dict.fromkeys((*known, *given)))

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
        found = super().instances(
            entity_id, attribute, span, datasets=datasets, limit=limit, newest=newest
        )
        bound = self._bound(entity_id, attribute, span, datasets)
        if not bound:
            return found
        batch = self._points.history.ends(
            list(bound), *_ends(span), count=limit, newest=newest
        )  # fmt: skip
        found += self._dated(bound, batch)
        found.sort(key=lambda one: one.time_ns, reverse=newest)
        return found[:limit]

    def series(
        self,
        entity_id: str,
        attribute: str,
        span: Span,
        *,
        datasets: Collection[str] | None = None,
        limit: int,
    ) -> Mapping[str, Series]:
        """Return the values of an attribute by dataset; failed readings are left out.

        Raises:
            TooComplexQuery: points gave more than ``limit``.
        """
        found = dict(super().series(entity_id, attribute, span, datasets=datasets, limit=limit))
        bound = self._bound(entity_id, attribute, span, datasets)
        if not bound:
            return found
        try:
            batch = self._points.history.read(list(bound), *_ends(span), samples_max=limit)
        except StoreLimit:
            raise TooComplexQuery(
                f"points gave {attribute} over {limit} values there: ask for less time"
            ) from None
        for row, one in bound.items():
            mine = batch.select((batch.point == row) & np.isfinite(batch.value))
            if len(mine):
                given = Series(AttributeKind.PROPERTY, mine.time_ns.tolist(), mine.value.tolist())
                found[one.dataset] = _merged(found.get(one.dataset), given)
        return found

    def past_all(
        self, moment_ns: int, ids: Collection[str] | None, types: Collection[str] | None
    ) -> Iterator[Entity]:
        """Yield what entities were, with what points had given."""
        bindings, then = self._points.bindings, Then(self._points.history, moment_ns)
        known = bindings.by_entity
        asked = known if ids is None else [one for one in ids if one in known]
        if ids is not None or types is None:
            then.look([one.row for entity_id in asked for one in known[entity_id]])
        for entity in super().past_all(moment_ns, ids, types):
            yield bindings.overlay(entity, then)

    def _bound(
        self, entity_id: str, attribute: str, span: Span, datasets: Collection[str] | None
    ) -> dict[int, Bound]:
        if span.moment is Moment.DELETED:
            return {}
        return {
            one.row: one
            for one in self._points.bindings.of(entity_id)
            if one.attribute == attribute and (datasets is None or one.dataset in datasets)
        }

    def _dated(self, bound: Mapping[int, Bound], batch: Batch) -> list[Dated]:
        latest = Latest(batch.point, batch.time_ns, batch.value, batch.quality, batch.time_ns)
        dated = []
        for index, (row, time_ns) in enumerate(
            zip(batch.point.tolist(), batch.time_ns.tolist(), strict=True)
        ):
            instance = self._points.bindings.instance(bound[row], latest, index)
            named = f"{INSTANCE}point:{row}:{time_ns}"
            dated.append(Dated(time_ns, replace(instance, instance=named)))
        return dated


def _ends(span: Span) -> tuple[int, int]:
    return span.start_ns or 0, _END_NS if span.end_ns is None else span.end_ns


def _merged(known: Series | None, given: Series) -> Series:
    if known is None:
        return given
    times_ns, values = [*known.times_ns, *given.times_ns], [*known.values, *given.values]
    order = sorted(range(len(times_ns)), key=times_ns.__getitem__)
    return Series(known.kind, [times_ns[at] for at in order], [values[at] for at in order])
