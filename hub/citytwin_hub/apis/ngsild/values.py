"""Values: what may stand in an attribute's value, by the attribute's kind.

ETSI GS CIM 009, clauses 4.5.2 to 4.5.24 and 4.6.3 to 4.6.5. Each function returns the value as the
model holds it (``model.Attribute.value``) and raises BadRequestData with a sentence that names the
member.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

import msgspec

from citytwin_hub.entities import geojson
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import NULL, AttributeKind
from citytwin_hub.entities.uris import is_uri
from citytwin_hub.jsonld.names import Names

DEPTH_MAX: Final = 32
"""Arrays and objects in each other in one value."""
LIST_MAX: Final = 100_000
"""Elements of one list of values or URIs."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|@none")


class Nulls(IntEnum):
    """Where NGSI-LD Null may stand (clause 5.5.4)."""

    REFUSED = 0
    """Nowhere: what is created or appended."""
    DELETE = 1
    """As the value of an attribute: update and partial update (clause 5.5.8)."""
    MERGE = 2
    """Inside objects, too: merge (clause 5.5.12)."""


def is_null(value: Any, kind: AttributeKind | None) -> bool:
    """Return whether a value is NGSI-LD Null as it is written for a kind (clause 4.5.0)."""
    if value == NULL:
        return True
    if kind is AttributeKind.LANGUAGE:
        return bool(value == {"@none": NULL})
    if kind in {AttributeKind.LIST, AttributeKind.LIST_RELATIONSHIP}:
        return value in ([NULL], [{"object": NULL}])
    return False


def read_value(
    kind: AttributeKind, value: Any, names: Names, where: str, nulls: Nulls = Nulls.REFUSED
) -> Any:
    """Return what an attribute's member holds, checked.

    Args:
        kind: of the attribute.
        value: what its member (``MEMBER``) holds.
        names: expands a vocabulary's terms.
        where: the attribute, for the error's sentence.
        nulls: where NGSI-LD Null may stand; as the value itself it stays ``model.NULL``.

    Raises:
        BadRequestData: it may not be.
    """
    if is_null(value, kind):
        if nulls is Nulls.REFUSED:
            raise BadRequestData(
                f"{where} has the value {NULL!r}, which deletes; here nothing can be deleted"
            )
        return NULL
    return _READERS[kind](value, names, where, nulls)


def check_json(value: Any, where: str, *, nulls: bool = False, depth: int = 0) -> None:
    """Refuse JSON null, NGSI-LD Null and what is nested too deep.

    A JSON literal, ``{"@type": "@json", "@value": …}``, may hold null (clause 4.5.0).
    """
    kind = type(value)
    if kind is str:
        if value == NULL and not nulls:
            raise BadRequestData(f"{where} holds {NULL!r} where nothing can be deleted")
    elif kind is dict or kind is list:
        if depth >= DEPTH_MAX:
            raise BadRequestData(f"{where} is nested over {DEPTH_MAX} deep")
        if kind is dict:
            if value.get("@type") == "@json":
                check_depth(value, where, depth)
                return
            value = value.values()
        for one in value:
            check_json(one, where, nulls=nulls, depth=depth + 1)
    elif value is None:
        raise BadRequestData(
            f"{where} holds null, which is no value in JSON-LD; leave it out, or use a JsonProperty"
        )


def check_depth(value: Any, where: str, depth: int = 0) -> None:
    """Refuse what is nested too deep; any JSON will do."""
    if isinstance(value, dict | list):
        if depth >= DEPTH_MAX:
            raise BadRequestData(f"{where} is nested over {DEPTH_MAX} deep")
        for one in value.values() if isinstance(value, dict) else value:
            check_depth(one, where, depth + 1)


def _property(value: Any, _names: Names, where: str, nulls: Nulls) -> Any:
    check_json(value, where, nulls=nulls is Nulls.MERGE)
    return value


def _geometry(value: Any, _names: Names, where: str, _nulls: Nulls) -> Any:
    if isinstance(value, str):
        # Clause 4.7.2: the geometry may be JSON in a string.
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise BadRequestData(f"{where} is a GeoProperty, and its text no geometry") from None
    reason = geojson.refusal(value)
    if reason:
        raise BadRequestData(f"{where} is no GeoJSON geometry: {reason}")
    return value


def read_uri(value: Any, where: str) -> str:
    """Return a URI."""
    if not isinstance(value, str) or not is_uri(value) or value == NULL:
        raise BadRequestData(f"{where} is {shown(value)}, which is not a URI")
    return value


def _listed(value: Any, where: str, what: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise BadRequestData(f"{where} is {shown(value)}; it must be {what}")
    if len(value) > LIST_MAX:
        raise BadRequestData(f"{where} has over {LIST_MAX} elements")
    return value


def _object(value: Any, _names: Names, where: str, _nulls: Nulls) -> Any:
    if isinstance(value, str):
        return read_uri(value, where)
    several = _listed(value, where, "a URI or an array of URIs")
    return [read_uri(one, where) for one in several]


def _objects(value: Any, _names: Names, where: str, _nulls: Nulls) -> Any:
    several = _listed(value, where, "an array of URIs")
    return [
        read_uri(
            one["object"] if isinstance(one, dict) and one.keys() == {"object"} else one, where
        )
        for one in several
    ]


def _texts(value: Any, _names: Names, where: str, nulls: Nulls) -> Any:
    if not isinstance(value, dict) or not value:
        raise BadRequestData(f"{where} has no texts by language: an object such as {{'kk': '…'}}")
    for tag, text in value.items():
        if not _LANGUAGE.fullmatch(tag):
            raise BadRequestData(f"{where} has {tag!r}, which is not a language (BCP 47)")
        for one in text if isinstance(text, list) else (text,):
            if not isinstance(one, str):
                raise BadRequestData(f"{where} in {tag!r} is {shown(one)}; it must be text")
            if one == NULL and nulls is not Nulls.MERGE:
                raise BadRequestData(f"{where} in {tag!r} is {NULL!r}, which deletes")
    return value


def _vocab(value: Any, names: Names, where: str, _nulls: Nulls) -> Any:
    if isinstance(value, str) and value:
        return names.expand(value)
    several = _listed(value, where, "a term or an array of terms")
    if not all(isinstance(one, str) and one for one in several):
        raise BadRequestData(f"{where} must be a term or an array of terms")
    return [names.expand(one) for one in several]


def _json(value: Any, _names: Names, where: str, _nulls: Nulls) -> Any:
    several = value if isinstance(value, list) else [value]
    if not all(isinstance(one, dict) for one in several):
        raise BadRequestData(
            f"{where} is a JsonProperty: its json must be an object or an array of objects"
        )
    check_depth(value, where)
    return value


def _values(value: Any, _names: Names, where: str, _nulls: Nulls) -> Any:
    if not isinstance(value, list):
        raise BadRequestData(f"{where} is {shown(value)}; it must be an array")
    if len(value) > LIST_MAX:
        raise BadRequestData(f"{where} has over {LIST_MAX} elements")
    check_json(value, where)
    return value


_Read = Callable[[Any, Names, str, Nulls], Any]
_READERS: Final[dict[AttributeKind, _Read]] = {
    AttributeKind.PROPERTY: _property,
    AttributeKind.GEO: _geometry,
    AttributeKind.RELATIONSHIP: _object,
    AttributeKind.LANGUAGE: _texts,
    AttributeKind.VOCAB: _vocab,
    AttributeKind.JSON: _json,
    AttributeKind.LIST: _values,
    AttributeKind.LIST_RELATIONSHIP: _objects,
}


def shown(value: Any) -> str:
    """Return a value as JSON for an error's sentence, not too long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:60]}…"
