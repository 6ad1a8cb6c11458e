"""SqliteEvolution: how the entities of one tenant evolved, read from their SQLite file.

What is added to it is in ``sqlite_provision.py``. An instance is identified by the number of its
record, which is never used twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from citytwin_hub.entities.errors import ResourceNotFound
from citytwin_hub.entities.evolution import Role
from citytwin_hub.entities.evolution_store import INSTANCE, Dated, Head, Moment, Series, Span
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_provision import EvolutionWriter

_TIME: Final = {
    Moment.OBSERVED: "observed",
    Moment.MODIFIED: "modified",
    Moment.CREATED: "json_extract(CAST(body AS TEXT), '$.c')",
    Moment.DELETED: "json_extract(CAST(body AS TEXT), '$.x')",
}
_SEEN: Final = f"role <> {Role.STATE:d}"
_STATE: Final = f"role <> {Role.GIVEN:d}"
_NUMBER: Final = "(SELECT number FROM identifier WHERE id = ?)"
_PAST: Final = (
    "SELECT entity, iri, modified, body FROM "  # noqa: S608  # our words
    "(SELECT entity AS of, attribute AS name, max(number) AS latest FROM evolution "
    f"WHERE {_STATE} AND modified <= ? AND {{which}} GROUP BY entity, attribute, dataset) "
    "JOIN evolution ON evolution.number = latest LEFT JOIN name ON name.number = name "
    "ORDER BY entity, latest"
)

_attribute: Final = msgspec.json.Decoder(Attribute).decode
_entity: Final = msgspec.json.Decoder(Entity).decode
_encode: Final = msgspec.json.Encoder().encode


class _Value(msgspec.Struct):
    """As much of an attribute as aggregation needs."""

    kind: AttributeKind = msgspec.field(name="k")
    value: Any = msgspec.field(default=None, name="v")
    deleted_ns: int | None = msgspec.field(default=None, name="x")


_value: Final = msgspec.json.Decoder(_Value).decode


class SqliteEvolution(EvolutionWriter):
    """An ``EvolutionStore``."""

    def __init__(self, entities: SqliteEntities) -> None:
        """Stand on the file of a tenant's entities, which closes it."""
        super().__init__(entities)

    def candidates(
        self, ids: Collection[str] | None, types: Collection[str] | None
    ) -> Iterator[str]:
        """Yield identifiers in the order of their first creation; ``types``: ever had one."""
        where, values = self._which("number", ids, types)
        rows = self._reader.execute(
            "SELECT id FROM identifier WHERE " + where + " ORDER BY number",  # noqa: S608
            values,
        )
        try:
            yield from (found for (found,) in rows)
        finally:
            rows.close()

    def heads(self, entity_id: str) -> Sequence[Head]:
        """Return what is known of an entity itself, oldest first."""
        rows = self._reader.execute(
            "SELECT number, role, observed, body FROM evolution "  # noqa: S608  # our words
            f"WHERE entity = {_NUMBER} AND attribute = 0 AND {_SEEN} ORDER BY number",
            (entity_id,),
        )
        return [
            Head(number, role == Role.GIVEN, observed_ns, _entity(body))
            for number, role, observed_ns, body in rows
        ]

    def attributes(self, entity_id: str) -> Sequence[str]:
        """Return the IRIs of the attributes that an entity has had."""
        db, found, last = self._reader, list[str](), 0
        row = db.execute("SELECT number FROM identifier WHERE id = ?", (entity_id,)).fetchone()
        while row is not None:
            (last,) = db.execute(
                # A step to the next one in the index, however long the evolution is.
                "SELECT min(attribute) FROM evolution WHERE entity = ? AND attribute > ?",
                (row[0], last),
            ).fetchone()
            if last is None:
                break
            found.append(db.execute("SELECT iri FROM name WHERE number = ?", (last,)).fetchone()[0])
        return found

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
        found = [
            (time_ns, number, body)
            for by in _times(span.moment)
            for number, time_ns, body in self._rows(
                (entity_id, attribute), by, span, datasets, limit, newest=newest
            )
        ]
        if span.moment is Moment.ANY:
            found.sort(reverse=newest)
        dated = []
        for time_ns, number, body in found[:limit]:
            instance = _attribute(body)
            named = instance.instance or f"{INSTANCE}{number}"
            dated.append(Dated(time_ns, replace(instance, instance=named)))
        return dated

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
        rows = [
            (time_ns, number, body, dataset)
            for by in _times(span.moment)
            for number, time_ns, body, dataset in self._rows(
                (entity_id, attribute), by, span, datasets, limit, more=", dataset"
            )
        ]
        if span.moment is Moment.ANY:
            rows.sort()
        found: dict[str, Series] = {}
        for time_ns, _, body, dataset in rows[:limit]:
            one = _value(body)
            if one.deleted_ns is None:
                series = found.get(dataset)
                if series is None:
                    series = found[dataset] = Series(one.kind, [], [])
                series.times_ns.append(time_ns)
                series.values.append(one.value)
        return found

    def past(self, entity_id: str, moment_ns: int) -> Entity | None:
        """Return what an entity was; expired parts are still there."""
        return next(self.past_all(moment_ns, (entity_id,), None), None)

    def past_all(
        self, moment_ns: int, ids: Collection[str] | None, types: Collection[str] | None
    ) -> Iterator[Entity]:
        """Yield what entities were, in the order of their first creation."""
        kept_ns = self._kept_ns(0)
        if moment_ns < kept_ns:
            raise ResourceNotFound(
                f"states are kept from {format_ns(kept_ns)} on: ask for a later moment"
            )
        where, values = self._which("entity", ids, types)
        rows = self._reader.execute(_PAST.format(which=where), (moment_ns, *values))
        try:
            for number, records in groupby(rows, itemgetter(0)):
                entity = _state(records)
                if entity is not None and moment_ns >= self._kept_ns(number):
                    yield entity
        finally:
            rows.close()

    def _kept_ns(self, number: int) -> int:
        """Return from when on the states of an entity, or with 0 of all, are kept."""
        row = self._reader.execute(
            "SELECT before FROM forgotten WHERE entity = ?", (number,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def _rows(
        self,
        of: tuple[str, str],
        by: tuple[str, str],
        span: Span,
        datasets: Collection[str] | None,
        limit: int,
        *,
        newest: bool = False,
        more: str = "",
    ) -> list[tuple[Any, ...]]:
        """Return number, moment, body and what else is wanted of records, in order.

        Args:
            of: entity and attribute.
            by: what orders them, and which are looked at.
            span, datasets, limit, newest: as in ``instances``.
            more: further columns.
        """
        (entity_id, attribute), (time, only) = of, by
        where = [f"entity = {_NUMBER}", "attribute = ?", _SEEN, only]
        values: list[Any] = [entity_id, self._name(attribute)]
        if span.start_ns is not None:
            where.append(f"{time} >= ?")
            values.append(span.start_ns)
        if span.end_ns is not None:
            where.append(f"{time} < ?")
            values.append(span.end_ns)
        if datasets is not None:
            where.append("dataset IN (SELECT value FROM json_each(?))")
            values.append(_encode(list(datasets)))
        order = "DESC" if newest else "ASC"
        return self._reader.execute(
            f"SELECT number, {time}, body{more} FROM evolution "  # noqa: S608  # our words
            f"WHERE {' AND '.join(where)} ORDER BY {time} {order}, number {order} LIMIT ?",
            (*values, limit),
        ).fetchall()

    def _which(
        self, column: str, ids: Collection[str] | None, types: Collection[str] | None
    ) -> tuple[str, list[bytes]]:
        parts, values = ["true"], list[bytes]()
        if ids is not None:
            parts.append(
                f"{column} IN (SELECT number FROM identifier "  # noqa: S608  # our words
                "WHERE id IN (SELECT value FROM json_each(?)))"
            )
            values.append(_encode(list(ids)))
        if types is not None:
            parts.append(
                f"{column} IN (SELECT entity FROM ever_typed "  # noqa: S608  # our words
                "WHERE type IN (SELECT value FROM json_each(?)))"
            )
            values.append(_encode([self._entities.number_of(one) for one in types]))
        return " AND ".join(parts), values


def _times(moment: Moment) -> Sequence[tuple[str, str]]:
    """Return by what records are ordered, and which: each part has an index."""
    if moment is Moment.ANY:
        return (("observed", "observed IS NOT NULL"), ("modified", "observed IS NULL"))
    return ((_TIME[moment], f"{_TIME[moment]} IS NOT NULL"),)


def _state(records: Iterator[tuple[int, str | None, int, bytes]]) -> Entity | None:
    """Return the entity that the latest records make up; None if it was none then."""
    head: Entity | None = None
    modified_ns = 0
    attributes: dict[str, tuple[Attribute, ...]] = {}
    for _, name, moment_ns, body in records:
        modified_ns = max(modified_ns, moment_ns)
        if name is None:
            head = _entity(body)
            continue
        instance = _attribute(body)
        if instance.deleted_ns is None:
            attributes[name] = (*attributes.get(name, ()), instance)
    if head is None or head.deleted_ns is not None:
        return None
    return replace(head, modified_ns=modified_ns, attributes=attributes)
