"""The web application: REST, the live stream, metrics and the page, with one set of rules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from citytwin.errors import CityTwinError, StoreError
from citytwin_hub.access import AccessError
from citytwin_hub.apis import (
    controls,
    graph,
    identity,
    importing,
    inventory,
    live,
    login,
    loose_ends,
    rest,
    scenarios,
    versions,
)
from citytwin_hub.apis.admitting import ApiError
from citytwin_hub.apis.city import City
from citytwin_hub.command_checks import CommandRefused
from citytwin_hub.configs import ConfigRefused
from citytwin_hub.messages import reason_text
from citytwin_protos.config_order import CONFIG_BYTES_MAX

BODY_BYTES_MAX: Final = 64 * 1024
CONFIG_BODY_BYTES_MAX: Final = 2 * CONFIG_BYTES_MAX
"""A gateway's configuration as JSON, which may take two bytes for one."""
PRUNE_BODY_BYTES_MAX: Final = 4 * 2**20
"""Identifiers of at most 2,048 characters each."""
PAGE: Final = Path(__file__).parent.parent / "web" / "dist"
HEADERS: Final = {
    # The map makes its worker and its images from blobs; everything else is the page's own.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
NO_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>CityTwin</title>
<p>The page has not been built here. Run <code>make web</code>, then start the hub again."""


def build_app(city: City, metrics: Callable[[], bytes], page: Path = PAGE) -> FastAPI:
    """Return the application on a city."""
    # FastAPI's own documentation pages load their scripts from elsewhere; ours must not.
    app = FastAPI(
        title="CityTwin hub",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.city, app.state.clients = city, live.Clients()
    city.commands.watch(app.state.clients.command)
    app.state.feasibility = OrderedDict()
    app.include_router(rest.router)
    app.include_router(controls.router)
    app.include_router(versions.router)
    app.include_router(graph.router)
    app.include_router(identity.router)
    app.include_router(importing.router)
    app.include_router(inventory.router)
    app.include_router(loose_ends.router)
    app.include_router(scenarios.router)
    app.include_router(live.router)
    app.include_router(login.router)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)
    app.middleware("http")(_guard)
    for kind in (CityTwinError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _problem)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/metrics", include_in_schema=False)
    async def metrics_text() -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4")

    @app.get("/api/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_docs_page(app))

    if (page / "index.html").exists():
        app.mount("/", StaticFiles(directory=page, html=True))
    else:

        @app.get("/", include_in_schema=False)
        async def no_page() -> HTMLResponse:
            return HTMLResponse(NO_PAGE, 503)

    return app


async def _guard(request: Request, follow: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse bodies that are too large before they are read, and set the headers."""
    length = request.headers.get("content-length", "0")
    chunked = "chunked" in request.headers.get("transfer-encoding", "").lower()
    if chunked or not length.isdigit():
        response: Response = _error(411, "a body needs its Content-Length")
    elif int(length) > (most := _bytes_max(request.url.path)):
        response = _error(413, f"a body has at most {most} bytes")
    else:
        response = await follow(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _bytes_max(path: str) -> int:
    if path == importing.PATH:
        return importing.BODY_BYTES_MAX
    holds_config = path.startswith("/api/v1/gateways/") and path.endswith("/config")
    if holds_config:
        return CONFIG_BODY_BYTES_MAX
    return PRUNE_BODY_BYTES_MAX if path in importing.LISTS else BODY_BYTES_MAX


async def _problem(_request: Request, error: Exception) -> Response:
    if isinstance(error, AccessError):
        return _error(error.status, str(error))
    if isinstance(error, ApiError | CommandRefused | ConfigRefused):
        return _error(error.status, str(error), error.field)
    if isinstance(error, StoreError):
        return _error(503, str(error))
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return _error(422, f"the body is not JSON: {first['ctx']['error']}")
        where = ".".join(str(part) for part in first["loc"][1:])
        return _error(422, f"{where or 'the body'}: {first['msg']}", where)
    if isinstance(error, HTTPException):
        return _error(error.status_code, str(error.detail))
    return _error(500, str(error))


def _error(status: int, message: str, field: str = "") -> JSONResponse:
    body: dict[str, Any] = {"code": status, "message": message, "text": reason_text(message)}
    if field:
        body["field"] = field
    return JSONResponse({"error": body}, status)


def _docs_page(app: FastAPI) -> str:
    """Return the routes as one small page that needs nothing from elsewhere."""
    described = app.openapi()
    rows = "".join(_docs_rows(described["paths"].items()))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>CityTwin API</title>'
        "<style>body{font:15px sans-serif;max-width:60em;margin:2em auto}td{padding:.3em 1em}"
        "</style><h1>CityTwin API</h1><p>Machine-readable: "
        '<a href="openapi.json">openapi.json</a>. Every route wants '
        "<code>Authorization: Bearer TOKEN</code>.</p><table>"
        f"{rows}<tr><td>WS</td><td><code>/api/v1/live</code></td><td>The live stream.</td></tr>"
        "</table></html>"
    )


def _docs_rows(paths: Iterable[tuple[str, dict[str, Any]]]) -> Iterable[str]:
    for path, methods in paths:
        for method, described in methods.items():
            words = described.get("description", "")
            yield (
                f"<tr><td>{method.upper()}</td><td><code>{path}</code></td><td>{words}</td></tr>"
            )
