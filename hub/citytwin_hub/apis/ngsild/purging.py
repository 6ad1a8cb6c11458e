"""Purging: deletes the entities that a query selects, or some of their attributes (5.6.21)."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild import parameters
from citytwin_hub.apis.ngsild.calls import Call, Operation, route
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.policy.grants import Act


def purge(call: Call) -> Response:
    """Delete entities, or what ``keep`` and ``drop`` say of them (6.4.3.3)."""
    given = parameters.once(call.request.query_params.multi_items())
    asked = parameters.read(given, call.context, call.media)
    keep, drop = asked.attributes("keep"), asked.attributes("drop")
    if keep is not None and drop is not None:
        raise BadRequestData("keep and drop cannot be given together: say one of them")
    # Linked entities are not retrieved here, so a query over them is refused.
    selection = parameters.query(given, call.context, call.media).selection
    names = keep or drop or frozenset[str]()
    call.tenant.entities.purge(selection.hints(), selection.matches, names, drop=drop is not None)
    return Response(status_code=204)


ROUTES: Final[list[Route]] = route(
    "/entities",
    "DELETE",
    purge,
    Operation(Act.WRITE, parameters=parameters.PURGE, in_snapshots=True),
)
