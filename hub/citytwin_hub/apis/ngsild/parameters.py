"""Parameters: what the query string of a request asks for, as a Selection, a View and a page.

ETSI GS CIM 009, clauses 6.4.3.2 and 6.5.3.1 (parameters), 5.7.1 and 5.7.2 (what they mean). The
body of a query (``Query``, clause 5.2.23) is read by ``query_document.py`` into the same terms.
That a parameter is not known is refused before (``Operation.parameters``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from citytwin_hub.apis.ngsild.asked import LISTS, Asked
from citytwin_hub.apis.ngsild.projections import CORE
from citytwin_hub.apis.ngsild.view import View
from citytwin_hub.apis.ngsild.viewing import view
from citytwin_hub.entities import durations, geo, ordering, q_parser, scopes, types
from citytwin_hub.entities.durations import Duration
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest, TooManyResults
from citytwin_hub.entities.ordering import Ordering
from citytwin_hub.entities.patterns import compile_pattern
from citytwin_hub.entities.q import Query
from citytwin_hub.entities.selection import Selection, Selector
from citytwin_hub.jsonld.names import Names

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1_000
"""Entities of one page; as many are written into one answer."""

OFFSET_MAX: Final = 10_000_000
"""More entities than a city has."""

_VIEW: Final = (
    "attrs", "pick", "omit", "options", "format", "lang", "datasetId", "geometryProperty",
    "join", "joinLevel", "containedBy", "local", "entityMap", "entityMapLifetime", "splitEntities",
)  # fmt: skip
_PAGE: Final = ("limit", "offset", "count")

RETRIEVE: Final = frozenset({*_VIEW, "type"})
"""Parameters of retrieving an entity (table 6.5.3.1-1)."""

QUERY: Final = frozenset(
    {
        *_VIEW, *_PAGE, "id", "type", "idPattern", "q", "csf", "georel", "geometry", "coordinates",
        "geoproperty", "scopeQ", "orderBy", "orderFrom", "collation", "expandValues", "jsonKeys",
    }
)  # fmt: skip
"""Parameters of querying entities (table 6.4.3.2-1)."""

PURGE: Final = frozenset(
    {
        "id", "type", "idPattern", "attrs", "q", "csf", "georel", "geometry", "coordinates",
        "geoproperty", "scopeQ", "expandValues", "jsonKeys", "local", "keep", "drop",
    }
)  # fmt: skip
"""Parameters of purging entities (table 6.4.3.3-1)."""

QUERY_BY_POST: Final = frozenset(
    {
        *_PAGE, "options", "format", "geometryProperty", "lang", "local", "entityMap",
        "entityMapLifetime", "splitEntities",
    }
)  # fmt: skip
"""Parameters beside the body of a query (table 6.23.3.1-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """What is asked of one entity (immutable).

    Attributes:
        view: how it is represented.
        types: it must be of these types; None: of any.
        local: only what this hub itself has.
        entity_map: an EntityMap is wanted.
        map_life: how long it shall live; None: as the hub thinks fit.
    """

    view: View
    types: types.TypeSelection | None = None
    local: bool = False
    entity_map: bool = False
    map_life: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of the results (immutable).

    Attributes:
        limit: at most as many; 0 only together with ``count``.
        offset: how many are passed over.
        count: how many there are is wanted.
    """

    limit: int = LIMIT_DEFAULT
    offset: int = 0
    count: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityQuery:
    """What is asked of entities (immutable).

    Attributes:
        selection: which.
        view: how they are represented.
        ordering: in which order; None: in that of their creation.
        page: which part of them.
        local: only what this hub itself has.
        sources: a filter of context sources (``csf``); this hub's own entities are always asked.
        entity_map: an EntityMap is wanted.
        map_life: how long it shall live; None: as the hub thinks fit.
        split: entities may come from several sources.
    """

    selection: Selection
    view: View
    ordering: Ordering | None = None
    page: Page = Page()
    local: bool = False
    sources: Query | None = None
    entity_map: bool = False
    map_life: Duration | None = None
    split: bool = False


def once(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return parameters by name.

    Raises:
        InvalidRequest: one is given twice.
    """
    found: dict[str, str] = {}
    for name, value in given:
        if name in found:
            raise InvalidRequest(f"the parameter {name} is given twice: give it once, with commas")
        found[name] = value
    return found


def retrieval(given: Mapping[str, str], names: Names, media: str) -> Retrieval:
    """Return what a request for one entity asks for.

    Args:
        given: its parameters.
        names: what names in them mean.
        media: the media type of the answer.

    Raises:
        BadRequestData: a parameter is wrong.
        InvalidRequest: ``options`` or ``format`` is not known.
        TooComplexQuery: an expression is over a limit.
    """
    asked = read(given, names, media)
    return Retrieval(
        view=view(asked),
        types=type_selection(asked),
        local=asked.flag("local"),
        entity_map=asked.flag("entityMap"),
        map_life=map_life(asked),
    )


def query(given: Mapping[str, str], names: Names, media: str) -> EntityQuery:
    """Return what a query by GET asks for; arguments and errors as ``retrieval``, and:

    Raises:
        TooManyResults: a page is larger than ``LIMIT_MAX``.
    """
    asked = read(given, names, media)
    every_type = given.get("type") == "*"
    if every_type and given.get("local") == "false":
        raise BadRequestData("type=* means every local entity: local cannot be false beside it")
    return entity_query(asked, selectors(asked), local=every_type or asked.flag("local"))


def read(given: Mapping[str, str], names: Names, media: str) -> Asked:
    """Return the parameters of a query string as values."""
    values = {name: value.split(",") if name in LISTS else value for name, value in given.items()}
    return Asked(values=values, names=names, media=media)


def selectors(asked: Asked) -> tuple[Selector, ...]:
    """Return entities by identity and type, as id, idPattern and type ask for them."""
    pattern = asked.text("idPattern")
    selector = Selector(
        ids=asked.uris("id"),
        id_pattern=None if pattern is None else compile_pattern(pattern, "idPattern"),
        types=type_selection(asked),
    )
    return () if selector == Selector() else (selector,)


def type_selection(asked: Asked) -> types.TypeSelection | None:
    """Return which types are asked for; None: any."""
    text = asked.text("type")
    return None if text is None or text == "*" else types.parse(text, asked.names)


def entity_query(asked: Asked, selected: tuple[Selector, ...], *, local: bool) -> EntityQuery:
    """Return what values ask for.

    Args:
        asked: the values.
        selected: entities by identity and type.
        local: only this hub's own are asked for.

    Raises: as ``query``.
    """
    seen = view(asked)
    selection = select(asked, selected, seen)
    refuse_too_wide(selection, seen, local=local)
    if selection.q is not None and selection.q.depth > (seen.join_level if seen.join else 0):
        raise BadRequestData(
            "q asks about linked entities further away than they are retrieved: say join, and a "
            "joinLevel as large as q is deep"
        )
    sources = asked.text("csf")
    return EntityQuery(
        selection=selection,
        view=seen,
        ordering=_ordering(asked),
        page=page(asked),
        local=local,
        sources=None if sources is None else q_parser.parse(sources, asked.names, what="csf"),
        entity_map=asked.flag("entityMap"),
        map_life=map_life(asked),
        split=asked.flag("splitEntities"),
    )


def select(asked: Asked, selected: tuple[Selector, ...], seen: View) -> Selection:
    """Return which entities are asked for; arguments and errors as ``entity_query``."""
    names = asked.names
    expanded = asked.attributes("expandValues") or frozenset()
    asked.attributes("jsonKeys")  # Checked only: keys in a value are never names here.
    q, scope = asked.text("q"), asked.text("scopeQ")
    return Selection(
        selectors=selected,
        attrs=_picked(seen) if seen.attrs is None else seen.attrs,
        q=None
        if q is None
        else q_parser.parse(q, names, expanded=expanded, encoded=asked.is_document),
        geo=geo_query(asked),
        scope=None if scope is None else scopes.parse(scope),
    )


def _picked(seen: View) -> frozenset[str] | None:
    """Return the attributes of which an entity must have one for anything of it to be left."""
    if seen.pick is None or not CORE.isdisjoint(seen.pick.members):
        return None
    return frozenset(seen.pick.members)


def refuse_too_wide(selection: Selection, seen: View, *, local: bool) -> None:
    """Refuse a query that is about everything everywhere (clause 5.7.2.4).

    Raises:
        BadRequestData: it names neither types, nor attributes, nor a geometry, and is not local.
    """
    by_types = any(each.types is not None for each in selection.selectors)
    by_q = selection.q is not None and bool(selection.q.attributes())
    # What is picked is a projection, not a filter.
    by_attributes = bool(seen.attrs)
    if not (local or by_types or by_q or by_attributes or selection.geo is not None):
        raise BadRequestData(
            "the query is too wide: give type, attrs, q with an attribute, a geo query or "
            "local=true"
        )


def geo_query(asked: Asked) -> geo.GeoQuery | None:
    """Return the geo query that is asked for, if there is one."""
    georel, coordinates = asked.values.get("georel"), asked.values.get("coordinates")
    # Without a geo query, geometry says what distances are from.
    geometry = None if "orderFrom" in asked and georel is None else asked.values.get("geometry")
    if georel is None and coordinates is None and geometry is None:
        return None
    attribute = asked.names.expand(asked.text("geoproperty") or "location")
    return geo.parse(georel, geometry, coordinates, attribute)


def _ordering(asked: Asked) -> Ordering | None:
    order_by = asked.listed("orderBy")
    if order_by is None:
        if "collation" in asked or "orderFrom" in asked:
            raise BadRequestData("collation and orderFrom need orderBy beside them")
        return None
    geometry = asked.text("orderGeometry")
    if geometry is None and "georel" not in asked:
        geometry = asked.text("geometry")
    return ordering.parse(
        order_by,
        asked.names,
        geometry=geometry or "Point",
        coordinates=asked.values.get("orderFrom"),
        collation=asked.text("collation"),
    )


def map_life(asked: Asked) -> Duration | None:
    """Return how long an EntityMap shall live; None where that is not said."""
    text = asked.text("entityMapLifetime")
    return None if text is None else durations.parse(text, "entityMapLifetime")


def page(asked: Asked) -> Page:
    """Return which part of the results is asked for (clauses 6.3.10 and 6.3.13)."""
    count = asked.flag("count")
    limit = asked.number("limit", LIMIT_DEFAULT)
    if limit > LIMIT_MAX:
        raise TooManyResults(f"limit is over {LIMIT_MAX}: ask for the results in pages")
    if limit == 0 and not count:
        raise BadRequestData("limit=0 is only for counting: give count=true beside it")
    offset = asked.number("offset", 0)
    if offset > OFFSET_MAX:
        raise BadRequestData(f"offset is over {OFFSET_MAX}")
    return Page(limit=limit, offset=offset, count=count)
