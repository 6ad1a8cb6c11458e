"""Snapshots over HTTP: made by queries, cloned, changed, dropped (clauses 5.16 and 6.22 of V1.9.1).

Their entities are read and written by the ordinary routes with the header ``NGSILD-Snapshot``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from msgspec.structs import replace
from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild import parameters, query_document
from citytwin_hub.apis.ngsild.asked import Asked
from citytwin_hub.apis.ngsild.calls import JSON, JSON_LD, MERGE_PATCH, Call, Operation, route
from citytwin_hub.apis.ngsild.fields import object_in, whole
from citytwin_hub.apis.ngsild.members import read_moment, read_text
from citytwin_hub.apis.ngsild.paging import cut, paged
from citytwin_hub.apis.ngsild.values import read_uri
from citytwin_hub.entities import q_parser
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.selection import EVERYTHING, Selection
from citytwin_hub.entities.snapshots import PRIORITY, Snapshot
from citytwin_hub.entities.uris import is_uri
from citytwin_hub.policy.grants import Act

PATH: Final = "/ngsi-ld/v1/snapshots"
KIND: Final = "Snapshot"
QUERIES_MAX: Final = 100
PRIORITY_MAX: Final = 100
"""The highest; the lowest is 1."""
_GIVEN: Final = frozenset({"snapshotPriority", "snapshotName", "expiresAt"})
_OURS: Final = frozenset({"id", "type", "@context"})


def create(call: Call) -> Response:
    """Make a snapshot (5.16.1)."""
    given = _document(call)
    queries = given.get("snapshotQueries")
    if not isinstance(queries, list) or not 0 < len(queries) <= QUERIES_MAX:
        raise BadRequestData(f"snapshotQueries is not an array of 1 to {QUERIES_MAX} queries")
    asked = [query_document.query(one, {}, call.context, call.media) for one in queries]
    selections = [one.selection for one in asked]

    seen = call.tenant.entities

    def choose(_entities: Entities) -> Collection[str] | None:
        if any(one == EVERYTHING for one in selections):
            return None
        return _chosen(seen, selections)

    identifier = read_uri(given["id"], "id") if "id" in given else ""
    snapshot = _changed(Snapshot(id=identifier, queries=queries), given)
    return _made(call.tenant.snapshots.create(snapshot, choose))


def _chosen(entities: Entities, selections: Sequence[Selection]) -> set[str]:
    found = set[str]()
    for one in selections:
        found |= {e.id for e in entities.select(one.hints()) if one.matches(e, entities.find)}
    return found


def clone(call: Call) -> Response:
    """Make a snapshot that is as another one is now (5.16.2)."""
    given = _document(call)
    identifier = read_uri(given["id"], "id") if "id" in given else ""
    snapshot = _changed(Snapshot(id=identifier), given)
    return _made(call.tenant.snapshots.clone(_id(call), snapshot))


def listed(call: Call) -> Response:
    """List snapshots, in pages; not of NGSI-LD, but for the operator."""
    wanted = parameters.page(Asked(values=dict(call.query), names=call.context, media=call.media))
    every = call.tenant.snapshots.all()
    return paged(call, [written(one) for one in cut(every, wanted)], wanted, len(every), PATH)


def retrieve(call: Call) -> Response:
    """Say what a snapshot says of itself (5.16.3)."""
    return call.answer(written(call.tenant.snapshots.get(_id(call)).snapshot))


def update(call: Call) -> Response:
    """Change what a snapshot says of itself (5.16.4)."""
    given = _document(call)
    unknown = given.keys() - _GIVEN - _OURS
    if unknown:
        raise BadRequestData(f"{min(unknown)} of a snapshot cannot be changed")
    changed = call.tenant.snapshots.update(_id(call), lambda one: _changed(one, given))
    return call.answer(written(changed))


def delete(call: Call) -> Response:
    """Drop a snapshot (5.16.5)."""
    call.tenant.snapshots.delete(_id(call))
    return Response(status_code=204)


def purge(call: Call) -> Response:
    """Drop the snapshots that a query over their members selects (5.16.7)."""
    text = call.query.get("q")
    if text is None:
        raise BadRequestData("purging snapshots needs q: which of them")
    query = q_parser.parse(text, call.context)
    known = {call.context.expand(one): one for one in _QUERIED}
    strange = query.attributes() - known.keys()
    if strange:
        raise BadRequestData(
            f"{call.context.compact(min(strange))!r} is no member of a snapshot; there are "
            f"{', '.join(_QUERIED)}"
        )
    for one in call.tenant.snapshots.all():
        members = written(one)
        attributes: dict[str, tuple[Attribute, ...]] = {
            iri: (Attribute(kind=AttributeKind.PROPERTY, value=members[name]),)
            for iri, name in known.items()
            if name in members
        }
        if query.matches(Entity(id=one.id, types=(KIND,), attributes=attributes), None):
            call.tenant.snapshots.delete(one.id)
    return Response(status_code=204)


def written(one: Snapshot) -> dict[str, Any]:
    """Return a snapshot as a document (5.2.41)."""
    document: dict[str, Any] = {"id": one.id, "type": KIND}
    if one.name:
        document["snapshotName"] = one.name
    document |= {
        "snapshotStatus": "failed" if one.failure else "success",
        "snapshotPriority": one.priority,
        "snapshotQueries": one.queries,
        "snapshotQueriesDetails": [{"resultStatus": "success"} for _ in one.queries],
        "createdAt": format_ns(one.created_ns),
        "modifiedAt": format_ns(one.modified_ns),
        "lastUsedAt": format_ns(one.used_ns),
    }
    if one.expires_ns is not None:
        document["expiresAt"] = format_ns(one.expires_ns)
    if one.failure:
        document["snapshotFailure"] = one.failure
    return document


_QUERIED: Final = (
    "snapshotName", "snapshotStatus", "snapshotPriority", "createdAt", "modifiedAt", "lastUsedAt",
    "expiresAt",
)  # fmt: skip


def _document(call: Call) -> dict[str, Any]:
    given = dict(object_in(call.document, "the body"))
    if given.get("type", KIND) != KIND:
        raise BadRequestData(f"the body is no {KIND}: its type must be {KIND}")
    return given


def _changed(before: Snapshot, given: dict[str, Any]) -> Snapshot:
    fields: dict[str, Any] = {}
    priority = whole(given, "snapshotPriority", 1, PRIORITY_MAX)
    if "snapshotPriority" in given:
        fields["priority"] = PRIORITY if priority is None else priority
    if "snapshotName" in given:
        fields["name"] = read_text(given["snapshotName"], "snapshotName")
    if "expiresAt" in given:
        fields["expires_ns"] = read_moment(given["expiresAt"], "expiresAt", bounded=True)
    return replace(before, **fields)


def _made(snapshot: Snapshot) -> Response:
    where = f"{PATH}/{quote(snapshot.id, safe=':')}"
    return Response(status_code=201, headers={"Location": where})


def _id(call: Call) -> str:
    found: str = call.path["snapshot"]
    if not is_uri(found):
        raise BadRequestData(f"{found[:80]!r} is not a URI, so it names no snapshot")
    return found


def _routes() -> Iterator[list[Route]]:
    every, one = "/snapshots", "/snapshots/{snapshot:some}"
    bodies, patches = (JSON, JSON_LD), (JSON, JSON_LD, MERGE_PATCH)
    # What lies below a snapshot comes before it: an identifier may have slashes.
    yield route(one + "/clone", "POST", clone, Operation(Act.PLAN, bodies))
    yield route(every, "POST", create, Operation(Act.PLAN, bodies, creates=True))
    paging = ("limit", "offset", "count")
    yield route(every, "GET", listed, Operation(Act.READ, parameters=paging))
    yield route(every, "DELETE", purge, Operation(Act.PLAN, parameters=("q",), whole=True))
    yield route(one, "GET", retrieve, Operation(Act.READ))
    yield route(one, "PATCH", update, Operation(Act.PLAN, patches))
    yield route(one, "DELETE", delete, Operation(Act.PLAN))


ROUTES: Final[list[Route]] = [one for several in _routes() for one in several]
