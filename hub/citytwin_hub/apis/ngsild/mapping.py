"""Mapping: EntityMaps over HTTP, and queries that keep to one (clauses 5.5.14, 5.14, 6.32 to 6.35).

The header ``NGSILD-EntityMap`` names one in both directions: a query that refers to a map finds the
entities of the map only, in its order; one that is gone is replaced by a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, unquote

from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild.calls import JSON, JSON_LD, MERGE_PATCH, Call, Operation, route
from citytwin_hub.apis.ngsild.fields import object_in
from citytwin_hub.apis.ngsild.members import read_moment
from citytwin_hub.entities.durations import Duration
from citytwin_hub.entities.entity_maps import EntityMap
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.uris import is_uri
from citytwin_hub.policy.grants import Act

PATH: Final = "/ngsi-ld/v1/entityMaps"
HEADER: Final = "NGSILD-EntityMap"
KIND: Final = "EntityMap"
HERE: Final = "@none"
"""What a map says of an entity that this hub itself has."""


class Mapped:
    """The map that one request keeps to, if it asks for any.

    Attributes:
        known: the map that it refers to and that lives.
        is_wanted: whether a new one is to be made.
    """

    def __init__(self, call: Call, *, wanted: bool, life: Duration | None) -> None:
        """Look at what a request says.

        Args:
            call: the request, with its header.
            wanted: its parameter ``entityMap``.
            life: its parameter ``entityMapLifetime``.
        """
        self._maps = call.tenant.maps
        given = call.request.headers.get(HEADER)
        self.known: EntityMap | None = None
        if given is not None:
            self.known = self._maps.look(unquote(given.rpartition("/")[2]))
        self.is_wanted = self.known is None and (wanted or given is not None)
        self._life_ns = _life_ns(call, life)
        self._made: EntityMap | None = None

    def create(self, ids: Iterable[str]) -> None:
        """Make the new one."""
        self._made = self._maps.create(ids, self._life_ns)

    def of_one(self, entity_id: str, response: Response) -> Response:
        """Say in the answer with one entity which map has it; a new one has it alone."""
        if self.is_wanted:
            self.create([entity_id])
        return self.tell(response)

    def prune(self, gone: list[str]) -> None:
        """Take what no longer fits out of the known one."""
        if self.known is not None and gone:
            self._maps.prune(self.known, gone)

    def tell(self, response: Response, *, status: int | None = None) -> Response:
        """Say in an answer which map it keeps to; ``status`` where one was made."""
        used = self.known or self._made
        if used is not None:
            response.headers[HEADER] = f"{PATH}/{quote(used.id, safe=':')}"
        if self._made is not None and status is not None:
            response.status_code = status
        return response


def retrieve(call: Call) -> Response:
    """Give a map (6.32.3.1)."""
    return call.answer(_written(call.tenant.maps.get(_id(call))))


def update(call: Call) -> Response:
    """Let a map live longer or shorter (6.32.3.2); all else is only the hub's to say."""
    given = object_in(call.document, "the body")
    wanted = _id(call)
    call.tenant.maps.get(wanted)
    if "expiresAt" in given:
        call.tenant.maps.extend(wanted, read_moment(given["expiresAt"], "expiresAt", bounded=True))
    return Response(status_code=204)


def delete(call: Call) -> Response:
    """Drop a map (6.32.3.3)."""
    call.tenant.maps.delete(_id(call))
    return Response(status_code=204)


def created(call: Call, life: Duration | None, ids: Iterable[str]) -> Response:
    """Make a map of what a query found, and give it without the entities (6.34.3.1, 6.35.3.1)."""
    made = call.tenant.maps.create(ids, _life_ns(call, life))
    headers = {HEADER: f"{PATH}/{quote(made.id, safe=':')}"}
    return call.answer(_written(made), 201, headers=headers)


def _written(one: EntityMap) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": KIND,
        "expiresAt": format_ns(one.expires_ns),
        "entityMap": {entity_id: [HERE] for entity_id in list(one.entities)},
    }


def _life_ns(call: Call, life: Duration | None) -> int | None:
    if life is None:
        return None
    now_ns = call.broker.clock.now_ns()
    return life.start(now_ns, 1) - now_ns


def _id(call: Call) -> str:
    found: str = call.path["map"]
    if not is_uri(found):
        raise BadRequestData(f"{found[:80]!r} is not a URI, so it names no EntityMap")
    return found


def _routes() -> Iterator[list[Route]]:
    one = "/entityMaps/{map:some}"
    yield route(one, "GET", retrieve, Operation(Act.READ))
    yield route(one, "PATCH", update, Operation(Act.READ, (JSON, JSON_LD, MERGE_PATCH)))
    yield route(one, "DELETE", delete, Operation(Act.READ))


ROUTES: Final[list[Route]] = [one for several in _routes() for one in several]
