"""The application of the OGC APIs: features, tiles and exports of the entities; reading only."""

from __future__ import annotations

from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from citytwin_hub.apis import things
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.ngsild.calls import problem
from citytwin_hub.apis.ogc import exporting, items, pages, tiles
from citytwin_hub.apis.ogc.calls import FEATURES, Described
from citytwin_hub.apis.ogc.document import describing
from citytwin_hub.apis.things import Devices
from citytwin_hub.entities.errors import EntityError, OperationNotSupported, ResourceNotFound

PREFIXES: Final = ("/ogc/", "/tiles/", "/things")
_SERVED: Final[list[Described]] = [
    *pages.ROUTES,
    *items.ROUTES,
    *exporting.ROUTES,
    *tiles.ROUTES,
    *things.ROUTES,
]
ROUTES: Final[list[Described]] = [*_SERVED, describing(_SERVED)]


def build_ogc(broker: Broker, devices: Devices) -> Starlette:
    """Return the application on a broker, and on what things are made of."""
    app = Starlette(routes=ROUTES, exception_handlers={HTTPException: _http_problem})
    app.state.devices = devices
    app.router.redirect_slashes = False
    app.state.ngsild, app.state.tiles = broker, tiles.Cache()
    return app


async def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    told: EntityError = (
        ResourceNotFound(f"there is nothing at {request.url.path}; features are at {FEATURES}")
        if status == 404
        else OperationNotSupported(f"{request.method} is not possible at {request.url.path}")
    )
    return problem(told, status)
