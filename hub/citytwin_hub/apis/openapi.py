"""The document of all HTTP of the hub as OpenAPI 3.1, made of the routes themselves.

The hub's own REST is described by FastAPI; the OGC APIs, things and tiles by what their routes say
of themselves; NGSI-LD by the operations of its routes. So nothing is documented that is not there,
and tests hold that nothing is there that is not documented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from starlette.routing import Route

from citytwin_hub.apis.ngsild.calls import GEO_JSON, Operated, Operation
from citytwin_hub.apis.ogc.calls import Described
from citytwin_hub.apis.ogc.document import SECURITY, paths, problem_response
from citytwin_hub.apis.ogc.schemas import SCHEMAS
from citytwin_hub.policy.grants import Act

_CONVERTER: Final = re.compile(r"{(\w+)(?::\w+)?}")
_WITHOUT_BODY: Final = MappingProxyType(
    {
        405: "it cannot be done there",
        406: "no media type that is accepted is to be had",
        411: "a body needs its Content-Length",
        413: "the body is too large",
        415: "a body of this media type is not taken",
    }
)
_ONLY_READ: Final = MappingProxyType({406: _WITHOUT_BODY[406]})
_NUMBERS: Final = frozenset({"limit", "offset", "lastN", "joinLevel", "after"})
_FLAGS: Final = frozenset({"count", "local", "details", "deleteAll", "reload", "splitEntities"})
_TENANT: Final = {
    "name": "NGSILD-Tenant",
    "in": "header",
    "required": False,
    "description": "Whose entities (clause 6.3.14).",
    "schema": {"type": "string"},
}


def document(
    rest: Mapping[str, Any], ogc: Iterable[Described], ngsild: Iterable[Route], prefix: str
) -> dict[str, Any]:
    """Return the whole document.

    Args:
        rest: FastAPI's document of the hub's own REST.
        ogc: routes that describe themselves.
        ngsild: routes of NGSI-LD below ``prefix``; others than ``Operated`` are passed over.
        prefix: where NGSI-LD begins.
    """
    components = dict(rest.get("components", {}))
    return {
        "openapi": "3.1.0",
        "info": {"title": "CityTwin hub", "version": "1"},
        "paths": {**rest.get("paths", {}), **paths(ogc), **_operations(ngsild, prefix)},
        "components": components
        | {
            "schemas": {**components.get("schemas", {}), **SCHEMAS},
            "securitySchemes": {**components.get("securitySchemes", {}), **SECURITY},
        },
    }


def path_of(route: Operated, prefix: str) -> str:
    """Return an operation's path as OpenAPI writes it."""
    return prefix + _CONVERTER.sub(r"{\1}", route.path)


def _operations(routes: Iterable[Route], prefix: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for one in routes:
        # Each operation has a second route, with a slash at its end, that means the same.
        if isinstance(one, Operated) and not one.path.endswith("/"):
            path = path_of(one, prefix)
            found.setdefault(path, {})[one.method.lower()] = _operation(one, path)
    return found


def _operation(one: Operated, path: str) -> dict[str, Any]:
    operation = one.operation
    words = (one.do.__doc__ or "").strip().partition("\n")[0]
    parts = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    query = [
        {"name": name, "in": "query", "required": False, "schema": _schema(name)}
        for name in sorted(operation.parameters)
    ]
    told: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{one.method.lower()}{path}").strip("_"),
        "tags": ["NGSI-LD"],
        "summary": words,
        "parameters": [*parts, *query, _TENANT],
        "responses": _responses(operation),
        "security": [{"token": []}],
    }
    if operation.takes:
        schema = {"type": ["object", "array"]}
        content = {media: {"schema": schema} for media in operation.takes}
        told["requestBody"] = {"required": True, "content": content}
    return told


def _responses(operation: Operation) -> dict[str, Any]:
    done = {media: {"schema": _answer(media)} for media in operation.gives}
    responses: dict[str, Any] = {
        "200": {"description": "What was asked for.", "content": done},
        "4XX": problem_response("It was refused; the sentence says why."),
        "503": problem_response("The hub's disk refuses; try again."),
        "504": problem_response("An @context is not to be had."),
    }
    if operation.act is not Act.READ or operation.takes:
        responses |= {
            "201": {"description": "It was created; Location says where, or the body which."},
            "204": {"description": "It was done."},
            "207": {"description": "Some of it was done; the body says what and why.",
                    "content": done},
        }  # fmt: skip
    if "json" in "".join(operation.gives) and operation.act is Act.READ:
        responses["203"] = {"description": "Changed for an older version.", "content": done}
        responses["206"] = {"description": "The first part of it.", "content": done}
    statuses = _WITHOUT_BODY if operation.act is not Act.READ or operation.takes else _ONLY_READ
    responses |= {str(status): {"description": words} for status, words in statuses.items()}
    return responses


def _answer(media: str) -> dict[str, Any]:
    return {"type": "object"} if media == GEO_JSON else {"type": ["object", "array"]}


def _schema(name: str) -> dict[str, Any]:
    if name in _NUMBERS:
        return {"type": "integer", "minimum": 0}
    return {"type": "boolean"} if name in _FLAGS else {"type": "string"}
