"""Configurations of gateways over REST: looking at how they do, and, for admins, changing them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from citytwin_hub.apis.admitting import ApiError, CityOf, Configurer, Reader
from citytwin_hub.apis.city import City
from citytwin_hub.apis.rest import CONFLICT, NOT_FOUND, REFUSALS
from citytwin_hub.apis.shapes import (
    Accepted,
    ConfigDiff,
    ConfigShape,
    ConfigText,
    PushShape,
    VersionList,
)
from citytwin_hub.config_texts import unified
from citytwin_hub.configs import described
from citytwin_hub.policy.grants import Act
from citytwin_protos.config_order import CONFIG_BYTES_MAX

WHY_CHARS_MAX: Final = 400

router = APIRouter(prefix="/api/v1", responses=REFUSALS | NOT_FOUND)


async def known(city: CityOf, permit: Reader, gateway: str) -> str:
    """Return the name of a gateway that there is; raises ApiError."""
    hidden = not permit.is_whole(Act.READ) and gateway not in city.seen.gateways(permit.rights)
    if hidden or all(one.name != gateway for one in city.registry.gateways()):
        raise ApiError(404, f"there is no gateway {gateway[:63]!r}")
    return gateway


Known = Annotated[str, Depends(known)]
Number = Annotated[int, Query(ge=0, lt=2**63)]


class NewConfig(BaseModel):
    """A configuration that somebody wants a gateway to run; ``force`` whatever it runs now."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=CONFIG_BYTES_MAX)]
    why: Annotated[str, Field(max_length=WHY_CHARS_MAX)] = ""
    force: bool = False


class Back(BaseModel):
    """Back to an older version: the one with a number, else the one before."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(ge=0, lt=2**63)] = 0
    why: Annotated[str, Field(max_length=WHY_CHARS_MAX)] = ""


@router.get("/gateways/{gateway}/config", response_model=ConfigShape)
async def config(city: CityOf, gateway: Known) -> dict[str, Any]:
    """Return which version a gateway runs and shall run, and what became of the newest push."""
    return city.configs.summary(gateway)


@router.get("/gateways/{gateway}/config/versions", response_model=VersionList)
async def versions(city: CityOf, gateway: Known) -> dict[str, Any]:
    """List the versions of a gateway's configuration, without their texts."""
    return {"versions": city.configs.history(gateway)}


@router.get("/gateways/{gateway}/config/text", response_model=ConfigText)
async def text(
    city: CityOf, user: Configurer, gateway: Known, number: Number = 0
) -> dict[str, Any]:
    """Return the text of a version, without a number of what runs; it may hold passwords."""
    return {"text": city.configs.text(user, gateway, number).decode("utf-8", "replace")}


@router.get("/gateways/{gateway}/config/diff", response_model=ConfigDiff)
async def diff(
    city: CityOf, user: Configurer, gateway: Known, old: Number = 0, new: Number = 0
) -> dict[str, Any]:
    """Compare two versions: without numbers, what shall run and what does."""
    texts = city.configs.texts_to_compare(user, gateway, old, new)
    return {"diff": await asyncio.to_thread(unified, *texts)}


@router.post(
    "/gateways/{gateway}/config", status_code=202, response_model=PushShape, responses=CONFLICT
)
async def push(city: CityOf, user: Configurer, gateway: Known, new: NewConfig) -> dict[str, Any]:
    """Push a configuration; what becomes of it is told by GET."""
    pushed = city.configs.push(
        user, gateway, new.text.encode(), _now_ns(city), why=new.why, force=new.force
    )
    return described(pushed)


@router.post(
    "/gateways/{gateway}/config/rollback",
    status_code=202,
    response_model=PushShape,
    responses=CONFLICT,
)
async def rollback(city: CityOf, user: Configurer, gateway: Known, back: Back) -> dict[str, Any]:
    """Push an older version again."""
    pushed = city.configs.roll_back(user, gateway, _now_ns(city), number=back.number, why=back.why)
    return described(pushed)


@router.post("/gateways/{gateway}/config/cancel", response_model=PushShape, responses=CONFLICT)
async def cancel(city: CityOf, user: Configurer, gateway: Known) -> dict[str, Any]:
    """Give up a push that has not been sent."""
    return described(city.configs.cancel(user, gateway, _now_ns(city)))


@router.post("/gateways/{gateway}/config/accept", response_model=Accepted, responses=CONFLICT)
async def accept(city: CityOf, user: Configurer, gateway: Known) -> dict[str, Any]:
    """Take over what a gateway runs as what it shall run."""
    return {"number": city.configs.accept(user, gateway, _now_ns(city))}


def _now_ns(city: City) -> int:
    return city.clock.now_ns()
