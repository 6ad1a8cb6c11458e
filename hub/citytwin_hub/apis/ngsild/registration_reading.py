"""Reading registrations: a CSourceRegistration document, or a fragment that changes one.

ETSI GS CIM 009, clauses 5.2.8 (EntityInfo), 5.2.9 (CSourceRegistration), 5.2.10 (RegistrationInfo),
5.2.11 (TimeInterval), 5.2.22 (KeyValuePair) and 5.2.34 (RegistrationManagementInfo). What only the
hub may say (status, times, counters) is passed over; any other member is a property of the source.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from citytwin_hub.apis.ngsild.fields import flag, object_in, one_of, pairs, texts, whole
from citytwin_hub.apis.ngsild.members import read_moment, read_name, read_scopes, read_types
from citytwin_hub.apis.ngsild.values import check_json, read_uri
from citytwin_hub.entities import durations, geojson
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import NULL
from citytwin_hub.entities.patterns import compile_pattern
from citytwin_hub.entities.sources import (
    OPERATIONS,
    Information,
    Interval,
    Known,
    Mode,
    Source,
)
from citytwin_hub.jsonld.names import Names

KIND: Final = "ContextSourceRegistration"
ID_PREFIX: Final = "urn:ngsi-ld:ContextSourceRegistration:"
INFORMATION_MAX: Final = 1000
ENTITIES_MAX: Final = 1000
PROPERTIES_MAX: Final = 100
TEXT_CHARS_MAX: Final = 4096
TIMEOUT_MS_MAX: Final = 60_000
COOLDOWN_MS_MAX: Final = 3_600_000

_MANDATORY: Final = frozenset({"id", "type", "information", "endpoint"})
_OURS: Final = frozenset(
    {
        "@context", "id", "type", "createdAt", "modifiedAt", "deletedAt", "status", "timesSent",
        "timesFailed", "lastSuccess", "lastFailure",
    }
)  # fmt: skip


def create(document: Any, names: Names) -> Source:
    """Return the source of a document; without an identifier it is given one.

    Raises:
        BadRequestData: a member is wrong or missing.
    """
    given = object_in(document, "the body")
    if given.get("type") != KIND:
        raise BadRequestData(f"the body is no registration: its type must be {KIND}")
    for member in ("information", "endpoint"):
        if member not in given:
            raise BadRequestData(f"a registration needs {member}")
    identifier = f"{ID_PREFIX}{uuid.uuid4()}"
    if "id" in given:
        identifier = read_uri(given["id"], "id")
    return _changed(Source(id=identifier, endpoint="", information=()), given, names)


def change(before: Source, document: Any, names: Names) -> Source:
    """Return a source with the members of a fragment in the place of its own (5.9.3).

    Null, or NGSI-LD Null, takes a member away.

    Raises:
        BadRequestData: as ``create``, or a member that must be there is taken away.
    """
    given = object_in(document, "the body")
    if given.get("type", KIND) != KIND:
        raise BadRequestData(f"a {KIND} stays one: its type cannot be changed")
    if given.get("id", before.id) != before.id:
        raise BadRequestData(f"the body is of {given['id']!r}, the path of {before.id!r}")
    return _changed(before, given, names)


def _changed(before: Source, given: Mapping[str, Any], names: Names) -> Source:
    fields: dict[str, Any] = {"places": dict(before.places)}
    properties = dict(before.properties)
    for member, value in given.items():
        gone = value is None or value == NULL
        if gone and member in _MANDATORY:
            raise BadRequestData(f"{member} cannot be taken away from a registration")
        if member in _OURS:
            continue
        if member in _PLACES:
            fields["places"].pop(member, None)
            if not gone:
                fields["places"][member] = _geometry(value, member)
        elif member in _READERS:
            field, read, none = _READERS[member]
            fields[field] = none if gone else read(given, names)
        else:
            iri = read_name(member, names, "a property of the source")
            properties.pop(iri, None)
            if not gone:
                check_json(value, member)
                properties[iri] = value
    if len(properties) > PROPERTIES_MAX:
        raise BadRequestData(f"a registration has over {PROPERTIES_MAX} properties of its own")
    return replace(before, properties=properties, **fields)


def _information(given: Mapping[str, Any], names: Names) -> tuple[Information, ...]:
    value = given["information"]
    if not isinstance(value, list) or not 0 < len(value) <= INFORMATION_MAX:
        raise BadRequestData(f"information is not an array of 1 to {INFORMATION_MAX} objects")
    return tuple(_one_information(object_in(one, "information"), names) for one in value)


def _one_information(given: Mapping[str, Any], names: Names) -> Information:
    entities = given.get("entities", [])
    if not isinstance(entities, list) or len(entities) > ENTITIES_MAX:
        raise BadRequestData(f"information.entities is not an array of up to {ENTITIES_MAX}")
    information = Information(
        entities=tuple(
            _known(object_in(one, "an entity of information"), names) for one in entities
        ),
        properties=_names(given, "propertyNames", names),
        relationships=_names(given, "relationshipNames", names),
    )
    if information == Information():
        raise BadRequestData(
            "information needs entities, propertyNames or relationshipNames: what the source has"
        )
    return information


def _known(given: Mapping[str, Any], names: Names) -> Known:
    if "type" not in given:
        raise BadRequestData("an entity of information needs a type")
    pattern = _text(given, "idPattern") if "idPattern" in given else ""
    if pattern:
        compile_pattern(pattern, "idPattern")
    return Known(
        types=read_types(given["type"], names, "type"),
        id=read_uri(given["id"], "an id of information") if "id" in given else "",
        pattern=pattern,
    )


def _names(given: Mapping[str, Any], what: str, names: Names) -> tuple[str, ...] | None:
    found = texts(given, what)
    if found is None:
        return None
    return tuple(dict.fromkeys(read_name(one, names, f"a name of {what}") for one in found))


def _endpoint(given: Mapping[str, Any], _: Names) -> str:
    uri = _text(given, "endpoint")
    try:
        parts = urlsplit(uri)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not uri.isprintable() or " " in uri:
        raise BadRequestData(
            f"endpoint is {uri[:200]!r}; it is an address such as http://host:9090"
        )
    return uri


def _operations(given: Mapping[str, Any], _: Names) -> tuple[str, ...]:
    found = texts(given, "operations") or []
    unknown = set(found) - OPERATIONS
    if unknown:
        raise BadRequestData(f"operations has {min(unknown)[:80]!r}, which is none (clause 4.20)")
    return tuple(dict.fromkeys(found))


def _mode(given: Mapping[str, Any], _: Names) -> Mode:
    return Mode(one_of(given, "mode", [one.value for one in Mode]) or Mode.INCLUSIVE)


def _interval(member: str) -> Callable[[Mapping[str, Any], Names], Interval]:
    def read(given: Mapping[str, Any], _: Names) -> Interval:
        value = object_in(given[member], member)
        if "startAt" not in value:
            raise BadRequestData(f"{member} needs startAt")
        start_ns = read_moment(value["startAt"], f"{member}.startAt", bounded=True)
        end = value.get("endAt")
        end_ns = None if end is None else read_moment(end, f"{member}.endAt", bounded=True)
        if end_ns is not None and end_ns < start_ns:
            raise BadRequestData(f"{member} ends before it starts")
        return Interval(start_ns, end_ns)

    return read


def _management(given: Mapping[str, Any], _: Names) -> dict[str, Any]:
    value = object_in(given["management"], "management")
    flag(value, "localOnly")
    whole(value, "timeout", 1, TIMEOUT_MS_MAX)
    whole(value, "cooldown", 1, COOLDOWN_MS_MAX)
    if "cacheDuration" in value:
        _duration(value, "cacheDuration")
    return {one: value[one] for one in _MANAGEMENT if value.get(one) is not None}


_MANAGEMENT: Final = ("localOnly", "cacheDuration", "timeout", "cooldown")


def _duration(given: Mapping[str, Any], member: str) -> str:
    text = _text(given, member)
    durations.parse(text, member)
    return text


def _text(given: Mapping[str, Any], member: str) -> str:
    value = given.get(member)
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX:
        raise BadRequestData(f"{member} is not a text of up to {TEXT_CHARS_MAX} characters")
    return value


def _expiry(value: Any) -> int:
    return read_moment(value, "expiresAt", bounded=True)


def _geometry(value: Any, member: str) -> Any:
    refusal = geojson.refusal(value)
    if refusal:
        raise BadRequestData(f"{member} is not a geometry: {refusal}")
    return value


_PLACES: Final = frozenset({"location", "observationSpace", "operationSpace"})
_READERS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any], Names], Any], Any]]] = {
    "registrationName": ("name", lambda given, _: _text(given, "registrationName"), ""),
    "description": ("description", lambda given, _: _text(given, "description"), ""),
    "information": ("information", _information, ()),
    "endpoint": ("endpoint", _endpoint, ""),
    "tenant": ("tenant", lambda given, _: _text(given, "tenant"), ""),
    "mode": ("mode", _mode, None),
    "operations": ("operations", _operations, ()),
    "contextSourceInfo": ("info", lambda given, _: pairs(given, "contextSourceInfo"), ()),
    "management": ("management", _management, None),
    "scope": ("scopes", lambda given, _: read_scopes(given["scope"]), ()),
    "observationInterval": ("observed", _interval("observationInterval"), None),
    "managementInterval": ("managed", _interval("managementInterval"), None),
    "expiresAt": (
        "expires_ns",
        lambda given, _: _expiry(given["expiresAt"]),
        None,
    ),
    "refreshRate": ("refresh_rate", lambda given, _: _duration(given, "refreshRate"), ""),
}
"""Of each member: the field, what reads it, and what it is where there is none."""
