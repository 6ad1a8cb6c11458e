"""Bindings: attributes of entities that gateways' points give; their values stay in the twin.

``Point.feeds`` names the entity and ``Point.attribute`` the attribute. Nothing is copied: whoever
reads the entity reads the twin at that moment. What a point measures is the attribute's default
instance; a forecast or a simulated value of the same quantity is an instance with a ``datasetId``
that says so, and is never shown as measured.

>>> dataset_of(Source.MEASURED), dataset_of(Source.FORECAST)
('', 'urn:ngsi-ld:dataset:forecast')
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from msgspec.structs import replace

from citytwin.point import Point, Source
from citytwin.quality import Quality
from citytwin.units import unit
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Latest

QUALITY: Final = "quality"
"""The sub-property that says how good a measured value is; good ones go without it."""
_REPORTED: Final = frozenset({Source.MEASURED, Source.DERIVED, Source.HEALTH})


class Bound(NamedTuple):
    """An attribute that a point gives: its IRI and dataset, and the point's row in the twin."""

    attribute: str
    dataset: str
    row: int
    point: Point


def dataset_of(source: Source) -> str:
    """Return the ``datasetId`` of values from a source; empty for what is reported."""
    return "" if source in _REPORTED else f"urn:ngsi-ld:dataset:{source.value}"


class Newest(Protocol):
    """What says what points gave last: the twin, or what it was once."""

    def read(self, rows: Sequence[int] | None = None) -> Latest:
        """Return the latest samples of some rows, or of every row that has one."""
        ...


class Bindings:
    """Which points give which attributes, looked up anew when points change. For any thread."""

    def __init__(self, registry: Registry, twin: Newest, expand: Callable[[str], str]) -> None:
        """Take points, their latest values, and what turns an attribute's name to an IRI."""
        self._registry, self._twin, self._expand = registry, twin, expand
        self._lock, self._version = threading.Lock(), -1
        self._by_entity: dict[str, list[Bound]] = {}
        self._owner: dict[int, str] = {}
        self._attributes: frozenset[str] = frozenset()

    def at(self, twin: Newest) -> Bindings:
        """Return the same with the values that points had once."""
        return Bindings(self._registry, twin, self._expand)

    def newest(self) -> Latest:
        """Return what every point gave last."""
        return self._twin.read()

    def of(self, entity_id: str) -> Sequence[Bound]:
        """Return the attributes of an entity that points give."""
        self._look()
        return self._by_entity.get(entity_id, ())

    @property
    def attributes(self) -> frozenset[str]:
        """IRIs of all attributes that points give."""
        self._look()
        return self._attributes

    @property
    def by_entity(self) -> Mapping[str, Sequence[Bound]]:
        """All of them, by the entity's identifier."""
        self._look()
        return self._by_entity

    @property
    def owners(self) -> Mapping[int, str]:
        """The entity that each row gives an attribute, by row."""
        self._look()
        return self._owner

    def overlay(self, entity: Entity, newest: Newest | None = None) -> Entity:
        """Return an entity with what its points give now, or gave at the moment of ``newest``."""
        bound = self.of(entity.id)
        if not bound:
            return entity
        latest = (newest or self._twin).read([one.row for one in bound])
        attributes = dict(entity.attributes)
        modified_ns = entity.modified_ns
        for index, one in enumerate(bound):
            if not latest.time_ns[index]:
                continue
            instance = self.instance(one, latest, index)
            others = (
                other for other in attributes.get(one.attribute, ()) if other.dataset != one.dataset
            )
            attributes[one.attribute] = (instance, *others)
            modified_ns = max(modified_ns, instance.modified_ns)
        return replace(entity, attributes=attributes, modified_ns=modified_ns)

    def instance(self, bound: Bound, latest: Latest, index: int) -> Attribute:
        """Return a sample of a point as the attribute that it gives."""
        value, quality = float(latest.value[index]), Quality(int(latest.quality[index]))
        received_ns = int(latest.received_ns[index])
        finite = bool(np.isfinite(value))
        parts: dict[str, tuple[Attribute, ...]] = {}
        if quality is not Quality.GOOD:
            words = Attribute(
                kind=AttributeKind.PROPERTY,
                value=quality.words,
                created_ns=received_ns,
                modified_ns=received_ns,
            )
            parts[self._expand(QUALITY)] = (words,)
        return Attribute(
            # A failed reading is no number: it is the JSON null, which only a JsonProperty may be.
            kind=AttributeKind.PROPERTY if finite else AttributeKind.JSON,
            value=(int(value) if value.is_integer() else value) if finite else None,
            dataset=bound.dataset,
            unit_code=unit(bound.point.unit).cefact,
            observed_ns=int(latest.time_ns[index]),
            created_ns=received_ns,
            modified_ns=received_ns,
            parts=parts,
        )

    def _look(self) -> None:
        registry = self._registry
        with self._lock:
            if self._version == registry.version:
                return
            version = registry.version
            found: dict[str, list[Bound]] = {}
            for row, point in list(registry.points.items()):
                if point.feeds and point.attribute and row not in registry.gone:
                    bound = Bound(
                        self._expand(point.attribute), dataset_of(point.source), row, point
                    )
                    found.setdefault(point.feeds, []).append(bound)
            self._by_entity, self._version = found, version
            self._owner = {one.row: entity for entity, many in found.items() for one in many}
            self._attributes = frozenset(one.attribute for many in found.values() for one in many)
