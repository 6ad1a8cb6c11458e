"""Loose ends over REST: points and entities that nothing ties to each other."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from citytwin.batch import SECOND_NS
from citytwin_hub.apis.admitting import CityOf, Reader
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.rest import MS, REFUSALS
from citytwin_hub.entities.loose_ends import loose_ends
from citytwin_hub.entities.relations import local_name
from citytwin_hub.entities.store import Hints

LISTED_MAX: Final = 10_000
TYPES_MAX: Final = 100
SILENT_S_DEFAULT: Final = 3600.0
SILENT_S_MAX: Final = 366 * 86_400.0

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


class Astray(BaseModel):
    """A point that gives an entity something that is not there."""

    point: str
    entity: str


class SilentEntity(BaseModel):
    """An entity whose points say nothing; ``last_ms`` is None where there never was a sample."""

    id: str
    points: list[str]
    last_ms: int | None


class LooseEndsShape(BaseModel):
    """What hangs in the air; the counts are of all, the lists go up to ``limit``."""

    counts: dict[str, int]
    points: list[str]
    astray: list[Astray]
    unmeasured: list[str]
    silent: list[SilentEntity]


# Not a coroutine: it reads a file.
@router.get("/loose-ends", response_model=LooseEndsShape)
def ends(
    request: Request,
    city: CityOf,
    permit: Reader,
    type: Annotated[list[str], Query(max_length=TYPES_MAX)] = [],  # noqa: B006  # FastAPI copies it
    silent_s: Annotated[float, Query(gt=0, le=SILENT_S_MAX)] = SILENT_S_DEFAULT,
    limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = 1000,
) -> dict[str, Any]:
    """List points without an entity, and entities (of types) without points or fresh samples."""
    broker: Broker = request.app.state.broker
    entities = broker.seen(broker.tenant(), permit).entities
    wanted = None
    if type:
        known = entities.store.types()
        wanted = [iri for iri in known if iri in type or local_name(iri) in type]
    registry, seen = city.registry, city.seen.rows(permit.rights)
    found = loose_ends(
        (
            (row, one)
            for row, one in list(registry.points.items())
            if row not in registry.gone and (seen is None or row in seen)
        ),
        entities.select(Hints(types=wanted)),
        city.twin,
        before_ns=city.clock.now_ns() - int(silent_s * SECOND_NS),
        exists=entities.find,
        limit=limit,
    )
    return asdict(found) | {
        "astray": [{"point": point, "entity": entity} for point, entity in found.astray],
        "silent": [
            {"id": one.id, "points": one.points, "last_ms": one.last_ns // MS or None}
            for one in found.silent
        ],
    }
