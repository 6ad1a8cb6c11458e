"""The NGSI-LD application: every route below /ngsi-ld/v1, apart from the hub's own REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from citytwin_hub.apis.ngsild import (
    batch,
    consumption,
    contexts,
    discovery,
    mapping,
    provision,
    purging,
    registrations,
    snapshots,
    subscriptions,
    temporal,
)
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.ngsild.calls import not_served

PREFIX: Final = "/ngsi-ld/v1"
# /entities/ is to be purged, not to be deleted as the entity without a name: purging comes first.
ROUTES: Final[list[Route]] = [
    *batch.ROUTES, *consumption.ROUTES, *contexts.ROUTES, *discovery.ROUTES, *mapping.ROUTES,
    *purging.ROUTES,
    *provision.ROUTES, *registrations.ROUTES, *snapshots.ROUTES,
    *subscriptions.ROUTES, *temporal.ROUTES,
]  # fmt: skip


def build_ngsild(broker: Broker) -> Starlette:
    """Return the application on a broker."""
    app = Starlette(
        routes=[Mount(PREFIX, routes=ROUTES)],
        exception_handlers={HTTPException: _http_problem},
    )
    app.router.redirect_slashes = False
    app.state.ngsild = broker
    return app


async def _http_problem(request: Request, error: Exception) -> Response:
    return not_served(request, error)


class ByPath:
    """An ASGI application that hands each request to one of several, by the path's beginning."""

    def __init__(self, otherwise: ASGIApp, by_path: Mapping[str, ASGIApp]) -> None:
        """Take applications by their prefix, and one for all else."""
        self._otherwise, self._by_path = otherwise, dict(by_path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        app = self._otherwise
        if scope["type"] == "http":
            for prefix, other in self._by_path.items():
                if scope["path"].startswith(prefix):
                    app = other
        await app(scope, receive, send)
