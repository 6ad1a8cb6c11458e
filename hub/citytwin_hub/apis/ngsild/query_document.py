"""Query documents: a query as JSON, in the body of a request, a subscription or a snapshot.

ETSI GS CIM 009, clauses 5.2.23 (Query), 5.2.33 (EntitySelector), 5.2.13 (GeoQuery) and 5.2.43
(OrderingParams). Members come to the terms of ``parameters.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from citytwin_hub.apis.ngsild.asked import LISTS, Asked
from citytwin_hub.apis.ngsild.parameters import EntityQuery, entity_query, geo_query, type_selection
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.geo import GeoQuery
from citytwin_hub.entities.patterns import compile_pattern
from citytwin_hub.entities.selection import Selector
from citytwin_hub.jsonld.names import Names

SELECTORS_MAX: Final = 1_000
"""Selectors in one query; each is looked at for each entity."""

_SIMPLE: Final = frozenset(
    {
        "attrs", "pick", "omit", "q", "csf", "scopeQ", "lang", "containedBy", "join", "joinLevel",
        "datasetId", "expandValues", "jsonKeys", "entityMap", "splitEntities", "geometryProperty",
        "local",
    }
)  # fmt: skip
"""Members that mean what the parameter with their name means."""

MEMBERS: Final = _SIMPLE | {"type", "entities", "geoQ", "ordering", "temporalQ", "@context"}
_SELECTOR: Final = frozenset({"id", "idPattern", "type"})
_GEO: Final = frozenset({"geometry", "coordinates", "georel", "geoproperty"})
_ORDERING: Final = frozenset({"orderBy", "geometry", "coordinates", "collation"})


def query(document: Any, given: Mapping[str, str], names: Names, media: str) -> EntityQuery:
    """Return what a query by POST asks for.

    Args:
        document: the body.
        given: the parameters beside it.
        names: what names in both mean.
        media: the media type of the answer.

    Raises:
        BadRequestData: a member or a parameter is wrong.
        InvalidRequest: ``options`` or ``format`` is not known.
        TooComplexQuery: an expression is over a limit.
        TooManyResults: a page is larger than it may be.
    """
    members = checked(document, "the body", MEMBERS, kind="Query")
    if "temporalQ" in members:
        raise BadRequestData("temporalQ is only for queries of the temporal evolution of entities")
    asked = Asked(values=values_of(members, given), names=names, media=media, is_document=True)
    return entity_query(asked, selectors(members.get("entities"), names), local=asked.flag("local"))


def values_of(members: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the members of a query, and the parameters beside it, in the terms of parameters.

    Raises:
        BadRequestData: a member is wrong.
    """
    values: dict[str, Any] = {
        name: value.split(",") if name in LISTS else value for name, value in given.items()
    }
    values |= {name: value for name, value in members.items() if name in _SIMPLE}
    geometry = members.get("geoQ")
    if geometry is not None:
        values |= checked(geometry, "geoQ", _GEO)
    order = members.get("ordering")
    if order is not None:
        values |= _ordered(order)
    return values


def selectors(given: Any, names: Names) -> tuple[Selector, ...]:
    """Return the selectors of a list of EntitySelector; none where it is None.

    Raises:
        BadRequestData: it is not such a list, or empty.
        TooComplexQuery: an expression is over a limit.
    """
    if given is None:
        return ()
    if not isinstance(given, list) or not 0 < len(given) <= SELECTORS_MAX:
        raise BadRequestData(f"entities is not a list of 1 to {SELECTORS_MAX} selectors")
    return tuple(_selector(each, names) for each in given)


def _selector(given: Any, names: Names) -> Selector:
    members = dict(checked(given, "a selector of entities", _SELECTOR))
    if isinstance(members.get("id"), str):
        members["id"] = [members["id"]]
    asked = Asked(values=members, names=names, media="", is_document=True)
    if asked.text("type") is None:
        raise BadRequestData("a selector of entities has no type: it is what it must have")
    pattern = asked.text("idPattern")
    return Selector(
        ids=asked.uris("id"),
        id_pattern=None if pattern is None else compile_pattern(pattern, "idPattern"),
        types=type_selection(asked),
    )


def geo_document(given: Any, names: Names) -> GeoQuery:
    """Return the geo query of a GeoQuery document (clause 5.2.13).

    Raises:
        BadRequestData: it is none.
    """
    values = checked(given, "geoQ", _GEO)
    found = geo_query(Asked(values=values, names=names, media="", is_document=True))
    if found is None:
        raise BadRequestData("geoQ needs georel, geometry and coordinates")
    return found


def _ordered(given: Any) -> dict[str, Any]:
    """Return an OrderingParams document in the terms of parameters."""
    members = checked(given, "ordering", _ORDERING)
    values = {name: members[name] for name in ("orderBy", "collation") if name in members}
    if "orderBy" not in values:
        raise BadRequestData("ordering has no orderBy: it is what it must have")
    if "geometry" in members and not isinstance(members["geometry"], str):
        raise BadRequestData("geometry of ordering is not a text")
    if "coordinates" in members:
        if not isinstance(members["coordinates"], list):
            raise BadRequestData("coordinates of ordering are not a JSON array")
        values["orderFrom"] = members["coordinates"]
        values["orderGeometry"] = members.get("geometry", "Point")
    return values


def checked(
    given: Any, what: str, known: Collection[str], *, kind: str | None = None
) -> Mapping[str, Any]:
    """Return a JSON object whose members are known.

    Args:
        given: what should be one.
        what: how it is called, for errors.
        known: its members.
        kind: what its member ``type`` must be; None: it is one like the others.

    Raises:
        BadRequestData: it is not such an object.
    """
    if not isinstance(given, dict):
        raise BadRequestData(f"{what} is not a JSON object")
    for member in given:
        if member not in known:
            raise BadRequestData(
                f"{what} has no member {member!r}; it can have {', '.join(sorted(known))}"
            )
    if kind is not None and given.get("type") != kind:
        raise BadRequestData(f"{what} is not a {kind}: its type must be {kind}")
    return given
