"""Writing registrations: a source as a CSourceRegistration, with the names of one @context.

ETSI GS CIM 009, clauses 5.2.8 to 5.2.11. What was not given is left out.
"""

from __future__ import annotations

from typing import Any

from citytwin_hub.apis.ngsild.registration_reading import KIND
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.sources import Information, Interval, Known, Source
from citytwin_hub.jsonld.names import Names


def write(one: Source, names: Names, *, sys_attrs: bool = False) -> dict[str, Any]:
    """Return a source as a document; with createdAt and modifiedAt for ``sys_attrs``."""
    document: dict[str, Any] = {"id": one.id, "type": KIND}
    document |= {"registrationName": one.name} if one.name else {}
    document |= {"description": one.description} if one.description else {}
    document["information"] = [_information(each, names) for each in one.information]
    document["endpoint"] = one.endpoint
    given = {
        "tenant": one.tenant,
        "mode": one.mode.value if one.mode is not None else "",
        "operations": list(one.operations),
        "contextSourceInfo": [{"key": key, "value": value} for key, value in one.info],
        "management": one.management,
        "scope": one.scopes[0] if len(one.scopes) == 1 else list(one.scopes),
        "observationInterval": _interval(one.observed),
        "managementInterval": _interval(one.managed),
        "expiresAt": format_ns(one.expires_ns) if one.expires_ns is not None else "",
        "refreshRate": one.refresh_rate,
    }
    document |= {member: value for member, value in given.items() if value}
    document |= one.places
    document |= {names.compact(iri): value for iri, value in one.properties.items()}
    if sys_attrs:
        document["createdAt"] = format_ns(one.created_ns)
        document["modifiedAt"] = format_ns(one.modified_ns)
    return document


def _information(one: Information, names: Names) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if one.entities:
        document["entities"] = [_known(each, names) for each in one.entities]
    pairs = (("propertyNames", one.properties), ("relationshipNames", one.relationships))
    for member, iris in pairs:
        if iris is not None:
            document[member] = [names.compact(each) for each in iris]
    return document


def _known(one: Known, names: Names) -> dict[str, Any]:
    kinds = [names.compact(each) for each in one.types]
    document: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if one.id:
        document["id"] = one.id
    if one.pattern:
        document["idPattern"] = one.pattern
    return document


def _interval(one: Interval | None) -> dict[str, Any] | None:
    if one is None:
        return None
    document = {"startAt": format_ns(one.start_ns)}
    if one.end_ns is not None:
        document["endAt"] = format_ns(one.end_ns)
    return document
