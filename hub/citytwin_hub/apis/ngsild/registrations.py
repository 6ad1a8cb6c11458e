"""Registrations over HTTP: context sources register, and are found.

ETSI GS CIM 009, clauses 5.9, 5.10, 6.8 and 6.9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild import parameters
from citytwin_hub.apis.ngsild import registration_reading as reading
from citytwin_hub.apis.ngsild.asked import Asked
from citytwin_hub.apis.ngsild.calls import JSON, JSON_LD, MERGE_PATCH, Call, Operation, route
from citytwin_hub.apis.ngsild.paging import cut, paged
from citytwin_hub.apis.ngsild.provision import options
from citytwin_hub.apis.ngsild.registration_writing import write
from citytwin_hub.apis.ngsild.temporal_parameters import window
from citytwin_hub.apis.ngsild.viewing import view
from citytwin_hub.entities import q_parser
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.evolution_store import Moment
from citytwin_hub.entities.registrations import SourceQuery
from citytwin_hub.entities.selection import EVERYTHING, Selection
from citytwin_hub.entities.sources import Sought, Source
from citytwin_hub.entities.uris import is_uri
from citytwin_hub.policy.grants import Act

PATH: Final = "/ngsi-ld/v1/csourceRegistrations"
QUERY: Final = frozenset(
    {
        "id", "type", "idPattern", "attrs", "q", "csf", "georel", "geometry", "coordinates",
        "geoproperty", "timerel", "timeAt", "endTimeAt", "timeproperty", "scopeQ", "limit",
        "offset", "count", "options",
    }
)  # fmt: skip


def create(call: Call) -> Response:
    """Register a source (6.8.3.1)."""
    source = reading.create(call.document, call.context)
    call.tenant.registrations.register(source)
    return Response(status_code=201, headers={"Location": f"{PATH}/{quote(source.id, safe=':')}"})


def query(call: Call) -> Response:
    """Find sources, in pages (6.8.3.2)."""
    given = parameters.once(call.request.query_params.multi_items())
    asked = parameters.read(given, call.context, call.media)
    wanted = parameters.page(asked)
    every = call.tenant.registrations.query(source_query(asked))
    content = [_written(call, one) for one in cut(every, wanted)]
    return paged(call, content, wanted, len(every), PATH)


def source_query(asked: Asked) -> SourceQuery:
    """Return which sources are asked for (clause 5.10.2.4).

    Raises:
        BadRequestData: a parameter is wrong, or all sources would be meant.
        TooComplexQuery: an expression is over a limit.
    """
    selected, attributes = parameters.selectors(asked), view(asked).attrs
    own = parameters.select(asked, selected, view(asked))
    described = Selection(q=own.q, geo=own.geo, scope=own.scope)
    filters = [described] if described != EVERYTHING else []
    if (csf := asked.text("csf")) is not None:
        filters.append(Selection(q=q_parser.parse(csf, asked.names, what="csf")))
    if not selected and not attributes and not filters:
        raise BadRequestData(
            "the query is too wide: give id, type, attrs, q, csf, scopeQ or a geo query"
        )
    found = SourceQuery(sought=Sought(selected, attributes or None), described=tuple(filters))
    period = window(asked)
    if period.relation is None:
        return found
    if period.moment in {Moment.OBSERVED, Moment.ANY}:
        return replace(found, observed=period.span, is_temporal=True)
    return replace(found, managed=period.span, is_temporal=True)


def retrieve(call: Call) -> Response:
    """Give a source (6.9.3.1)."""
    return call.answer(_written(call, call.tenant.registrations.get(_id(call))))


def update(call: Call) -> Response:
    """Change a source (6.9.3.2)."""
    source_id, document, names = _id(call), call.document, call.context

    def make(before: Source) -> Source:
        return reading.change(before, document, names)

    call.tenant.registrations.update(source_id, make)
    return Response(status_code=204)


def delete(call: Call) -> Response:
    """Forget a source (6.9.3.3)."""
    call.tenant.registrations.delete(_id(call))
    return Response(status_code=204)


def _written(call: Call, one: Source) -> dict[str, Any]:
    return write(one, call.context, sys_attrs="sysAttrs" in options(call))


def _id(call: Call) -> str:
    found: str = call.path["source"]
    if not is_uri(found):
        raise BadRequestData(f"{found[:80]!r} is not a URI, so it names no registration")
    return found


def _routes() -> Iterator[list[Route]]:
    every, one = "/csourceRegistrations", "/csourceRegistrations/{source:some}"
    bodies, patches = (JSON, JSON_LD), (JSON, JSON_LD, MERGE_PATCH)
    yield route(every, "POST", create, Operation(Act.WRITE, bodies, creates=True, whole=True))
    yield route(every, "GET", query, Operation(Act.READ, parameters=QUERY, whole=True))
    yield route(one, "GET", retrieve, Operation(Act.READ, parameters=("options",), whole=True))
    yield route(one, "PATCH", update, Operation(Act.WRITE, patches, whole=True))
    yield route(one, "DELETE", delete, Operation(Act.WRITE, whole=True))


ROUTES: Final[list[Route]] = [one for several in _routes() for one in several]
