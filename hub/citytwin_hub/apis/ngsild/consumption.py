"""Consumption: one entity, or those that a query selects (ETSI GS CIM 009, 5.7.1 and 5.7.2)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild import parameters, query_document
from citytwin_hub.apis.ngsild.calls import GEO_JSON, JSON, JSON_LD, SNAPSHOT, Call, Operation, route
from citytwin_hub.apis.ngsild.discovery import COUNT_HEADER
from citytwin_hub.apis.ngsild.mapping import Mapped, created
from citytwin_hub.apis.ngsild.negotiation import preferences
from citytwin_hub.apis.ngsild.older import understood
from citytwin_hub.apis.ngsild.parameters import EntityQuery, Page
from citytwin_hub.apis.ngsild.past import AT, Readable, entities_at
from citytwin_hub.apis.ngsild.view import View
from citytwin_hub.apis.ngsild.writing import Writer
from citytwin_hub.entities.entity_maps import EntityMap
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.model import Entity
from citytwin_hub.jsonld.context import is_absolute
from citytwin_hub.policy.grants import Act

MAPPED_MAX: Final = 1_000
"""Entities of a map that are looked up at one time."""
_SAFE: Final = ":*.,;/-_~()[]{}=!@|"
"""What stands in a query string and in a Link header as it is."""


class Looked:
    """Looks up entities for one request, each of them once."""

    def __init__(self, entities: Readable) -> None:
        """Stand on the entities of a tenant."""
        self._entities = entities
        self._known: dict[str, Entity | None] = {}

    def __call__(self, ids: Collection[str]) -> Mapping[str, Entity]:
        """Return those of some entities that there are."""
        missing = [each for each in ids if each not in self._known]
        if missing:
            found = self._entities.find(missing)
            self._known |= {each: found.get(each) for each in missing}
        return {each: entity for each in ids if (entity := self._known[each]) is not None}


def retrieve(call: Call) -> Response:
    """Return an entity (6.5.3.1)."""
    wanted = parameters.retrieval(_given(call), call.context, call.media)
    entity_id = call.path["entity"]
    if not is_absolute(entity_id):
        raise BadRequestData(f"{entity_id!r} is not a URI")
    entities = _entities(call)
    entity = entities.get(entity_id)
    if wanted.types is not None and not wanted.types.matches(entity.types):
        raise ResourceNotFound(f"{entity_id} is not of the type that is asked for")
    attrs = wanted.view.attrs
    if attrs is not None and attrs.isdisjoint(entity.attributes):
        raise ResourceNotFound(f"{entity_id} has none of the attributes that are asked for")
    [shown], changed = _understood(call, [entity])
    writer = Writer(call.told, wanted.view, Looked(entities))
    content = writer.one(shown)
    if not content:
        raise ResourceNotFound(f"{entity_id} has none of the members that are asked for")
    response = _answer(call, content, changed=changed)
    mapped = Mapped(call, wanted=wanted.entity_map, life=wanted.map_life)
    return mapped.of_one(entity_id, response)


def query(call: Call) -> Response:
    """Return entities that the parameters select (6.4.3.2)."""
    return _results(call, parameters.query(_given(call), call.context, call.media))


def query_by_post(call: Call) -> Response:
    """Return entities that the body selects (6.23.3.1)."""
    asked = query_document.query(call.document, _given(call), call.context, call.media)
    return _results(call, asked)


def map_of_query(call: Call) -> Response:
    """Make the map of a query, without its entities (6.34.3.1)."""
    asked = parameters.query(_given(call), call.context, call.media)
    entities = _entities(call)
    found = _matching(entities, asked, Looked(entities))
    call.told.asked(asked.selection.attributes())
    return created(call, asked.map_life, (one.id for one in found))


def _entities(call: Call) -> Readable:
    tenant, given = call.tenant, call.query.get(AT)
    if given is not None and SNAPSHOT in call.request.headers:
        raise BadRequestData("at asks for the past of the present: leave the snapshot's header out")
    return entities_at(tenant.entities, tenant.temporal, given, call.broker.clock.now_ns())


def _given(call: Call) -> dict[str, str]:
    return parameters.once(call.request.query_params.multi_items())


def _results(call: Call, asked: EntityQuery) -> Response:
    entities = _entities(call)
    find, page = Looked(entities), asked.page
    call.told.asked(asked.selection.attributes())
    mapped = Mapped(call, wanted=asked.entity_map, life=asked.map_life)
    gone = list[str]()
    if mapped.known is None:
        matching = _matching(entities, asked, find)
        if asked.ordering is not None:
            matching = iter(asked.ordering.sorted(matching, find))
    else:
        matching = _remaining(entities, mapped.known, asked, find, gone)
    if mapped.is_wanted:
        every = list(matching)
        mapped.create(one.id for one in every)
        matching = iter(every)
    passed = sum(1 for _ in islice(matching, page.offset))
    found = list(islice(matching, page.limit))
    # Counting goes through to the end; otherwise one more tells whether there is another page.
    count = _count(entities, asked) if page.count and mapped.known is None else None
    counted = matching if page.count and count is None else islice(matching, 1)
    rest = sum(1 for _ in counted)
    mapped.prune(gone)
    shown, changed = _understood(call, found)
    content = _written(call, asked.view, shown, find)
    response = _answer(call, content, changed=changed)
    if page.count:
        response.headers[COUNT_HEADER] = str(passed + len(found) + rest if count is None else count)
    for link in page_links(call, page, more=bool(rest)):
        response.headers.append("Link", link)
    return mapped.tell(response, status=201)


def _remaining(
    entities: Readable, known: EntityMap, asked: EntityQuery, find: Looked, gone: list[str]
) -> Iterator[Entity]:
    """Yield the entities of a map that still fit, in its order; note the others."""
    ids = list(known.entities)
    for start in range(0, len(ids), MAPPED_MAX):
        some = ids[start : start + MAPPED_MAX]
        there = entities.find(some)
        for one in some:
            entity = there.get(one)
            if entity is not None and asked.selection.matches(entity, find):
                yield entity
            else:
                gone.append(one)


def _count(entities: Readable, asked: EntityQuery) -> int | None:
    """Return how many a selection has, where the store can say it without reading them."""
    return entities.count(asked.selection.hints()) if asked.selection.is_exact else None


def _matching(entities: Readable, asked: EntityQuery, find: Looked) -> Iterator[Entity]:
    selection = asked.selection
    for entity in entities.select(selection.hints()):
        if selection.matches(entity, find):
            yield entity


def _written(call: Call, view: View, entities: Sequence[Entity], find: Looked) -> Any:
    return Writer(call.told, view, find).many(entities)


def _understood(call: Call, entities: Sequence[Entity]) -> tuple[list[Entity], bool]:
    """Return entities as the version knows them that is asked for, and whether they changed."""
    version = preferences(call.request.headers.get("prefer", "")).version
    if version is None:
        return list(entities), False
    known = [understood(entity, version, call.context.compact) for entity in entities]
    return known, any(one is not other for one, other in zip(known, entities, strict=True))


def _answer(call: Call, content: Any, *, changed: bool) -> Response:
    """Return an answer; what was changed for an older version has status 203 (4.3.6.8)."""
    prefers = preferences(call.request.headers.get("prefer", ""))
    headers: dict[str, str] = {}
    if prefers.version is not None:
        headers["Preference-Applied"] = f"ngsi-ld={prefers.version[0]}.{prefers.version[1]}"
    if call.media == GEO_JSON and prefers.body != "json":
        content = content | {"@context": call.context.reference}
    return call.answer(content, 203 if changed else 200, headers=headers)


def page_links(call: Call, page: Page, *, more: bool) -> list[str]:
    """Return Link headers to the pages before and after one (5.5.9, 6.3.10)."""
    links = []
    if page.limit and page.offset:
        links.append(_link(call, page, max(0, page.offset - page.limit), "prev"))
    if page.limit and more:
        links.append(_link(call, page, page.offset + page.limit, "next"))
    return links


def _link(call: Call, page: Page, offset: int, rel: str) -> str:
    given = _given(call) | {"limit": str(page.limit), "offset": str(offset)}
    query_string = "&".join(
        f"{quote(name, safe=_SAFE)}={quote(given[name], safe=_SAFE)}" for name in sorted(given)
    )
    path = quote(call.request.url.path.rstrip("/"), safe=_SAFE)
    return f'<{path}?{query_string}>; rel="{rel}"; type="{call.media}"'


def _routes() -> Iterator[list[Route]]:
    gives = (JSON, JSON_LD, GEO_JSON)
    retrieving = Operation(
        Act.READ,
        gives=gives,
        parameters=parameters.RETRIEVE | {AT},
        in_snapshots=True,
        is_quick=True,
    )
    querying = Operation(
        Act.READ, gives=gives, parameters=parameters.QUERY | {AT}, in_snapshots=True
    )
    by_post = Operation(
        Act.READ,
        (JSON, JSON_LD),
        gives=gives,
        parameters=parameters.QUERY_BY_POST,
        in_snapshots=True,
    )
    yield route("/entityOperations/query", "POST", query_by_post, by_post)
    yield route("/entities", "GET", query, querying)
    mapping = Operation(Act.READ, parameters=parameters.QUERY)
    yield route("/entityMaps", "GET", map_of_query, mapping)
    yield route("/entities/{entity:path}", "GET", retrieve, retrieving)


ROUTES: Final = [one for some in _routes() for one in some]
