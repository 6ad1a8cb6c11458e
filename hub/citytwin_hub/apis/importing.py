"""Importing over REST: what a source system says of city objects, a batch at a time."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from citytwin_hub.apis.admitting import CityOf, Reader, WholeWriter
from citytwin_hub.apis.identity import AliasShape
from citytwin_hub.apis.ngsild import reading
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.refusing import answered
from citytwin_hub.apis.rest import NOT_FOUND, REFUSALS
from citytwin_hub.entities import elevations, importing, joining
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import EntityError
from citytwin_hub.entities.identity import Alias
from citytwin_hub.entities.importing import Refused
from citytwin_hub.entities.joining import ALIASES_MAX, Joined
from citytwin_hub.jsonld.processing import CORE
from citytwin_hub.policy.permit import Permit

ENTITIES_MAX: Final = 1000
"""In one batch, which is one transaction."""
IDS_MAX: Final = 10_000
TYPES_MAX: Final = 50
BODY_BYTES_MAX: Final = 32 * 2**20
PATH: Final = "/api/v1/import"
LISTS: Final = frozenset({f"{PATH}/prune", f"{PATH}/elevations"})
"""Routes that take ``ENTITIES_MAX`` URNs."""

router = APIRouter(prefix="/api/v1", responses=REFUSALS | NOT_FOUND)

Source = Annotated[str, Field(min_length=1, max_length=63)]
Tenant = Annotated[str, Query(max_length=63)]


Names = Annotated[list[AliasShape], Field(max_length=ALIASES_MAX)]


class ImportGiven(BaseModel):
    """Entities of a source: NGSI-LD documents, each with ``source``; names are whole IRIs.

    ``aliases`` is what other systems call them, by ``id``.
    """

    model_config = ConfigDict(extra="forbid")
    source: Source
    entities: Annotated[list[dict[str, Any]], Field(max_length=ENTITIES_MAX)]
    aliases: Annotated[dict[str, Names], Field(max_length=ENTITIES_MAX)] = {}
    dry_run: bool = False


class RefusedShape(BaseModel):
    """An entity that was not taken, and why."""

    id: str
    reason: str


class LackingShape(BaseModel):
    """What an entity came without, and why."""

    id: str
    field: str
    reason: str


class JoinedShape(BaseModel):
    """An entity that is an object which the city has under another URN."""

    id: str
    urn: str


class Taken(BaseModel):
    """What became of what was given; with ``dry_run``: what would."""

    created: int
    changed: int
    unchanged: int
    refused: list[RefusedShape]


class ImportTaken(Taken):
    """What became of entities, and which are objects that others gave, too."""

    lacking: list[LackingShape]
    joined: list[JoinedShape]


class ImportIds(BaseModel):
    """A page of a source's entities; ``next`` is its ``after`` of the next one."""

    ids: list[str]
    next: str | None


class PruneGiven(BaseModel):
    """Entities that have vanished from their source."""

    model_config = ConfigDict(extra="forbid")
    source: Source
    ids: Annotated[list[str], Field(max_length=ENTITIES_MAX)]


class PruneTaken(BaseModel):
    """How many there were."""

    deleted: int


class NodeShape(BaseModel):
    """An object, its type as it was asked for, and its place: longitude and latitude."""

    id: str
    type: str
    place: tuple[float, float] | None


class NodeList(BaseModel):
    """A page of objects; ``next`` is its ``after`` of the next one."""

    nodes: list[NodeShape]
    next: str | None


class HeightShape(BaseModel):
    """What a terrain model says of an object."""

    model_config = ConfigDict(extra="forbid")
    id: Annotated[str, Field(min_length=1, max_length=2048)]
    elevation_m: Annotated[float, Field(ge=-12_000, le=10_000, allow_inf_nan=False)]


class HeightsGiven(BaseModel):
    """Heights of a terrain model; ``overwrite`` also what is known from elsewhere."""

    model_config = ConfigDict(extra="forbid")
    source: Source
    heights: Annotated[list[HeightShape], Field(max_length=ENTITIES_MAX)]
    overwrite: bool = False
    dry_run: bool = False


class HeightsTaken(Taken):
    """What became of the heights; ``kept``: objects that have one from elsewhere."""

    kept: int


# Not coroutines: each reads or writes a file.
@router.post("/import", response_model=ImportTaken)
def take(
    request: Request, city: CityOf, user: WholeWriter, given: ImportGiven, tenant: Tenant = ""
) -> dict[str, Any]:
    """Take what a source says of city objects; what is unchanged is not written."""
    now_ns, refused, read = city.clock.now_ns(), [], []
    for document in given.entities:
        try:
            read.append(reading.read_entity(document, CORE, now_ns))
        except (EntityError, RecursionError) as error:
            refused.append(Refused(str(document.get("id", ""))[:2048], str(error)))
    broker: Broker = request.app.state.broker
    of = answered(lambda: broker.tenant(tenant), "tenant")
    aliases = {
        one: [Alias(each.system, each.name) for each in names]
        for one, names in given.aliases.items()
    }
    joined: Joined = answered(lambda: joining.join(of.identities, read, aliases), "entities")
    taken: importing.Taken = answered(
        lambda: importing.take(
            of.entities, given.source, joined.entities,
            dry_run=given.dry_run, joined=joined.others().values(),
        ),
        "entities",
    )  # fmt: skip
    made = {urn: one for one, urn in joined.urns.items()}
    refused += joined.refused
    lacking = [*joined.lacking, *(one._replace(id=made[one.id]) for one in taken.lacking)]
    for one in taken.refused:
        refused.append(one._replace(id=made[one.id]))
        joined.drop(one.id)
    if not given.dry_run:
        lacking += answered(
            lambda: joining.claim(of.identities, given.source, joined, aliases, user.name, now_ns),
            "aliases",
        )
    return {
        "created": taken.created,
        "changed": taken.changed,
        "unchanged": taken.unchanged,
        "refused": [one._asdict() for one in refused],
        "lacking": [one._asdict() for one in lacking],
        "joined": [{"id": one, "urn": urn} for one, urn in joined.others().items()],
    }


@router.get("/import/ids", response_model=ImportIds)
def ids(
    request: Request,
    permit: Reader,
    source: Annotated[str, Query(min_length=1, max_length=63)],
    after: Annotated[str, Query(max_length=2048)] = "",
    limit: Annotated[int, Query(ge=1, le=IDS_MAX)] = IDS_MAX,
    tenant: Tenant = "",
) -> dict[str, Any]:
    """List what the hub has of a source, in pages."""
    found = importing.of_source(_entities(request, permit, tenant), source, after)
    page = [one.id for one in itertools.islice(found, limit)]
    return {"ids": page, "next": page[-1] if len(page) == limit else None}


@router.post("/import/prune", response_model=PruneTaken)
def prune(
    request: Request, permit: WholeWriter, given: PruneGiven, tenant: Tenant = ""
) -> dict[str, Any]:
    """Delete what has vanished from its source."""
    entities = _entities(request, permit, tenant)
    deleted = answered(lambda: importing.prune(entities, given.source, given.ids), "ids")
    return {"deleted": deleted}


@router.get("/import/nodes", response_model=NodeList)
def nodes(
    request: Request,
    permit: Reader,
    kinds: Annotated[list[str], Query(alias="type", min_length=1, max_length=TYPES_MAX)],
    after: Annotated[str, Query(max_length=2048)] = "",
    limit: Annotated[int, Query(ge=1, le=IDS_MAX)] = IDS_MAX,
    tenant: Tenant = "",
) -> dict[str, Any]:
    """List the objects of types that may be given a height, in pages."""
    entities, names = _entities(request, permit, tenant), {CORE.expand(one): one for one in kinds}
    page = answered(lambda: elevations.nodes(entities, names.keys(), after, limit), "type")
    found = [one._asdict() | {"type": names[one.type]} for one in page]
    return {"nodes": found, "next": page[-1].id if len(page) == limit else None}


@router.post("/import/elevations", response_model=HeightsTaken)
def give_heights(
    request: Request, permit: WholeWriter, given: HeightsGiven, tenant: Tenant = ""
) -> dict[str, Any]:
    """Give objects the heights of a terrain model; one that is known from elsewhere stays."""
    entities = _entities(request, permit, tenant)
    heights = [elevations.Height(one.id, one.elevation_m) for one in given.heights]
    taken: elevations.Given = answered(
        lambda: elevations.give(
            entities, given.source, heights, overwrite=given.overwrite, dry_run=given.dry_run
        ),
        "heights",
    )
    return {
        "created": taken.created,
        "changed": taken.changed,
        "unchanged": taken.unchanged,
        "kept": taken.kept,
        "refused": [one._asdict() for one in taken.refused],
    }


def _entities(request: Request, permit: Permit, tenant: str) -> Entities:
    broker: Broker = request.app.state.broker
    found: Entities = answered(
        lambda: broker.seen(broker.tenant(tenant), permit).entities, "tenant"
    )
    return found
