"""Call: one NGSI-LD request, read and checked, and the answers to it.

What ETSI GS CIM 009, clause 6.3, asks of every operation is done here once: who may, which tenant,
which media types, which @context, which parameters, and errors as problem details (RFC 9457).
A route is a function of a ``Call`` that returns a ``Response``; it runs on a thread of its own,
since it reads files and may wait for an @context.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from citytwin.errors import CityTwinError, StoreError
from citytwin_hub.access import AccessError
from citytwin_hub.apis.ngsild.negotiation import choose
from citytwin_hub.apis.personal import Told
from citytwin_hub.entities.errors import (
    BadRequestData,
    EntityError,
    InternalError,
    InvalidRequest,
    OperationNotSupported,
    ResourceNotFound,
)
from citytwin_hub.jsonld.context import Context
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.permit import Permit

if TYPE_CHECKING:
    # A broker sends notifications, which are made of what is here.
    from citytwin_hub.apis.ngsild.broker import Broker, Tenant

JSON: Final = "application/json"
JSON_LD: Final = "application/ld+json"
GEO_JSON: Final = "application/geo+json"
MERGE_PATCH: Final = "application/merge-patch+json"
SNAPSHOT: Final = "NGSILD-Snapshot"
"""The header that names the snapshot whose entities are meant."""
PROBLEM: Final = "application/problem+json"
CONTEXT_REL: Final = "http://www.w3.org/ns/json-ld#context"
BODY_BYTES_MAX: Final = 32 * 1024 * 1024
"""A batch of ten thousand entities of ten attributes takes about ten megabytes."""

_LINK: Final = re.compile(r"<([^>]*)>([^<]*)")
_encode: Final = msgspec.json.Encoder().encode


class _Some(PathConvertor):
    """A part of a path as ``path``, but never empty: ``attrs/`` names no attribute."""

    regex = ".+"


register_url_convertor("some", _Some())


class Refused(CityTwinError):
    """An answer without a body that clause 6.3.4 wants: 406, 411, 413, 415."""

    def __init__(self, status: int) -> None:
        """Answer with a status alone."""
        super().__init__(f"status {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Operation:
    """How a route is guarded.

    Attributes:
        act: what the caller must be allowed to do, on something at least.
        takes: media types of the body; empty: it has none.
        gives: media types of the answer, the preferred one first.
        parameters: the query parameters that there are; another is refused (clause 6.3.20).
        creates: whether a tenant that is not there is made.
        in_snapshots: whether it is possible on the entities of a snapshot, too.
        whole: whether the act must be allowed on everything.
        is_quick: whether it looks up one row, which costs less than handing it to a thread.
    """

    act: Act
    takes: Collection[str] = ()
    gives: Sequence[str] = (JSON, JSON_LD)
    parameters: Collection[str] = ()
    creates: bool = False
    in_snapshots: bool = False
    whole: bool = False
    is_quick: bool = False


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        request: Starlette's.
        broker: what the routes stand on.
        operation: how the route is guarded.
        media: the media type of the answer.
        body: the body's bytes; empty without one.
        sent: the body's media type; empty without one.
        permit: what the caller may do.
    """

    request: Request
    broker: Broker
    operation: Operation
    media: str
    body: bytes
    sent: str
    permit: Permit

    @cached_property
    def tenant(self) -> Tenant:
        """Whose entities; made where the operation creates. Of a snapshot, where one is named.

        Raises:
            BadRequestData, NonexistentTenant, TooManyResults: see ``Broker.tenant``.
            ResourceNotFound: there is no such snapshot (clause 6.3.22).
            OperationNotSupported: it is none that a snapshot has.
        """
        name = self.request.headers.get("ngsild-tenant", "")
        if not self.is_of_snapshot:
            tenant = self.broker.tenant(name, create=self.operation.creates)
            return self.broker.seen(tenant, self.permit)
        if not self.operation.in_snapshots:
            raise OperationNotSupported(
                f"{self.request.url.path} is not of a snapshot: ask without {SNAPSHOT}"
            )
        tenant = self.broker.tenant(name)
        entities = tenant.snapshots.use(self.request.headers[SNAPSHOT])
        tenant = replace(tenant, entities=entities, is_branch=True)
        return self.broker.seen(tenant, self.permit)

    @property
    def is_of_snapshot(self) -> bool:
        """Whether the entities of a snapshot are meant."""
        return SNAPSHOT in self.request.headers

    @cached_property
    def told(self) -> Told:
        """The names of the answer."""
        return Told(self.context, self.permit)

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the path that stand for something."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return self.request.query_params

    @cached_property
    def document(self) -> Any:
        """The body as JSON.

        Raises:
            InvalidRequest: it is not JSON, or there is none.
        """
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise InvalidRequest(f"the body is not JSON: {error}") from None

    @cached_property
    def linked(self) -> str | None:
        """The @context of the Link header; None where there is none.

        Raises:
            BadRequestData: there are several.
        """
        found = [
            url
            for header in self.request.headers.getlist("link")
            for url, rest in _LINK.findall(header)
            if CONTEXT_REL in rest
        ]
        if len(found) > 1:
            raise BadRequestData("there are several Link headers with an @context; give one")
        return found[0] if found else None

    @cached_property
    def context(self) -> Context:
        """What the names in this request mean (clause 6.3.5); of a batch see ``context_of``.

        Raises:
            BadRequestData: an @context is given where it may not be, or missing.
            LdContextNotAvailable: it is not to be had.
        """
        if self.sent == JSON_LD and isinstance(self.document, dict):
            return self.context_of(self.document)
        if isinstance(self.document if self.sent else None, dict) and "@context" in self.document:
            raise BadRequestData(
                f"a body of {self.sent} has no @context; send it as {JSON_LD}, or name the "
                "@context in a Link header"
            )
        return self.resolve(self.linked)

    @cached_property
    def _of_link(self) -> Context:
        return self.resolve(self.linked)

    def context_of(self, document: Mapping[str, Any]) -> Context:
        """Return what the names in a document of this request mean: a whole body, or one entity."""
        if self.sent != JSON_LD:
            if "@context" in document:
                raise BadRequestData(f"{self.sent} has no @context; send {JSON_LD}")
            return self._of_link
        if self.linked is not None:
            raise BadRequestData(f"{JSON_LD} takes its @context from the body, not from a Link")
        if "@context" not in document:
            raise BadRequestData(f"a body of {JSON_LD} needs an @context")
        return self.resolve(document["@context"])

    @property
    def is_known(self) -> bool:
        """Whether tenant and @context of a request without a body are in memory: nothing waits."""
        headers = self.request.headers
        if "ngsild-tenant" in headers or "ngsild-snapshot" in headers:
            return False
        return "link" not in headers or self.broker.contexts.find(self.linked) is not None

    def resolve(self, given: Any) -> Context:
        """Return the context that is given; the core context for None."""
        tenant = self.request.headers.get("ngsild-tenant", "")
        return self.broker.contexts.resolve(given, tenant)

    def answer(
        self,
        content: Any,
        status: int = 200,
        *,
        context: Context | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return JSON with its @context: in the body of JSON-LD, else in a Link (6.3.6)."""
        if "told" in self.__dict__:
            self.told.note(self.broker.door, self.request, content)
        context = context or self.context
        out = dict(headers or {})
        if self.media == JSON_LD:
            content = _with_context(content, context.reference)
        else:
            tenant = self.request.headers.get("ngsild-tenant", "")
            out["Link"] = context_link(self.broker.contexts.link(context, tenant))
        return Response(_encode(content), status, out, self.media)


def context_link(url: str) -> str:
    """Return a Link header's value that leads to an @context."""
    return f'<{url}>; rel="{CONTEXT_REL}"; type="{JSON_LD}"'


def _with_context(content: Any, reference: Any) -> Any:
    if isinstance(content, list):
        return [_with_context(one, reference) for one in content]
    if isinstance(content, dict):
        return content | {"@context": reference}
    return content


class Operated(Route):
    """A route that knows its operation: the document of the API is made of it."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Any],
        method: str,
        do: Callable[[Call], Response],
        operation: Operation,
    ) -> None:
        """Take what Starlette calls, and what it does."""
        super().__init__(path, endpoint, methods=[method], include_in_schema=False)
        self.method, self.do, self.operation = method, do, operation


def route(
    path: str, method: str, do: Callable[[Call], Response], operation: Operation
) -> list[Route]:
    """Return an operation as routes: with and without a slash at the end."""

    async def endpoint(request: Request) -> Response:
        headers = {}
        for name in ("NGSILD-Tenant", SNAPSHOT):
            if name in request.headers:
                headers[name] = request.headers[name]
        try:
            response = await _called(request, do, operation)
        except (CityTwinError, RecursionError) as error:
            response = problem(error)
        response.headers.update(headers)
        return response

    paths = (path, path + "/")
    return [Operated(one, endpoint, method, do, operation) for one in paths]


async def _called(
    request: Request, do: Callable[[Call], Response], operation: Operation
) -> Response:
    body, sent = b"", ""
    if operation.takes:
        body, sent = await _body(request, operation)
    broker: Broker = request.app.state.ngsild
    in_snapshot = operation.in_snapshots and SNAPSHOT in request.headers
    act = Act.PLAN if in_snapshot and operation.act is Act.WRITE else operation.act
    permit = broker.door.admit(request, act, whole=operation.whole)
    media = negotiate(request.headers.get("accept", ""), operation.gives)
    unknown = set(request.query_params) - set(operation.parameters)
    if unknown:
        raise InvalidRequest(
            f"{min(unknown)!r} is not a parameter of this operation; it has "
            f"{', '.join(sorted(operation.parameters)) or 'none'}"
        )

    call = Call(request, broker, operation, media, body, sent, permit)
    if operation.is_quick and not request.query_params and call.is_known:
        return do(call)
    if operation.act is Act.READ:
        return await run_in_threadpool(do, call)
    return await run_in_threadpool(_recorded, do, call, act)


def _recorded(do: Callable[[Call], Response], call: Call, act: Act) -> Response:
    """Do what changes something once it is written down that it is done."""
    call.broker.door.record(call.request, call.permit, act)
    return do(call)


async def _body(request: Request, operation: Operation) -> tuple[bytes, str]:
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise Refused(411)
    if int(length) > BODY_BYTES_MAX:
        raise Refused(413)
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in operation.takes:
        raise Refused(415)
    return await request.body(), sent


def negotiate(accept: str, gives: Sequence[str]) -> str:
    """Return the media type that an Accept header wants most; without one the first (6.3.4).

    Raises:
        Refused: 406, where none will do.
    """
    media = choose(accept, gives)
    if media is None:
        raise Refused(406)
    return media


def problem(error: BaseException, status: int = 0) -> Response:
    """Return an error as problem details (clauses 5.5.3 and 6.3.3); its own status for 0."""
    if isinstance(error, Refused):
        return Response(status_code=error.status)
    if isinstance(error, AccessError):
        own, kind, title = error.status, "about:blank", "access is refused"
    elif isinstance(error, EntityError):
        own, kind, title = error.status, error.type, error.title
    elif isinstance(error, RecursionError):
        own, kind, title = 400, BadRequestData("").type, BadRequestData.title
    else:
        own = 503 if isinstance(error, StoreError) else 500
        kind, title = InternalError("").type, InternalError.title
    status = status or own
    details = {"type": kind, "title": title, "detail": str(error), "status": status}
    return Response(_encode(details), status, media_type=PROBLEM)


def not_served(request: Request, error: Exception, hint: str = "") -> Response:
    """Return problem details of what no route serves; ``hint`` goes on where nothing is there."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    told: EntityError = (
        ResourceNotFound(f"there is nothing at {request.url.path}{hint}")
        if status == 404
        else OperationNotSupported(f"{request.method} is not possible at {request.url.path}")
    )
    return problem(told, status)


def error_body(error: EntityError) -> dict[str, Any]:
    """Return an error as it stands in the answer to a batch (clause 5.2.17)."""
    return {"type": error.type, "title": error.title, "detail": str(error), "status": error.status}
