"""Temporal writing: the evolution of entities as NGSI-LD says it, in each of its representations.

ETSI GS CIM 009, clauses 4.5.6 to 4.5.9 (instances, values with their moments) and 4.5.19
(aggregated values). What was deleted has NGSI-LD Null in the place of its value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from citytwin_hub.apis.ngsild.linking import shows
from citytwin_hub.apis.ngsild.temporal_parameters import Shape, TemporalView
from citytwin_hub.apis.ngsild.writing import Writer
from citytwin_hub.entities.aggregates import Method, Result
from citytwin_hub.entities.evolution_store import Dated
from citytwin_hub.entities.model import NULL, Attribute, AttributeKind
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.windows import Evolution
from citytwin_hub.jsonld.names import Names

Aggregates = Mapping[str, Mapping[str, tuple[AttributeKind, Mapping[Method, Result]]]]
"""What attributes come to, by IRI and dataset."""

_SERIES: Final[Mapping[AttributeKind, str]] = {
    AttributeKind.PROPERTY: "values",
    AttributeKind.GEO: "values",
    AttributeKind.RELATIONSHIP: "objects",
    AttributeKind.LANGUAGE: "languageMaps",
    AttributeKind.VOCAB: "vocabs",
    AttributeKind.JSON: "jsons",
    AttributeKind.LIST: "valueLists",
    AttributeKind.LIST_RELATIONSHIP: "objectLists",
}
_LISTED: Final = frozenset({AttributeKind.LIST, AttributeKind.LIST_RELATIONSHIP})
_WRAPPED: Final = frozenset({AttributeKind.LANGUAGE, AttributeKind.VOCAB, AttributeKind.JSON})


class TemporalWriter:
    """Writes evolutions with the names of one @context, for one request. Not for two threads."""

    def __init__(self, names: Names, seen: TemporalView) -> None:
        """Take how to write."""
        self._compact, self._seen = names.compact, seen
        self._writer = Writer(names, seen.view)

    def entity(self, evolution: Evolution, aggregated: Aggregates | None = None) -> dict[str, Any]:
        """Return an entity's evolution; empty when its projection leaves nothing of it."""
        attributes: dict[str, Any] = {}
        if aggregated is not None:
            attributes = {name: self._aggregated(some) for name, some in aggregated.items()}
        else:
            write = self._values if self._seen.shape is Shape.VALUES else self._instances
            for name, instances in evolution.attributes.items():
                attributes[name] = write(evolution.kinds[name], instances)
        view = self._seen.view
        document = {
            name: value
            for name, value in self._core(evolution).items()
            if shows(view.pick, view.omit, name)
        }
        for name, value in attributes.items():
            if shows(view.pick, view.omit, name):
                document[self._compact(name)] = value
        return document

    def _core(self, evolution: Evolution) -> dict[str, Any]:
        types = [self._compact(each) for each in evolution.types]
        document: dict[str, Any] = {
            "id": evolution.id,
            "type": types[0] if len(types) == 1 else types,
        }
        if evolution.scopes and self._seen.shape is not Shape.AGGREGATED:
            values = self._seen.shape is Shape.VALUES
            document["scope"] = _scope_values(evolution) if values else self._scopes(evolution)
        pick = self._seen.view.pick
        if self._seen.view.sys_attrs or pick is not None:
            # Those that are not picked are left out by the caller.
            picked = pick.members if pick is not None else {}
            for name, moment_ns in (
                ("createdAt", evolution.created_ns),
                ("modifiedAt", evolution.modified_ns),
            ):
                if self._seen.view.sys_attrs or name in picked:
                    document[name] = format_ns(moment_ns)
        if evolution.deleted_ns is not None:
            document["deletedAt"] = format_ns(evolution.deleted_ns)
        return document

    def _scopes(self, evolution: Evolution) -> list[dict[str, Any]]:
        return [
            self._writer.attribute((replace(one.attribute, value=_scope(one.attribute.value)),))
            for one in evolution.scopes
        ]

    def _instances(self, _: AttributeKind, instances: Sequence[Dated]) -> list[dict[str, Any]]:
        return [self._writer.attribute((_ended(one.attribute),)) for one in instances]

    def _values(self, kind: AttributeKind, instances: Sequence[Dated]) -> Any:
        """Return the values of an attribute by dataset (clause 4.5.9)."""
        found: dict[tuple[str, AttributeKind], list[Any]] = {}
        for one in instances:
            key = one.attribute.dataset, one.attribute.kind
            found.setdefault(key, []).append(
                [self._simple(_ended(one.attribute)), format_ns(one.time_ns)]
            )
        if not found:
            found["", kind] = []
        return _one_or_more(
            [
                _series(self._kind(kind), dataset) | {self._member(kind): pairs}
                for (dataset, kind), pairs in found.items()
            ]
        )

    def _simple(self, attribute: Attribute) -> Any:
        """Return a value as it stands before its moment."""
        kind = attribute.kind
        if kind in _LISTED:
            return list(attribute.value)
        # The normalized form has the value as the @context and the languages want it.
        whole = self._writer.attribute((attribute,))
        if kind is AttributeKind.LANGUAGE and "languageMap" not in whole:
            return whole["value"]
        member = {
            AttributeKind.RELATIONSHIP: "object",
            AttributeKind.LANGUAGE: "languageMap",
            AttributeKind.VOCAB: "vocab",
            AttributeKind.JSON: "json",
        }.get(kind, "value")
        return {member: whole[member]} if kind in _WRAPPED else whole[member]

    def _kind(self, kind: AttributeKind) -> AttributeKind:
        """Return what a LanguageProperty becomes in one language (clause 4.15)."""
        spoken = kind is AttributeKind.LANGUAGE and self._seen.view.languages is not None
        return AttributeKind.PROPERTY if spoken else kind

    def _member(self, kind: AttributeKind) -> str:
        return _SERIES[self._kind(kind)]

    def _aggregated(self, some: Mapping[str, tuple[AttributeKind, Mapping[Method, Result]]]) -> Any:
        return _one_or_more(
            [
                _series(kind, dataset)
                | {
                    method.value: [
                        [value, format_ns(start_ns), format_ns(end_ns)]
                        for value, start_ns, end_ns in result
                    ]
                    for method, result in results.items()
                }
                for dataset, (kind, results) in some.items()
            ]
        )


def _ended(attribute: Attribute) -> Attribute:
    """Return an instance with NGSI-LD Null for its value, if it was deleted (clause 4.5.7)."""
    if attribute.deleted_ns is None and attribute.value != NULL:
        return attribute
    value: Any = NULL
    if attribute.kind is AttributeKind.LANGUAGE:
        value = {"@none": NULL}
    elif attribute.kind in _LISTED:
        value = [NULL]
    if attribute.deleted_ns is None:
        return replace(attribute, value=value)
    return replace(attribute, value=value, observed_ns=None, unit_code="", object_type=(), parts={})


def _series(kind: AttributeKind, dataset: str) -> dict[str, Any]:
    document: dict[str, Any] = {"type": kind.value}
    if dataset:
        document["datasetId"] = dataset
    return document


def _one_or_more(documents: list[Any]) -> Any:
    return documents[0] if len(documents) == 1 else documents


def _scope(scopes: Sequence[str]) -> Any:
    return scopes[0] if len(scopes) == 1 else list(scopes)


def _scope_values(evolution: Evolution) -> dict[str, Any]:
    pairs = [[_scope(one.attribute.value), format_ns(one.time_ns)] for one in evolution.scopes]
    return {"type": AttributeKind.PROPERTY.value, "values": pairs}
