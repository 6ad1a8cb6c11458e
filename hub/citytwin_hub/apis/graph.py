"""Questions on the graph over REST: what is downstream, who loses supply, now and at any moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from citytwin_hub.apis.admitting import ApiError, Reader
from citytwin_hub.apis.graphs import Asked, Graphs
from citytwin_hub.apis.refusing import answered
from citytwin_hub.apis.rest import NOT_FOUND, REFUSALS
from citytwin_hub.apis.shapes import LabelShape
from citytwin_hub.entities.moments import parse_ns
from citytwin_hub.entities.outage import VALVE_TYPES
from citytwin_hub.entities.relations import KINDS
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.sight import Sight

OBJECTS_MAX: Final = 100_000
GIVEN_MAX: Final = 200
ID_CHARS_MAX: Final = 2048
FOUND_MAX: Final = 1_000
"""Entities that are looked up at one time."""

router = APIRouter(prefix="/api/v1", responses=REFUSALS | NOT_FOUND)


class GraphObject(BaseModel):
    """A city object with its types in short."""

    id: str
    types: list[str]


class Objects(BaseModel):
    """Objects, the nearest first; ``count`` says how many there are in all."""

    count: int
    objects: list[GraphObject]


class Neighbour(BaseModel):
    """A relation: its IRI, its kind if it is of one, and where it leads: out, in or both."""

    id: str
    relation: str
    kind: str
    direction: str


class Neighbours(BaseModel):
    """All relations of an object."""

    count: int
    neighbours: list[Neighbour]


class PathStep(BaseModel):
    """An object on a way, and by which relation the way comes to it."""

    id: str
    relation: str


class Path(BaseModel):
    """A shortest way; empty where there is none."""

    found: bool
    path: list[PathStep]


class Lost(Objects):
    """Who is no longer supplied; ``held``: who is only because ``backups`` stand in."""

    held: list[GraphObject]
    held_count: int
    backups: list[str]
    sources: list[str]
    sources_count: int


class Isolated(Objects):
    """Which valves to close; ``objects`` then stand alone together."""

    valves: list[str]
    valves_count: int


class KindShape(BaseModel):
    """A kind of relation: IRI, name from the other end, whether something flows along it."""

    name: str
    iri: str
    inverse: str
    directed: bool
    flows: bool
    label: LabelShape


class KindList(BaseModel):
    """All kinds of relations that have a meaning."""

    kinds: list[KindShape]


async def graphs_of(request: Request, _permit: Reader) -> Graphs:
    """Return the graphs, for whoever may look."""
    graphs: Graphs = request.app.state.graphs
    return graphs


GraphsOf = Annotated[Graphs, Depends(graphs_of)]
Id = Annotated[str, Query(min_length=1, max_length=ID_CHARS_MAX)]
Ids = Annotated[list[str], Query(max_length=GIVEN_MAX)]
Tenant = Annotated[str, Query(max_length=63)]


async def asked_of(
    graphs: GraphsOf,
    permit: Reader,
    at: Annotated[str, Query(max_length=40)] = "",
    kind: Annotated[list[str], Query(max_length=len(KINDS))] = [],  # noqa: B006  # FastAPI copies it
    type: Annotated[list[str], Query(max_length=GIVEN_MAX)] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=OBJECTS_MAX)] = 1000,
    tenant: Tenant = "",
) -> Asked:
    """Read what every question has; raises ApiError."""
    for one in kind:
        if one not in KINDS:
            raise ApiError(422, f"{one[:80]!r} is no kind; there are {', '.join(KINDS)}", "kind")
    try:
        moment_ns = parse_ns(at) if at else None
    except ValueError as error:
        raise ApiError(422, f"at: {error}", "at") from None
    asked = Asked(moment_ns, frozenset(kind) if kind else None, tuple(type), limit)
    if permit.rights.is_unlimited:
        return asked

    def visible(ids: Sequence[str]) -> Collection[str]:
        entities = graphs.broker.seen(graphs.broker.tenant(tenant), permit).entities
        parts = (ids[start : start + FOUND_MAX] for start in range(0, len(ids), FOUND_MAX))
        return {one for part in parts for one in entities.find(part)}

    return replace(asked, visible=visible, shows=Sight(permit.rights, Act.READ).takes_name)


AskedOf = Annotated[Asked, Depends(asked_of)]


@router.get("/graph/kinds", response_model=KindList)
async def kinds(_permit: Reader) -> dict[str, Any]:
    """List the kinds of relations that have a meaning."""
    found = [
        {
            "name": one.name,
            "iri": one.iri,
            "inverse": one.inverse,
            "directed": one.directed,
            "flows": one.flows,
            "label": {"kk": one.label.kk, "ru": one.label.ru, "en": one.label.en},
        }
        for one in KINDS.values()
    ]
    return {"kinds": found}


# Not coroutines: the first question reads a file, and each takes milliseconds of a processor.
@router.get("/graph/downstream", response_model=Objects)
def downstream(graphs: GraphsOf, asked: AskedOf, of: Id, tenant: Tenant = "") -> dict[str, Any]:
    """Return what can be reached from an object along the flow, the nearest first."""
    return _found(lambda: graphs.reached(tenant, of, asked, against=False))


@router.get("/graph/upstream", response_model=Objects)
def upstream(graphs: GraphsOf, asked: AskedOf, of: Id, tenant: Tenant = "") -> dict[str, Any]:
    """Return from where an object can be reached along the flow, the nearest first."""
    return _found(lambda: graphs.reached(tenant, of, asked, against=True))


@router.get("/graph/neighbours", response_model=Neighbours)
def neighbours(graphs: GraphsOf, asked: AskedOf, of: Id, tenant: Tenant = "") -> dict[str, Any]:
    """Return every relation of an object, also those along which nothing flows."""
    return _found(lambda: graphs.neighbours(tenant, of, asked))


@router.get("/graph/path", response_model=Path)
def path(
    graphs: GraphsOf,
    asked: AskedOf,
    begin: Id,
    end: Id,
    any_way: bool = False,
    tenant: Tenant = "",
) -> dict[str, Any]:
    """Return a shortest way between two objects along the flow, or ``any_way`` along relations."""
    return _found(lambda: graphs.path(tenant, (begin, end), asked, both=any_way))


@router.get("/graph/loss", response_model=Lost)
def lost(
    graphs: GraphsOf,
    asked: AskedOf,
    closed: Ids,
    source: Ids = [],  # noqa: B006  # FastAPI copies it
    source_type: Ids = [],  # noqa: B006
    backups: bool = True,
    tenant: Tenant = "",
) -> dict[str, Any]:
    """Return who is no longer supplied when objects close; without sources the usual ones."""
    return _found(
        lambda: graphs.loss(
            tenant, closed, asked, sources=source, source_types=source_type, backups=backups
        )
    )


@router.get("/graph/isolation", response_model=Isolated)
def isolated(
    graphs: GraphsOf,
    asked: AskedOf,
    of: Id,
    valve_type: Ids = list(VALVE_TYPES),  # noqa: B006
    tenant: Tenant = "",
) -> dict[str, Any]:
    """Return which valves to close so that an object stands alone, and what does with it."""
    return _found(lambda: graphs.isolation(tenant, of, asked, valve_type))


def _found(question: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = answered(question, "tenant")
    return found
