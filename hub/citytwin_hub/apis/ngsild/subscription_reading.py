"""Reading subscriptions: a Subscription document, or a fragment of one that changes another.

ETSI GS CIM 009, clauses 5.2.12 (Subscription), 5.2.13 (GeoQuery), 5.2.14 (NotificationParams),
5.2.15 (Endpoint), 5.2.22 (KeyValuePair) and 5.2.33 (EntitySelector). What only the hub may say
(status, times, counters) and what is not known is left out, as the clause wants it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from citytwin_hub.apis.ngsild import languages
from citytwin_hub.apis.ngsild.endpoint_reading import read_notify
from citytwin_hub.apis.ngsild.members import read_dataset, read_moment, read_name
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.apis.ngsild.values import read_uri
from citytwin_hub.entities import geo, patterns, q_parser, scopes, types
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import NULL
from citytwin_hub.entities.subscriptions import (
    EntitySelector,
    Notify,
    Subscription,
    Trigger,
)
from citytwin_hub.jsonld.names import Names

SELECTORS_MAX: Final = 1000
IDS_MAX: Final = 1000
WATCHED_MAX: Final = 1000
TEXT_CHARS_MAX: Final = 4096
SECONDS_MAX: Final = 10 * 365 * 86_400
ID_PREFIX: Final = "urn:ngsi-ld:Subscription:"
LOCATION: Final = "location"

_TERM: Final = re.compile(r"[^,;|()\s]+")
_MANDATORY: Final = frozenset({"id", "type", "notification"})


def create(document: Any, names: Names, receivers: Receivers) -> Subscription:
    """Return the subscription of a document; without an identifier it is given one.

    Raises:
        BadRequestData: a member is wrong or missing, or the receiver may not be called.
        TooComplexQuery: a query is over a limit.
    """
    given = _object(document, "the body")
    if given.get("type") != "Subscription":
        raise BadRequestData("the body is no Subscription: its type must be Subscription")
    if "notification" not in given:
        raise BadRequestData("a subscription needs a notification: where and what to tell")
    identifier = f"{ID_PREFIX}{uuid.uuid4()}"
    if "id" in given:
        identifier = read_uri(given["id"], "id")
    start = Subscription(id=identifier, notify=Notify(uri=""))
    return _checked(_changed(start, given, names, receivers))


def change(before: Subscription, document: Any, names: Names, receivers: Receivers) -> Subscription:
    """Return a subscription with the members of a fragment in the place of its own (5.8.2).

    Null, or NGSI-LD Null, takes a member away.

    Raises:
        BadRequestData: as ``create``, or a member that must be there is taken away.
        TooComplexQuery: a query is over a limit.
    """
    given = _object(document, "the body")
    if given.get("type", "Subscription") != "Subscription":
        raise BadRequestData("a Subscription stays one: its type cannot be changed")
    if given.get("id", before.id) != before.id:
        raise BadRequestData(f"the body is of {given['id']!r}, the path of {before.id!r}")
    return _checked(_changed(before, given, names, receivers))


def _changed(
    before: Subscription, given: Mapping[str, Any], names: Names, receivers: Receivers
) -> Subscription:
    fields: dict[str, Any] = {}
    for member, value in given.items():
        if value is None or value == NULL:
            if member in _MANDATORY:
                raise BadRequestData(f"{member} cannot be taken away from a subscription")
            fields |= _CLEARED.get(member, {})
        elif member == "notification":
            fields["notify"] = read_notify(value, names, receivers)
        elif member in _READERS:
            fields |= _READERS[member](value, names)
    return replace(before, **fields)


def _checked(one: Subscription) -> Subscription:
    if not one.selectors and not one.watched:
        raise BadRequestData("a subscription needs entities or watchedAttributes, or both")
    if one.interval_s is not None and one.throttling_s is not None:
        raise BadRequestData("timeInterval and throttling exclude each other: give one of them")
    return one


def _entities(value: Any, names: Names) -> dict[str, Any]:
    if not isinstance(value, list) or not 0 < len(value) <= SELECTORS_MAX:
        raise BadRequestData(f"entities is not an array of 1 to {SELECTORS_MAX} selectors")
    return {"selectors": tuple(_selector(one, names) for one in value)}


def _selector(value: Any, names: Names) -> EntitySelector:
    given = _object(value, "a selector of entities")
    kinds = given.get("type")
    if not isinstance(kinds, str) or not kinds:
        raise BadRequestData("a selector of entities needs a type")
    if kinds == "*":
        expanded = ""
    else:
        types.parse(kinds, names)
        expanded = _TERM.sub(lambda match: names.expand(match[0]), kinds)
    ids = given.get("id", ())
    several = ids if isinstance(ids, list | tuple) else [ids]
    if len(several) > IDS_MAX:
        raise BadRequestData(f"a selector of entities names more than {IDS_MAX} identifiers")
    pattern = _text(given.get("idPattern", ""), "idPattern")
    if pattern:
        patterns.compile_pattern(pattern, "idPattern")
    return EntitySelector(
        ids=tuple(read_uri(one, "entities.id") for one in several),
        pattern=pattern,
        types=expanded,
    )


def _watched(value: Any, names: Names) -> dict[str, Any]:
    if not isinstance(value, list) or not 0 < len(value) <= WATCHED_MAX:
        raise BadRequestData(f"watchedAttributes is not an array of 1 to {WATCHED_MAX} names")
    read = (read_name(one, names, "an attribute of watchedAttributes") for one in value)
    return {"watched": tuple(dict.fromkeys(read))}


def _triggers(value: Any, _: Names) -> dict[str, Any]:
    known = [one.value for one in Trigger]
    if not isinstance(value, list) or not value or not all(one in known for one in value):
        raise BadRequestData(f"notificationTrigger is not an array of {', '.join(known)}")
    return {"triggers": tuple(dict.fromkeys(map(Trigger, value)))}


class _Recording:
    """Notes what names mean."""

    def __init__(self, names: Names) -> None:
        self._names, self.terms = names, dict[str, str]()

    def expand(self, name: str) -> str:
        self.terms[name] = self._names.expand(name)
        return self.terms[name]

    def compact(self, iri: str) -> str:
        return self._names.compact(iri)


def _q(value: Any, names: Names) -> dict[str, Any]:
    text, recording = _text(value, "q"), _Recording(names)
    q_parser.parse(text, recording, encoded=True)
    return {"q": text, "terms": recording.terms}


def _scope_q(value: Any, _: Names) -> dict[str, Any]:
    text = _text(value, "scopeQ")
    scopes.parse(text)
    return {"scope_q": text}


def _csf(value: Any, names: Names) -> dict[str, Any]:
    text = _text(value, "csf")
    q_parser.parse(text, names, what="csf", encoded=True)
    return {"csf": text}


def _geo_q(value: Any, names: Names) -> dict[str, Any]:
    given = _object(value, "geoQ")
    name = _text(given.get("geoproperty", LOCATION), "geoQ.geoproperty")
    known = {one: given[one] for one in ("georel", "geometry", "coordinates") if one in given}
    known["geoproperty"] = names.expand(name)
    geo.parse(
        known.get("georel"), known.get("geometry"), known.get("coordinates"), known["geoproperty"]
    )
    return {"geo": known}


def _languages(value: Any, _: Names) -> dict[str, Any]:
    text = _text(value, "lang")
    languages.parse(text)
    return {"languages": text}


def _datasets(value: Any, _: Names) -> dict[str, Any]:
    several = value if isinstance(value, list) else [value]
    if not 0 < len(several) <= IDS_MAX:
        raise BadRequestData(f"datasetId is not an array of 1 to {IDS_MAX} URIs")
    return {"datasets": tuple(read_dataset(one, "the subscription") for one in several)}


def _seconds(member: str, field: str) -> Callable[[Any, Names], dict[str, Any]]:
    def read(value: Any, _: Names) -> dict[str, Any]:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value <= SECONDS_MAX:
            raise BadRequestData(f"{member} is {str(value)[:40]}; it is a number of seconds over 0")
        return {field: float(value)}

    return read


def _is_active(value: Any, _: Names) -> dict[str, Any]:
    if not isinstance(value, bool):
        raise BadRequestData("isActive is neither true nor false")
    return {"is_active": value}


_READERS: Final[Mapping[str, Callable[[Any, Names], dict[str, Any]]]] = {
    "subscriptionName": lambda value, _: {"name": _text(value, "subscriptionName")},
    "description": lambda value, _: {"description": _text(value, "description")},
    "entities": _entities,
    "watchedAttributes": _watched,
    "notificationTrigger": _triggers,
    "timeInterval": _seconds("timeInterval", "interval_s"),
    "throttling": _seconds("throttling", "throttling_s"),
    "q": _q,
    "scopeQ": _scope_q,
    "csf": _csf,
    "geoQ": _geo_q,
    "lang": _languages,
    "datasetId": _datasets,
    "isActive": _is_active,
    "expiresAt": lambda value, _: {"expires_ns": read_moment(value, "expiresAt", bounded=True)},
    "jsonldContext": lambda value, _: {"given_context": read_uri(value, "jsonldContext")},
}
_CLEARED: Final[Mapping[str, Mapping[str, Any]]] = {
    "subscriptionName": {"name": ""},
    "description": {"description": ""},
    "entities": {"selectors": ()},
    "watchedAttributes": {"watched": ()},
    "notificationTrigger": {"triggers": ()},
    "timeInterval": {"interval_s": None},
    "throttling": {"throttling_s": None},
    "q": {"q": "", "terms": {}},
    "scopeQ": {"scope_q": ""},
    "csf": {"csf": ""},
    "geoQ": {"geo": None},
    "lang": {"languages": ""},
    "datasetId": {"datasets": None},
    "isActive": {"is_active": None},
    "expiresAt": {"expires_ns": None},
    "jsonldContext": {"given_context": ""},
}
"""What each member is where it is not given."""


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadRequestData(f"{what} is not a JSON object")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX:
        raise BadRequestData(f"{what} is not a text of up to {TEXT_CHARS_MAX} characters")
    return value
