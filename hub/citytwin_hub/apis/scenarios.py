"""Scenarios over REST: branches of the whole city, compared with it, kept or discarded.

What is done in one is written through NGSI-LD with the header ``NGSILD-Snapshot``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from citytwin_hub.apis.admitting import Planner, Reader, WholeWriter
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.refusing import answered
from citytwin_hub.apis.rest import CONFLICT, MS, NOT_FOUND, REFUSALS
from citytwin_hub.entities.snapshots import Difference, Snapshot, Snapshots
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.sight import Sight

NAME_CHARACTERS_MAX: Final = 200
ID_CHARACTERS_MAX: Final = 2048
DIFFERENCES_MAX: Final = 10_000
"""In one answer; all are counted."""

router = APIRouter(prefix="/api/v1", responses=REFUSALS | NOT_FOUND)


class ScenarioGiven(BaseModel):
    """What a new scenario is called."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]


class ScenarioShape(BaseModel):
    """A branch of the city: ``id`` is what the header NGSILD-Snapshot says."""

    id: str
    name: str
    created_ms: int
    used_ms: int
    expires_ms: int | None
    failure: str


class ScenarioList(BaseModel):
    """Every scenario, the oldest first."""

    scenarios: list[ScenarioShape]


class DifferenceShape(BaseModel):
    """An entity that is not as it is now: changed in the scenario, or since (``by``)."""

    id: str
    by: Literal["scenario", "present"]
    change: Literal["created", "changed", "deleted"]
    attributes: list[str]


class DifferenceList(BaseModel):
    """What is not the same; ``count`` is of all."""

    count: int
    differences: list[DifferenceShape]


class KeptShape(BaseModel):
    """How many entities were made what they are in the scenario."""

    entities: int


class DiscardedShape(BaseModel):
    """Which scenario was dropped."""

    id: str


Id = Annotated[str, Query(min_length=1, max_length=ID_CHARACTERS_MAX)]


# Not coroutines: each reads or writes files.
@router.get("/scenarios", response_model=ScenarioList)
def scenarios(request: Request, _permit: Reader) -> dict[str, Any]:
    """List the scenarios, snapshots of a part of the city among them."""
    return {"scenarios": [_shape(one) for one in _snapshots(request).all()]}


@router.post("/scenarios", response_model=ScenarioShape, status_code=201)
def create(request: Request, _permit: Planner, given: ScenarioGiven) -> dict[str, Any]:
    """Make a branch of the whole city as it is now."""
    snapshots = _snapshots(request)
    made = answered(
        lambda: snapshots.create(Snapshot(id="", name=given.name), lambda _: None), "name"
    )
    return _shape(made)


@router.get("/scenarios/differences", response_model=DifferenceList)
def differences(
    request: Request,
    permit: Reader,
    id: Id,
    limit: Annotated[int, Query(ge=1, le=DIFFERENCES_MAX)] = 1000,
) -> dict[str, Any]:
    """Compare a scenario with the present."""
    found = answered(lambda: _snapshots(request).differences(id), "id")
    if not permit.rights.is_unlimited:
        sight = Sight(permit.rights, Act.READ)
        found = [one for each in found if (one := _as_seen(each, sight)) is not None]
    return {"count": len(found), "differences": [_difference(one) for one in found[:limit]]}


@router.post("/scenarios/keep", response_model=KeptShape, responses=CONFLICT)
def keep(request: Request, _permit: WholeWriter, id: Id, force: bool = False) -> dict[str, Any]:
    """Make the city what it is in a scenario; with ``force`` also what was changed since."""
    kept = answered(lambda: _snapshots(request).keep(id, force=force), "id")
    return {"entities": kept}


@router.post("/scenarios/discard", response_model=DiscardedShape)
def discard(request: Request, _permit: Planner, id: Id) -> dict[str, Any]:
    """Drop a scenario."""
    answered(lambda: _snapshots(request).delete(id), "id")
    return {"id": id}


def _snapshots(request: Request) -> Snapshots:
    broker: Broker = request.app.state.broker
    return broker.tenant().snapshots


def _shape(one: Snapshot) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "created_ms": one.created_ns // MS,
        "used_ms": one.used_ns // MS,
        "expires_ms": None if one.expires_ns is None else one.expires_ns // MS,
        "failure": one.failure,
    }


def _as_seen(one: Difference, sight: Sight) -> Difference | None:
    """Return a difference as somebody may see it; None: nothing of it."""
    before, after = (each and sight.show(each) for each in (one.before, one.after))
    return None if before == after else replace(one, before=before, after=after)


def _difference(one: Difference) -> dict[str, Any]:
    change = "changed"
    if one.before is None or one.after is None:
        change = "deleted" if one.after is None else "created"
    return {
        "id": one.id,
        "by": "scenario" if one.here else "present",
        "change": change,
        "attributes": one.attributes,
    }
