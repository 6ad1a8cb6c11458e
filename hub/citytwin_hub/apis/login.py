"""Login over REST: a name and a password open a session, whose cookie no script can read."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from citytwin_hub.accounts import PASSWORD_CHARS_MAX, SESSION_NS_MAX
from citytwin_hub.apis.admitting import ApiError, CityOf
from citytwin_hub.apis.door import COOKIE, source_of
from citytwin_hub.apis.rest import REFUSALS

SECOND_NS: Final = 10**9
NAME_CHARS_MAX: Final = 80

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


class Credentials(BaseModel):
    """Who wants in."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX)]
    password: Annotated[str, Field(min_length=1, max_length=PASSWORD_CHARS_MAX)]


class SessionShape(BaseModel):
    """Who is in; every write must show ``csrf`` as its header X-CSRF-Token."""

    name: str
    csrf: str


class Ended(BaseModel):
    """That a session has ended."""

    ended: bool


# Not coroutines: a password takes a tenth of a second of a processor.
@router.post("/login", response_model=SessionShape)
def log_in(
    city: CityOf, request: Request, response: Response, given: Credentials
) -> dict[str, Any]:
    """Open a session."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ApiError(403, "log in on the hub's own page")
    opened = city.door.log_in(given.name, given.password, source_of(request))
    response.set_cookie(
        COOKIE,
        opened.cookie,
        max_age=SESSION_NS_MAX // SECOND_NS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return {"name": given.name, "csrf": opened.csrf}


@router.get("/session", response_model=SessionShape)
def session(city: CityOf, request: Request) -> dict[str, Any]:
    """Return who is in by the cookie, and the CSRF token: for a page that was loaded anew."""
    name, csrf = city.door.session(request)
    return {"name": name, "csrf": csrf}


@router.post("/logout", response_model=Ended)
def log_out(city: CityOf, request: Request, response: Response) -> dict[str, Any]:
    """End the session of the cookie."""
    city.door.log_out(request)
    response.delete_cookie(COOKIE, path="/")
    return {"ended": True}
