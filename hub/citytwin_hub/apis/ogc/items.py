"""Items: the features of a collection, page by page, and one of them (17-069r4, 7.15 and 7.16)."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import Response

from citytwin_hub.apis.ogc import crs
from citytwin_hub.apis.ogc.calls import (
    FEATURES,
    GEO_JSON,
    JSON,
    Ask,
    Described,
    Parameter,
    Resource,
    answer,
    link,
)
from citytwin_hub.apis.ogc.features import Feature
from citytwin_hub.apis.ogc.naming import type_of
from citytwin_hub.apis.ogc.selecting import CHOICES, LANG, Choice, choice_of, chosen
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.store import Hints

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 10_000
"""Features in one page; who asks for more gets so many (17-069r4, 7.15.2)."""

COLLECTION: Final = Parameter("collection", "The collection's identifier.", where="path")
FEATURE: Final = Parameter("feature", "The feature's identifier, a URI.", where="path")
LIMIT: Final = Parameter(
    "limit",
    "How many features a page has.",
    {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
)
AFTER: Final = Parameter("after", "The last feature of the page before; as `next` links say.")
CRS: Final = Parameter(
    "crs", "The system of the answer.", {"type": "string", "format": "uri", "default": crs.CRS84}
)
FORMAT: Final = Parameter("f", "The format.", {"type": "string", "enum": ["json"]})


def items(ask: Ask) -> Response:
    """Return a page of features."""
    system, limit = crs.system(ask.given.get("crs", crs.CRS84), "crs"), _limit(ask)
    _check_format(ask)
    iri = type_of(ask.path["collection"], ask.tenant.entities.store.types())
    choice = choice_of(ask, iri, _NO_CHOICE)
    with closing(chosen(ask, choice, ask.given.get("after", ""))) as matching:
        found = list(islice(matching, limit))
        # Whether there is another page is known without decoding all of it.
        more = len(found) == limit and next(matching, None) is not None
    ask.note((one.entity for one in found), choice.names)
    content: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [one.written(system) for one in found],
        "numberReturned": len(found),
        "timeStamp": format_ns(ask.broker.clock.now_ns()),
        "links": _links(ask, found[-1] if more else None),
    }
    if choice.is_all:
        content["numberMatched"] = ask.tenant.entities.store.count(Hints(types=[iri]))
    return _written(content, system)


def item(ask: Ask) -> Response:
    """Return one feature."""
    system = crs.system(ask.given.get("crs", crs.CRS84), "crs")
    _check_format(ask)
    collection, wanted = ask.path["collection"], ask.path["feature"]
    iri = type_of(collection, ask.tenant.entities.store.types())
    entity = ask.tenant.entities.get(wanted)
    if iri not in entity.types:
        raise ResourceNotFound(f"there is no feature {wanted[:200]!r} in {collection}")
    ask.note([entity])
    here = ask.url(f"{FEATURES}/collections/{quote(collection)}")
    content = Feature(entity, ask.languages).written(system)
    content["links"] = [
        link(f"{here}/items/{quote(wanted, safe=':')}", "self", GEO_JSON),
        link(here, "collection", JSON),
    ]
    return _written(content, system)


def _written(content: Any, system: str) -> Response:
    return answer(content, GEO_JSON, headers={"Content-Crs": f"<{system}>"})


def _limit(ask: Ask) -> int:
    text = ask.given.get("limit", str(LIMIT_DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise BadRequestData(f"limit {text[:20]!r} is not a whole number from 1 to {LIMIT_MAX}")
    return min(int(text), LIMIT_MAX)


def _check_format(ask: Ask) -> None:
    wanted = ask.given.get("f", "json")
    if wanted not in ("json", "geojson"):
        raise BadRequestData(f"f {wanted[:20]!r} is not json; other formats are at …/export")


def _links(ask: Ask, last: Feature | None) -> list[dict[str, str]]:
    collection = f"{FEATURES}/collections/{quote(ask.path['collection'])}"
    here = ask.url(f"{collection}/items")
    given = dict(ask.given)
    query = f"?{urlencode(given)}" if given else ""
    links = [
        link(here + query, "self", GEO_JSON),
        link(ask.url(collection), "collection", JSON),
    ]
    if last is not None:
        onward = urlencode(given | {"after": last.entity.id})
        links.append(link(f"{here}?{onward}", "next", GEO_JSON))
    return links


_NO_CHOICE: Final = frozenset({"limit", "after", "crs", "f"})
ROUTES: Final = [
    Described(
        FEATURES + "/collections/{collection}/items",
        items,
        Resource(
            "The features of a collection, page by page. A property's name is a parameter, too.",
            (GEO_JSON,),
            (COLLECTION, LIMIT, AFTER, CRS, FORMAT, *CHOICES),
            "FeatureCollection",
            others=True,
            fails=(404,),
        ),
    ),
    Described(
        FEATURES + "/collections/{collection}/items/{feature:some}",
        item,
        Resource(
            "One feature.",
            (GEO_JSON,),
            (COLLECTION, FEATURE, CRS, FORMAT, LANG),
            "Feature",
            fails=(404,),
        ),
    ),
]

__all__ = ["COLLECTION", "ROUTES", "Choice"]
