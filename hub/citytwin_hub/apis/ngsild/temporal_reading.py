"""Temporal reading: documents that provide the evolution of an entity, to the model.

ETSI GS CIM 009, clauses 4.5.6 and 4.5.7: of each attribute any number of instances, each of its
own moment; the scope is given as it is, or as instances of a Property.

>>> from citytwin_hub.jsonld.processing import CORE
>>> level = [{"type": "Property", "value": 3, "observedAt": "2026-11-26T17:10:00Z"}]
>>> entity, _ = read_evolution({"id": "urn:ngsi-ld:Tank:1", "type": "Tank", "level": level}, CORE)
>>> [one.value for one in entity.attributes[CORE.expand("level")]]
[3]
"""

from __future__ import annotations

from typing import Any, Final

from citytwin_hub.apis.ngsild.members import read_moment, read_scopes
from citytwin_hub.apis.ngsild.reading import read_fragment
from citytwin_hub.apis.ngsild.values import shown
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import NULL, Attribute, AttributeKind, Entity
from citytwin_hub.jsonld.names import Names

_HEAD: Final = ("id", "@id", "type", "@type", "scope", "expiresAt")
_OF_SCOPE: Final = frozenset(
    {"type", "value", "observedAt", "createdAt", "modifiedAt", "deletedAt", "instanceId"}
)


def read_evolution(
    document: Any, names: Names, *, entity_id: str = ""
) -> tuple[Entity, list[Attribute]]:
    """Return an entity with the instances of its attributes, and those of its scope.

    Args:
        document: as decoded from JSON.
        names: its @context.
        entity_id: of the entity, where the path says it; then a type is not needed.

    Raises:
        BadRequestData: it is no evolution.
    """
    if not isinstance(document, dict):
        raise BadRequestData(f"an evolution is an object, not {shown(document)}")
    for name in _HEAD:
        if document.get(name) == NULL:
            raise BadRequestData(f"{name} is {NULL!r}, but nothing is deleted here (clause 5.5.4)")
    scopes = _scopes(document["scope"]) if "scope" in document else []
    rest = {name: value for name, value in document.items() if name != "scope"}
    # What was deleted is provided with NGSI-LD Null as its value.
    fragment = read_fragment(rest, names, nulls=True, temporal=True)
    for name, instances in fragment.attributes.items():
        for one in instances:
            if NULL in (one.observed_ns, one.unit_code, one.expires_ns, one.object_type):
                raise BadRequestData(f"{name} has {NULL!r} for something else than its value")
    if entity_id and fragment.id not in {"", entity_id}:
        raise BadRequestData(f"the body is of {fragment.id!r}, the path of {entity_id!r}")
    if not entity_id and not fragment.id:
        raise BadRequestData("the entity has no id")
    if not entity_id and not fragment.types:
        raise BadRequestData("the entity has no type")
    entity = Entity(
        id=fragment.id or entity_id, types=fragment.types, attributes=fragment.attributes
    )
    return entity, scopes


def _scopes(given: Any) -> list[Attribute]:
    several = given if isinstance(given, list) else [given]
    if not any(isinstance(one, dict) for one in several):
        return [Attribute(kind=AttributeKind.PROPERTY, value=read_scopes(given))]
    found = []
    for one in several:
        if (
            not isinstance(one, dict)
            or one.get("type", "Property") != "Property"
            or "value" not in one
            or not one.keys() <= _OF_SCOPE
        ):
            raise BadRequestData(
                f"scope has the instance {shown(one)}; it is a Property with a value and observedAt"
            )
        observed = one.get("observedAt")
        found.append(
            Attribute(
                kind=AttributeKind.PROPERTY,
                value=read_scopes(one["value"]),
                observed_ns=None if observed is None else read_moment(observed, "scope.observedAt"),
            )
        )
    return found
