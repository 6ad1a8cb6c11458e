"""Document: the routes of the OGC APIs as OpenAPI, made of what the routes say of themselves.

OGC API - Features wants OpenAPI 3.0 (17-069r4, 9); the document of the whole hub is 3.1
(``apis/openapi.py``). Nothing here differs between them but the number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from starlette.responses import Response

from citytwin_hub.apis.ogc.calls import FEATURES, Ask, Described, Resource, answer
from citytwin_hub.apis.ogc.items import FORMAT
from citytwin_hub.apis.ogc.pages import OPENAPI
from citytwin_hub.apis.ogc.schemas import SCHEMAS

PROBLEMS: Final = {
    400: "a parameter is wrong; the sentence says which",
    401: "no token, or a wrong one",
    403: "the filter is too complex, or the token's role too small",
    404: "there is no such thing",
    406: "the answer is not to be had in the media type that is asked for",
    429: "too many wrong tokens",
    503: "the hub's disk refuses; try again",
}
_ALWAYS: Final = (400, 401, 403, 429, 503)
_CONVERTER: Final = re.compile(r"{(\w+):\w+}")
SECURITY: Final = {"token": {"type": "http", "scheme": "bearer"}}


def path_of(route: Described) -> str:
    """Return a route's path as OpenAPI writes it."""
    return _CONVERTER.sub(r"{\1}", route.path)


def paths(routes: Iterable[Described]) -> dict[str, Any]:
    """Return the Paths Object of some routes."""
    return {path_of(one): {"get": _operation(path_of(one), one.resource)} for one in routes}


def features_document(routes: Iterable[Described]) -> dict[str, Any]:
    """Return the OpenAPI 3.0 document of OGC API - Features."""
    mine = [one for one in routes if one.path.startswith(FEATURES)]
    return {
        "openapi": "3.0.3",
        "info": {"title": "CityTwin: the city as features", "version": "1"},
        "paths": paths(mine),
        "components": {"schemas": SCHEMAS, "securitySchemes": SECURITY},
        "security": [{"token": []}],
    }


def _operation(path: str, resource: Resource) -> dict[str, Any]:
    name = re.sub(r"\W+", "_", path).strip("_")
    schema = {"$ref": f"#/components/schemas/{resource.schema}"} if resource.schema else {}
    responses: dict[str, Any] = {
        "200": {
            "description": resource.summary,
            "content": {media: {"schema": schema} for media in resource.gives},
        }
    }
    if 304 in resource.fails:
        responses["304"] = {"description": "it is as the entity tag says"}
    for status in sorted({*_ALWAYS, *resource.fails} - {304}):
        responses[str(status)] = problem_response(PROBLEMS[status])
    parameters = [one.described() for one in resource.parameters]
    if resource.others:
        parameters.append(
            {
                "name": "properties",
                "in": "query",
                "description": "NAME=VALUE for any property: only features that have this value.",
                "schema": {"type": "object", "additionalProperties": {"type": "string"}},
                "style": "form",
                "explode": True,
            }
        )
    return {
        "operationId": f"get_{name}" + ("_" if path.endswith("/") else ""),
        "summary": resource.summary,
        "parameters": parameters,
        "responses": responses,
        "security": [{"token": []}],
    }


def problem_response(description: str) -> dict[str, Any]:
    """Return a Response Object of problem details."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


def describing(routes: Iterable[Described]) -> Described:
    """Return the route that gives the document of OGC API - Features."""
    content = features_document(routes)

    def api(_ask: Ask) -> Response:
        return answer(content, OPENAPI)

    resource = Resource("How this API is used.", (OPENAPI,), (FORMAT,), "OpenAPI")
    return Described(FEATURES + "/api", api, resource)
