"""JSON Schemas of the answers of the OGC APIs; they mean the same in OpenAPI 3.0 and 3.1."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_LINKS: Final[Schema] = {"type": "array", "items": {"$ref": "#/components/schemas/Link"}}


def _object(required: str, **properties: Any) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


def _list_of(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


SCHEMAS: Final[dict[str, Schema]] = {
    "ProblemDetails": _object(
        "type title status", type=_TEXT, title=_TEXT, detail=_TEXT, status={"type": "integer"}
    ),
    "Link": _object("href rel", href=_TEXT, rel=_TEXT, type=_TEXT, title=_TEXT),
    "Landing": _object("links", title=_TEXT, description=_TEXT, links=_LINKS),
    "Conformance": _object("conformsTo", conformsTo={"type": "array", "items": _TEXT}),
    "Collections": _object("collections links", collections=_list_of("Collection"), links=_LINKS),
    "Collection": _object(
        "id links",
        id=_TEXT,
        title=_TEXT,
        description=_TEXT,
        itemType=_TEXT,
        extent={"type": "object"},
        crs={"type": "array", "items": _TEXT},
        storageCrs=_TEXT,
        links=_LINKS,
    ),
    "Queryables": _object("type properties", type=_TEXT, properties={"type": "object"}),
    "Feature": _object(
        "type id geometry properties",
        type={"type": "string", "enum": ["Feature"]},
        id=_TEXT,
        geometry={},
        properties={"type": "object"},
        links=_LINKS,
    ),
    "FeatureCollection": _object(
        "type features",
        type={"type": "string", "enum": ["FeatureCollection"]},
        features=_list_of("Feature"),
        numberReturned={"type": "integer", "minimum": 0},
        numberMatched={"type": "integer", "minimum": 0},
        timeStamp={"type": "string", "format": "date-time"},
        links=_LINKS,
    ),
    "TileJSON": _object(
        "tilejson tiles vector_layers",
        tilejson=_TEXT,
        tiles={"type": "array", "items": _TEXT, "minItems": 1},
        vector_layers={"type": "array", "items": {"type": "object"}},
        minzoom={"type": "integer"},
        maxzoom={"type": "integer"},
    ),
    "Thing": _object(
        "@context id title security securityDefinitions properties",
        id=_TEXT,
        title=_TEXT,
        properties={"type": "object"},
    ),
    "Things": _list_of("Thing"),
    "ThingValue": _object("value time quality", value={}, time={}, quality=_TEXT),
    "ThingValues": {
        "type": "object",
        "additionalProperties": {"$ref": "#/components/schemas/ThingValue"},
    },
    "OpenAPI": {"type": "object", "required": ["openapi", "info", "paths"]},
}
