"""Admitting: who asks a REST route, and what he may: one permit for each request, made here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from citytwin.errors import CityTwinError
from citytwin_hub.apis.city import City
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.permit import Permit


class ApiError(CityTwinError):
    """An answer that is not 200; becomes ``{error: {code, message, field}}``."""

    def __init__(self, status: int, message: str, field: str = "") -> None:
        """Answer with an HTTP status and a sentence."""
        super().__init__(message)
        self.status, self.field = status, field


async def city_of(request: Request) -> City:
    """Return what the application was built on."""
    city: City = request.app.state.city
    return city


CityOf = Annotated[City, Depends(city_of)]
Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, description="what `citytwin-hub user add` printed")),
]


def _needs(*acts: Act, whole: bool = False) -> Callable[..., Awaitable[Permit]]:
    """Return what admits a request that does the first of some acts, if it may do one of them.

    ``whole``: only if it may do it everywhere.
    """

    async def admitted(request: Request, city: CityOf, _bearer: Bearer) -> Permit:
        permit = city.door.admit(request, *acts, whole=whole)
        if acts[0] is not Act.READ:
            await run_in_threadpool(city.door.record, request, permit, acts[0])
        return permit

    return admitted


Reader = Annotated[Permit, Depends(_needs(Act.READ))]
Commander = Annotated[Permit, Depends(_needs(Act.COMMAND, Act.READ))]
"""Who wants to act on points; who may only look is refused with a sentence of his own."""
Planner = Annotated[Permit, Depends(_needs(Act.PLAN))]
Writer = Annotated[Permit, Depends(_needs(Act.WRITE))]
WholeReader = Annotated[Permit, Depends(_needs(Act.READ, whole=True))]
WholeWriter = Annotated[Permit, Depends(_needs(Act.WRITE, whole=True))]
Configurer = Annotated[Permit, Depends(_needs(Act.CONFIGURE, whole=True))]
