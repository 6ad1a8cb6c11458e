"""Ask: one request to the OGC APIs, admitted and read, and the routes that take it.

A route says once what it takes and gives: the requests are checked by that, and the API's document
(``apis/openapi.py``) is made of it. Errors are problem details (RFC 9457), as NGSI-LD's are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from citytwin.errors import CityTwinError
from citytwin_hub.apis.door import what
from citytwin_hub.apis.ngsild.broker import Broker, Tenant
from citytwin_hub.apis.ngsild.calls import problem
from citytwin_hub.apis.ngsild.languages import Languages, parse
from citytwin_hub.apis.personal import note, personal_of
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest
from citytwin_hub.entities.model import Entity
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.permit import Permit

FEATURES: Final = "/ogc/features/v1"
"""Where OGC API - Features begins: part and major version, as NGSI-LD has /ngsi-ld/v1."""
JSON: Final = "application/json"
GEO_JSON: Final = "application/geo+json"
VALUE_CHARS_MAX: Final = 16_000
"""Of one query parameter: a filter with a polygon of a few hundred positions."""

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query string or of the path, as the API's document says it."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    where: str = "query"
    explode: bool = True

    def described(self) -> dict[str, Any]:
        """Return it as an OpenAPI Parameter Object."""
        told: dict[str, Any] = {
            "name": self.name,
            "in": self.where,
            "required": self.where == "path",
            "description": self.description,
            "schema": dict(self.schema),
        }
        if self.where == "query":
            told |= {"style": "form", "explode": self.explode}
        return told


@dataclass(frozen=True, slots=True)
class Resource:
    """What a route takes and gives.

    Attributes:
        summary: one sentence.
        gives: media types of the answer, the ordinary one first.
        parameters: of the query string and of the path.
        schema: JSON Schema of a JSON answer, by the name under which documents know it.
        others: whether names of properties are parameters, too.
        fails: status codes besides 200 and those that every route has.
    """

    summary: str
    gives: Sequence[str] = (JSON,)
    parameters: Sequence[Parameter] = ()
    schema: str = ""
    others: bool = False
    fails: Sequence[int] = ()


@dataclass(frozen=True)
class Ask:
    """A request (immutable)."""

    request: Request
    broker: Broker
    given: Mapping[str, str]
    permit: Permit

    @cached_property
    def tenant(self) -> Tenant:
        """Whose entities.

        Raises:
            BadRequestData, NonexistentTenant, TooManyResults: see ``Broker.tenant``.
        """
        tenant = self.broker.tenant(self.request.headers.get("ngsild-tenant", ""))
        return self.broker.seen(tenant, self.permit)

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the path that stand for something."""
        return self.request.path_params

    @cached_property
    def languages(self) -> Languages:
        """In which languages texts are wanted: ``lang``, else Accept-Language, else any."""
        header = self.request.headers.get("accept-language", "")
        if "lang" in self.given:
            return parse(self.given["lang"])
        try:
            return parse(header or "*")
        except BadRequestData:  # a browser's business, not worth a refusal
            return parse("*")

    def note(self, features: Iterable[Entity], asked: Iterable[str] = ()) -> None:
        """Write down which personal attributes of some features are about to be told.

        ``asked``: properties by which they are chosen.

        Raises:
            StoreError: it cannot be written.
        """
        personal = self.permit.rights.personal
        if not personal:
            return
        found = {one.id: some for one in features if (some := personal_of(self.permit, one))}
        iris = {iri for some in found.values() for iri in some}
        iris |= {name for name in asked if name.partition(".")[0] in personal.names}
        note(self.broker.door, self.permit, what(self.request), iris, found)

    def url(self, path: str) -> str:
        """Return the address of a path at this hub, as whoever asks calls it."""
        return str(self.request.base_url).rstrip("/") + path


def answer(
    content: Any, media: str = JSON, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return JSON."""
    return Response(_encode(content), status, headers and dict(headers), media)


def link(href: str, rel: str, media: str, title: str = "") -> dict[str, str]:
    """Return a link as the OGC APIs write it."""
    told = {"href": href, "rel": rel, "type": media}
    return told | ({"title": title} if title else {})


class Described(Route):
    """A route that knows what documents say of it."""

    def __init__(self, path: str, do: Callable[[Ask], Response], resource: Resource) -> None:
        """Take the path, what answers on a thread of its own, and what it takes and gives."""
        self.resource = resource

        async def endpoint(request: Request) -> Response:
            try:
                return await _called(request, do, resource)
            except CityTwinError as error:
                return problem(error)

        super().__init__(path, endpoint, methods=["GET"], include_in_schema=False)


async def _called(request: Request, do: Callable[[Ask], Response], resource: Resource) -> Response:
    broker: Broker = request.app.state.ngsild
    permit = broker.door.admit(request, Act.READ)
    given: dict[str, str] = {}
    known = {one.name for one in resource.parameters if one.where == "query"}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise InvalidRequest(f"{name[:80]!r} is given twice; give it once")
        if name not in known and not resource.others:
            raise InvalidRequest(
                f"{name[:80]!r} is not a parameter here; there are {', '.join(sorted(known))}"
            )
        if len(value) > VALUE_CHARS_MAX:
            raise BadRequestData(f"{name[:80]!r} has over {VALUE_CHARS_MAX} characters")
        given[name] = value
    return await run_in_threadpool(do, Ask(request, broker, given, permit))
