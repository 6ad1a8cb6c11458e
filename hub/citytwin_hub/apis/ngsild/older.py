"""Older versions: entities for whoever understands only an older version of NGSI-LD.

ETSI GS CIM 009, clause 4.3.6.8: kinds of attributes that a version has not are given as Properties
with the same value. It is asked for with ``Prefer: ngsi-ld=1.5`` (``negotiation.py``); an answer
that was changed says so with status 203.

>>> from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
>>> kind = Attribute(kind=AttributeKind.VOCAB, value="https://example.org/potable")
>>> tank = Entity(id="urn:ngsi-ld:Tank:1", types=("T",), attributes={"kind": (kind,)})
>>> understood(tank, (1, 5), lambda iri: iri[20:]).attributes["kind"][0].value
'potable'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from citytwin_hub.entities.model import Attribute, AttributeKind, Entity

SINCE: Final[Mapping[AttributeKind, tuple[int, int]]] = {
    AttributeKind.LANGUAGE: (1, 4),
    AttributeKind.VOCAB: (1, 8),
    AttributeKind.JSON: (1, 8),
    AttributeKind.LIST: (1, 8),
    AttributeKind.LIST_RELATIONSHIP: (1, 8),
}
"""The version that brought a kind of attribute; the others were there from the beginning."""


def understood(entity: Entity, version: tuple[int, int], compact: Callable[[str], str]) -> Entity:
    """Return an entity with the attributes that a version knows; the same one if it has no other.

    Args:
        entity: what is to be written.
        version: what the reader understands.
        compact: gives names of IRIs, for values that are terms.
    """
    attributes = _all(entity.attributes, version, compact)
    return entity if attributes is None else replace(entity, attributes=attributes)


def _all(
    attributes: Mapping[str, tuple[Attribute, ...]],
    version: tuple[int, int],
    compact: Callable[[str], str],
) -> dict[str, tuple[Attribute, ...]] | None:
    """Return attributes as a version knows them; None where nothing changes."""
    changed = False
    result: dict[str, tuple[Attribute, ...]] = {}
    for name, instances in attributes.items():
        given = tuple(_one(instance, version, compact) for instance in instances)
        changed = changed or any(a is not b for a, b in zip(given, instances, strict=True))
        result[name] = given
    return result if changed else None


def _one(
    attribute: Attribute, version: tuple[int, int], compact: Callable[[str], str]
) -> Attribute:
    parts = _all(attribute.parts, version, compact)
    if parts is not None:
        attribute = replace(attribute, parts=parts)
    if SINCE.get(attribute.kind, (1, 0)) <= version:
        return attribute
    value: Any = attribute.value
    if attribute.kind is AttributeKind.VOCAB:
        value = compact(value) if isinstance(value, str) else [compact(each) for each in value]
    return replace(attribute, kind=AttributeKind.PROPERTY, value=value)
