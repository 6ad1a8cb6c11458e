"""Pages: what there is: landing page, conformance, collections and queryables.

OGC API - Features - Part 1 (17-069r4, 7.2 to 7.14), Part 2 (18-058r1, 6.2) and Part 3
(19-079r2, 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote
from weakref import WeakKeyDictionary

from starlette.responses import Response

from citytwin.batch import SECOND_NS
from citytwin_hub.apis.ogc import crs
from citytwin_hub.apis.ogc.calls import (
    FEATURES,
    GEO_JSON,
    JSON,
    Ask,
    Described,
    Resource,
    answer,
    link,
)
from citytwin_hub.apis.ogc.features import LOCATION
from citytwin_hub.apis.ogc.items import COLLECTION, FORMAT
from citytwin_hub.apis.ogc.naming import collections, short, type_of
from citytwin_hub.apis.ogc.selecting import LANG, queryables
from citytwin_hub.entities.store import EntityStore

OPENAPI: Final = "application/vnd.oai.openapi+json;version=3.0"
SCHEMA: Final = "application/schema+json"
_PART: Final = "http://www.opengis.net/spec/ogcapi-features-{}/1.0/conf/"
_CQL2: Final = "http://www.opengis.net/spec/cql2/1.0/conf/"
EXTENT_NS_MAX: Final = 60 * SECOND_NS
"""How old an extent may be: at 100,000 features it takes a tenth of a second."""

Extents: TypeAlias = Mapping[str, tuple[float, float, float, float]]
_known_extents: WeakKeyDictionary[EntityStore, tuple[int, Extents]] = WeakKeyDictionary()

CLASSES: Final = (
    *(_PART.format(1) + name for name in ("core", "oas30", "geojson")),
    _PART.format(2) + "crs",
    *(
        _PART.format(3) + name
        for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")
    ),
    *(
        _CQL2 + name
        for name in (
            "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators",
            "case-insensitive-comparison", "basic-spatial-functions", "spatial-functions",
        )
    ),
)  # fmt: skip


def landing(ask: Ask) -> Response:
    """Return where everything is."""
    here = ask.url(FEATURES)
    return answer(
        {
            "title": "CityTwin: the city as features",
            "description": "Every entity of the twin, by its type; read only.",
            "links": [
                link(here, "self", JSON),
                link(f"{here}/api", "service-desc", OPENAPI, "How this API is used"),
                link(f"{here}/conformance", "conformance", JSON),
                link(f"{here}/collections", "data", JSON, "The collections"),
            ],
        }
    )


def conformance(_ask: Ask) -> Response:
    """Return which requirements are met."""
    return answer({"conformsTo": CLASSES})


def all_collections(ask: Ask) -> Response:
    """Return every collection."""
    listed = collections(ask.tenant.entities.store.types())
    return answer(
        {
            "collections": [_described(ask, name, iri) for name, iri in listed.items()],
            "links": [link(ask.url(f"{FEATURES}/collections"), "self", JSON)],
        }
    )


def collection(ask: Ask) -> Response:
    """Return one collection."""
    name = ask.path["collection"]
    return answer(_described(ask, name, type_of(name, ask.tenant.entities.store.types())))


def queryables_of(ask: Ask) -> Response:
    """Return by which properties features can be filtered, as a JSON Schema."""
    name = ask.path["collection"]
    iri = type_of(name, ask.tenant.entities.store.types())
    properties: dict[str, Any] = {
        "id": {"type": "string", "format": "uri", "x-ogc-role": "id"},
        "geometry": {"format": "geometry-any", "x-ogc-role": "primary-geometry"},
    }
    for one, types in sorted(queryables(ask, iri).items()):
        properties[one] = _schema(types)
    return answer(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": ask.url(f"{FEATURES}/collections/{quote(name)}/queryables"),
            "type": "object",
            "title": short(iri),
            "properties": properties,
            # What few features have may be asked for without being listed here.
            "additionalProperties": True,
        },
        SCHEMA,
    )


def _schema(types: set[str]) -> Mapping[str, Any]:
    some = sorted(types - {"null"})
    return {"type": some[0]} if len(some) == 1 else {}


def _described(ask: Ask, name: str, iri: str) -> dict[str, Any]:
    here = ask.url(f"{FEATURES}/collections/{quote(name)}")
    box = extents(ask).get(iri)
    extent = {} if box is None else {"extent": {"spatial": {"bbox": [box], "crs": crs.CRS84}}}
    return extent | {
        "id": name,
        "title": short(iri),
        "description": iri,
        "itemType": "feature",
        "crs": crs.ALL,
        "storageCrs": crs.CRS84,
        "links": [
            link(here, "self", JSON),
            link(f"{here}/items", "items", GEO_JSON),
            link(f"{here}/queryables", "http://www.opengis.net/def/rel/ogc/1.0/queryables", SCHEMA),
            link(ask.url(f"/tiles/{quote(name)}"), "tilejson", JSON, "As vector tiles"),
            link(f"{here}/export?f=csv", "enclosure", "text/csv", "As one table"),
        ],
    }


def extents(ask: Ask) -> Extents:
    """Return where the features of each type are: a thing to zoom to, at most a minute old."""
    store, now_ns = ask.tenant.entities.store, ask.broker.clock.monotonic_ns()
    known = _known_extents.get(store)
    if known is None or now_ns - known[0] >= EXTENT_NS_MAX:
        known = _known_extents[store] = (now_ns, store.extents(LOCATION))
    return known[1]


ROUTES: Final = [
    Described(
        FEATURES, landing, Resource("Where everything is.", parameters=(FORMAT,), schema="Landing")
    ),
    Described(FEATURES + "/", landing, Resource("Where everything is.", schema="Landing")),
    Described(
        FEATURES + "/conformance",
        conformance,
        Resource("Which requirements are met.", parameters=(FORMAT,), schema="Conformance"),
    ),
    Described(
        FEATURES + "/collections",
        all_collections,
        Resource("The types of entities.", parameters=(FORMAT,), schema="Collections"),
    ),
    Described(
        FEATURES + "/collections/{collection}",
        collection,
        Resource(
            "One type of entities.",
            parameters=(COLLECTION, FORMAT),
            schema="Collection",
            fails=(404,),
        ),
    ),
    Described(
        FEATURES + "/collections/{collection}/queryables",
        queryables_of,
        Resource(
            "By which properties features can be filtered, as far as the first ones have them.",
            (SCHEMA,),
            (COLLECTION, FORMAT, LANG),
            "Queryables",
            fails=(404,),
        ),
    ),
]
