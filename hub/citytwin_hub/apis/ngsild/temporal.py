"""Temporal routes: the evolution of entities is provided and asked for (6.18–6.22 and 6.24)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild import parameters, reading, temporal_parameters
from citytwin_hub.apis.ngsild.calls import (
    JSON,
    JSON_LD,
    MERGE_PATCH,
    Call,
    Operation,
    Refused,
    route,
)
from citytwin_hub.apis.ngsild.consumption import page_links
from citytwin_hub.apis.ngsild.discovery import COUNT_HEADER
from citytwin_hub.apis.ngsild.mapping import Mapped, created
from citytwin_hub.apis.ngsild.provision import entity_id, flag
from citytwin_hub.apis.ngsild.temporal_parameters import Shape, TemporalQuery, TemporalView
from citytwin_hub.apis.ngsild.temporal_reading import read_evolution
from citytwin_hub.apis.ngsild.temporal_writing import TemporalWriter
from citytwin_hub.apis.ngsild.values import read_uri
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.model import NULL
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.uris import is_uri
from citytwin_hub.entities.windows import Evolution, Part
from citytwin_hub.policy.grants import Act

BODIES: Final = (JSON, JSON_LD)
PATCHES: Final = (JSON, JSON_LD, MERGE_PATCH)
LOCATION: Final = "/ngsi-ld/v1/temporal/entities/"


def upsert(call: Call) -> Response:
    """Create an evolution, or add to it (6.18.3.1)."""
    entity, scopes = read_evolution(call.document, call.context)
    if call.tenant.temporal.upsert(entity, scopes):
        return Response(status_code=201, headers={"Location": LOCATION + entity.id})
    return Response(status_code=204)


def append(call: Call) -> Response:
    """Add attributes to an evolution (6.20.3.1)."""
    wanted = entity_id(call)
    entity, scopes = read_evolution(call.document, call.context, entity_id=wanted)
    call.tenant.temporal.append(entity, scopes)
    return Response(status_code=204)


def delete(call: Call) -> Response:
    """Delete an evolution (6.19.3.2)."""
    call.tenant.temporal.delete(_one(call))
    return Response(status_code=204)


def delete_attribute(call: Call) -> Response:
    """Delete an attribute from an evolution (6.21.3.1)."""
    return _delete_attribute(call, call.path["attribute"])


def delete_instance(call: Call) -> Response:
    """Delete one instance of an attribute (6.22.3.2)."""
    name, instance = call.path["attribute"], call.path["instance"]
    whole = f"{name}/{instance}" if instance else name
    if not instance or ("://" in whole and not is_uri(instance)):
        return _delete_attribute(call, whole)  # The name is an IRI that has slashes itself.
    wanted, iri = entity_id(call), reading.attribute_iri(name, call.context)
    read_uri(instance, "the instance in the path")
    call.tenant.temporal.delete_instance(wanted, iri, instance)
    return Response(status_code=204)


def change_instance(call: Call) -> Response:
    """Change parts of one instance of an attribute (6.22.3.1)."""
    name, instance = call.path["attribute"], call.path["instance"]
    if not name or not instance:
        raise Refused(405)
    wanted, iri = entity_id(call), reading.attribute_iri(name, call.context)
    read_uri(instance, "the instance in the path")
    patch = reading.read_patch(call.document, call.context, name)
    if patch.value == NULL:
        raise BadRequestData("an instance is not deleted by its value: use DELETE")
    call.tenant.temporal.change_instance(wanted, iri, instance, patch)
    return Response(status_code=204)


def retrieve(call: Call) -> Response:
    """Return the evolution of an entity (6.19.3.1)."""
    wanted = _one(call)
    seen = temporal_parameters.retrieval(_given(call), call.context, call.media)
    asked = seen.wanted
    if seen.shape is Shape.AGGREGATED:
        asked = dataclasses.replace(asked, attributes=frozenset())
    if seen.view.attrs is not None:
        call.tenant.temporal.one(wanted, seen.wanted, needed=True)
    evolution, part = call.tenant.temporal.one(wanted, asked)
    (document,) = _documents(call, [evolution], seen)
    if not document:
        raise ResourceNotFound(f"nothing of {wanted} is left by pick and omit")
    return _mapped(call).of_one(wanted, _answer(call, document, part))


def query(call: Call) -> Response:
    """Return the evolution of the entities that match (6.18.3.2)."""
    return _found(call, temporal_parameters.query(_given(call), call.context, call.media))


def query_by_post(call: Call) -> Response:
    """Return the evolution of the entities that match a document (6.24.3.1)."""
    asked = temporal_parameters.query_document(
        call.document, _given(call), call.context, call.media
    )
    return _found(call, asked)


def _found(call: Call, asked: TemporalQuery) -> Response:
    temporal, page = call.tenant.temporal, asked.page
    mapped = _mapped(call)
    found = _selected(call, asked)
    if mapped.known is not None:
        known = mapped.known.entities
        found = (one for one in found if one.id in known)
    if asked.descending is not None:
        ordered = sorted(found, key=lambda one: one.id, reverse=asked.descending)
        found = iter(ordered)
    if mapped.is_wanted:
        every = list(found)
        mapped.create(one.id for one in every)
        found = iter(every)
    end, count = page.offset + page.limit, 0
    chosen: list[Evolution] = []
    for count, one in enumerate(found, start=1):
        if page.offset < count <= end:
            chosen.append(one)
        elif count > end and not page.count:
            break
    wanted = dataclasses.replace(asked.seen.wanted, scope=asked.wanted.scope)
    aggregated = asked.seen.shape is Shape.AGGREGATED
    part = None if aggregated else temporal.fill(chosen, wanted)
    documents = [one for one in _documents(call, chosen, asked.seen) if one]
    response = _answer(call, documents, part)
    if page.count:
        response.headers[COUNT_HEADER] = str(count)
    for link in page_links(call, page, more=count > end):
        response.headers.append("Link", link)
    return mapped.tell(response, status=201)


def _selected(call: Call, asked: TemporalQuery) -> Iterator[Evolution]:
    selection = dataclasses.replace(asked.selection, attrs=None, scope=None)
    call.told.asked(selection.attributes())
    return call.tenant.temporal.select(
        asked.selection.ids,
        asked.selection.types_any(),
        selection.matches,
        asked.wanted,
        over_values=selection.q is not None or selection.geo is not None,
    )


def query_for_map(call: Call) -> Response:
    """Make the map of a query of evolution (6.35.3.1)."""
    given = _given(call)
    asked = temporal_parameters.query(given, call.context, call.media)
    life = parameters.map_life(parameters.read(given, call.context, call.media))
    return created(call, life, (one.id for one in _selected(call, asked)))


def _documents(
    call: Call, evolutions: Sequence[Evolution], seen: TemporalView
) -> list[dict[str, Any]]:
    writer = TemporalWriter(call.told, seen)
    if seen.shape is not Shape.AGGREGATED:
        return [writer.entity(one) for one in evolutions]
    temporal = call.tenant.temporal
    return [
        writer.entity(one, temporal.aggregates(one, seen.wanted, seen.methods, seen.duration))
        for one in evolutions
    ]


def _answer(call: Call, content: Any, part: Part | None) -> Response:
    """Return an answer, which may be a part of what was asked for (6.3.10)."""
    if part is None:
        return call.answer(content)
    size = "*" if part.last is None else str(part.last)
    span = f"{format_ns(part.start_ns)}-{format_ns(part.end_ns)}"
    return call.answer(content, 206, headers={"Content-Range": f"date-time {span}/{size}"})


def _mapped(call: Call) -> Mapped:
    asked = parameters.read(_given(call), call.context, call.media)
    return Mapped(call, wanted=asked.flag("entityMap"), life=parameters.map_life(asked))


def _given(call: Call) -> dict[str, str]:
    return parameters.once(call.request.query_params.multi_items())


def _delete_attribute(call: Call, name: str) -> Response:
    wanted, iri = entity_id(call), reading.attribute_iri(name, call.context)
    dataset = call.query.get("datasetId", "")
    if dataset == "@none":
        dataset = ""
    if dataset:
        read_uri(dataset, "datasetId")
    every = flag(call, "deleteAll")
    call.tenant.temporal.delete_attribute(wanted, iri, dataset=dataset, every=every)
    return Response(status_code=204)


def _one(call: Call) -> str:
    """Return the entity in the path; the path of all of them is another resource."""
    if not call.path["entity"]:
        raise Refused(405)
    return entity_id(call)


def _routes() -> Iterator[list[Route]]:
    entities, entity = "/temporal/entities", "/temporal/entities/{entity:path}"
    attributes = entity + "/attrs"
    attribute = attributes + "/{attribute:path}"
    instance = attribute + "/{instance:path}"
    local = ("local",)
    asking = Operation(Act.READ, parameters=temporal_parameters.QUERY)
    yield route(entities, "GET", query, asking)
    yield route("/temporal/entityMaps", "GET", query_for_map, asking)
    yield route(
        "/temporal/entityOperations/query", "POST", query_by_post,
        Operation(Act.READ, BODIES, parameters=temporal_parameters.QUERY_BY_POST),
    )  # fmt: skip
    yield route(
        entities, "POST", upsert, Operation(Act.WRITE, BODIES, parameters=local, creates=True)
    )
    # An instance is named by two parts, so it comes before an attribute, whose IRI may have many.
    deleting = Operation(Act.WRITE, parameters=("datasetId", "deleteAll", *local))
    yield route(instance, "DELETE", delete_instance, deleting)
    yield route(instance, "PATCH", change_instance, Operation(Act.WRITE, PATCHES, parameters=local))
    yield route(attribute, "DELETE", delete_attribute, deleting)
    yield route(attributes, "POST", append, Operation(Act.WRITE, BODIES, parameters=local))
    yield route(entity, "DELETE", delete, Operation(Act.WRITE, parameters=local))
    yield route(
        entity, "GET", retrieve, Operation(Act.READ, parameters=temporal_parameters.RETRIEVE)
    )


ROUTES: Final = [one for some in _routes() for one in some]
