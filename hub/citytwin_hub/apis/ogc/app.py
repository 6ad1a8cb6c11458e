"""The application of the OGC APIs: features, tiles and exports of the entities; reading only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis import things
from citytwin_hub.apis.ngsild.app import PREFIX
from citytwin_hub.apis.ngsild.app import ROUTES as NGSILD_ROUTES
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.ngsild.calls import not_served
from citytwin_hub.apis.ogc import exporting, items, pages, tiles
from citytwin_hub.apis.ogc.calls import FEATURES, Described
from citytwin_hub.apis.ogc.document import describing
from citytwin_hub.apis.openapi import document
from citytwin_hub.apis.things import Devices

PREFIXES: Final = ("/ogc/features", "/tiles/", "/things", "/openapi.json")
_SERVED: Final[list[Described]] = [
    *pages.ROUTES,
    *items.ROUTES,
    *exporting.ROUTES,
    *tiles.ROUTES,
    *things.ROUTES,
]
encode: Final = msgspec.json.Encoder().encode
ROUTES: Final[list[Described]] = [*_SERVED, describing(_SERVED)]


def build_ogc(
    broker: Broker, devices: Devices, rest: Callable[[], dict[str, Any]] = dict
) -> Starlette:
    """Return the application.

    Args:
        broker: whose entities.
        devices: what things are made of.
        rest: gives the OpenAPI document of the hub's own REST.
    """
    told = functools.cache(lambda: encode(document(rest(), ROUTES, NGSILD_ROUTES, PREFIX)))

    async def whole(_request: Request) -> Response:
        return Response(told(), media_type="application/json")

    routes = [*ROUTES, Route("/openapi.json", whole)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_problem})
    app.state.devices = devices
    app.router.redirect_slashes = False
    app.state.ngsild, app.state.tiles = broker, tiles.Cache()
    return app


async def _http_problem(request: Request, error: Exception) -> Response:
    return not_served(request, error, f"; features are at {FEATURES}")
