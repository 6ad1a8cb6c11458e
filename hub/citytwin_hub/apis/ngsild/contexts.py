"""Contexts: @contexts are hosted, listed, served, fetched anew and deleted (clauses 5.13 and 6.29).

Everybody sees those of the tenant only. ``numberOfHits`` is told of what the hub itself serves;
how often a copy of a remote @context was used stands in ``extraInfo``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild.calls import JSON, JSON_LD, Call, Operation, route
from citytwin_hub.apis.ngsild.provision import flag
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest, OperationNotSupported
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.jsonld.contexts import PATH
from citytwin_hub.jsonld.store import Entry, Kind
from citytwin_hub.policy.grants import Act

CONTEXT_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one hosted @context, as of one that is fetched."""


def add(call: Call) -> Response:
    """Host an @context (6.29.3.1)."""
    if len(call.body) > CONTEXT_BYTES_MAX:
        raise BadRequestData(f"an @context has at most {CONTEXT_BYTES_MAX} bytes")
    document = call.document
    if not isinstance(document, dict) or "@context" not in document:
        raise InvalidRequest("the body must be an object with an @context")
    tenant = call.tenant.name
    local_id = call.broker.contexts.host(document["@context"], tenant)
    return Response(status_code=201, headers={"Location": PATH + local_id})


def listed(call: Call) -> Response:
    """List @contexts: their URLs, or what is known of them (6.29.3.2)."""
    details, kind = flag(call, "details"), call.query.get("kind")
    if kind is not None and kind not in set(Kind):
        raise BadRequestData(f"kind is {kind[:80]!r}; there are {', '.join(Kind)}")
    entries = call.broker.contexts.listed(None if kind is None else Kind(kind), _tenant(call))
    return _json(call, [_about(call, one) if details else _url(call, one) for one in entries])


def serve(call: Call) -> Response:
    """Give an @context, or what is known of it (6.30.3.1)."""
    details = flag(call, "details")
    entry = call.broker.contexts.entry(call.path["context"], _tenant(call))
    if details:
        return _json(call, _about(call, entry))
    if entry.kind is Kind.CACHED:
        raise OperationNotSupported(
            f"{entry.url} is a copy for the hub's own use: get it where it comes from"
        )
    return _json(call, {"@context": entry.body})


def delete(call: Call) -> Response:
    """Delete an @context, or fetch it anew (6.30.3.2)."""
    name = call.path["context"]
    if not name:
        raise BadRequestData("the path names no @context")
    if flag(call, "reload"):
        call.broker.contexts.reload(name, _tenant(call))
    else:
        call.broker.contexts.delete(name, _tenant(call))
    return Response(status_code=204)


def _tenant(call: Call) -> str:
    # Who asks for @contexts need not have entities: a tenant that is not there has none.
    return call.request.headers.get("ngsild-tenant", "")


def _json(call: Call, content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type=call.media)


def _url(call: Call, entry: Entry) -> str:
    return entry.url or f"{call.request.url.scheme}://{call.request.url.netloc}{PATH}{entry.id}"


def _about(call: Call, entry: Entry) -> dict[str, Any]:
    """Return what clause 5.13.3.5 lists."""
    content: dict[str, Any] = {
        "URL": _url(call, entry),
        "localId": entry.id,
        "kind": entry.kind,
        "createdAt": format_ns(entry.created_ns),
    }
    if entry.used_ns is not None:
        content["lastUsage"] = format_ns(entry.used_ns)
    if entry.expires_ns is not None:
        content["expiresAt"] = format_ns(entry.expires_ns)
    if entry.kind is Kind.CACHED:
        content["extraInfo"] = f"used {entry.hits} times"
    else:
        content["numberOfHits"] = entry.hits
    return content


def _routes() -> Iterator[list[Route]]:
    every, one = "/jsonldContexts", "/jsonldContexts/{context:path}"
    yield route(every, "POST", add, Operation(Act.WRITE, (JSON, JSON_LD), creates=True, whole=True))
    yield route(every, "GET", listed, Operation(Act.READ, parameters=("details", "kind")))
    yield route(one, "GET", serve, Operation(Act.READ, parameters=("details",)))
    yield route(one, "DELETE", delete, Operation(Act.WRITE, parameters=("reload",), whole=True))


ROUTES: Final[list[Route]] = [one for several in _routes() for one in several]
