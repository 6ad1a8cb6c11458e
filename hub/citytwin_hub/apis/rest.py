"""REST: the routes under /api/v1. Each is thin: it checks who asks, asks the city, and shapes."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from citytwin.batch import Int32
from citytwin.errors import CityTwinError, StoreLimit
from citytwin_hub.access import Role, User
from citytwin_hub.apis.city import City
from citytwin_hub.apis.shapes import (
    Acknowledgement,
    AlarmList,
    CommandList,
    CommandShape,
    GatewayList,
    History,
    LatestValues,
    Me,
    PointList,
    Problem,
)

PAGE_MAX: Final = 1000
ROWS_MAX: Final = 1000
SAMPLES_MAX: Final = 500_000
MS: Final = 1_000_000
TIME_MS_MAX: Final = 9_000_000_000_000

REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "the body is no text"},
    401: {"model": Problem, "description": "no token, or a wrong one"},
    403: {"model": Problem, "description": "the token's role is too small"},
    422: {"model": Problem, "description": "a field is wrong; it is named"},
    429: {"model": Problem, "description": "too many wrong tokens, or too many open commands"},
    503: {"model": Problem, "description": "the hub's disk refuses; try again"},
}
NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "there is no such thing"}
}
CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "the id was given before, for something else"}
}

router = APIRouter(prefix="/api/v1", responses=REFUSALS)


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


async def viewer(city: CityOf, bearer: Bearer) -> User:
    """Return who asks; raises AccessError."""
    return city.access.user(bearer.credentials if bearer else "", city.clock.now_ns())


async def operator(user: Annotated[User, Depends(viewer)]) -> User:
    """Return who asks, if he may act."""
    if user.role < Role.OPERATOR:
        raise ApiError(403, f"{user.name} may look but not act")
    return user


Viewer = Annotated[User, Depends(viewer)]
Operator = Annotated[User, Depends(operator)]


@router.get("/me", response_model=Me)
async def me(user: Viewer) -> dict[str, Any]:
    """Say whose token it is."""
    return {"name": user.name, "role": user.role.name.lower()}


@router.get("/points", response_model=PointList)
async def points(
    city: CityOf,
    _user: Viewer,
    gateway: str = "",
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
    gone: bool = False,
) -> dict[str, Any]:
    """List points by row, a page at a time; with ``gone`` those that gateways have no more."""
    wanted = q.casefold()
    matching = (
        city.point(row, point)
        for row, point in sorted(city.registry.points.items())
        if row > after
        and (row in city.registry.gone) == gone
        and (not gateway or point.gateway == gateway)
        and (not wanted or wanted in _searched(point))
    )
    found = list(itertools.islice(matching, limit + 1))
    page = found[:limit]
    return {"points": page, "next": page[-1]["row"] if len(found) > limit else None}


@router.get(
    "/latest", response_model=LatestValues, response_model_exclude_unset=True, responses=NOT_FOUND
)
async def latest(city: CityOf, _user: Viewer, rows: str = "", gateway: str = "") -> dict[str, Any]:
    """Return the latest sample of some points, of a gateway's, or of all that have one."""
    chosen = _rows(city, rows) if rows else None
    if gateway:
        mine = [row for row, point in city.registry.points.items() if point.gateway == gateway]
        chosen = mine if chosen is None else [row for row in chosen if row in set(mine)]
    values = city.values(city.twin.read(chosen))
    left_out = city.registry.gone if chosen is None else ()
    return {
        "now_ms": city.clock.now_ns() // MS,
        "values": [one for one in values if one["time_ms"] and one["row"] not in left_out],
    }


@router.get("/history", response_model=History, responses=NOT_FOUND)
def history(
    city: CityOf,
    _user: Viewer,
    rows: Annotated[str, Query(min_length=1)],
    start_ms: Annotated[int, Query(ge=0, le=TIME_MS_MAX)],
    end_ms: Annotated[int, Query(ge=0, le=TIME_MS_MAX)],
    step_ms: Annotated[int | None, Query(ge=1, le=TIME_MS_MAX)] = None,
) -> Response:
    """Return samples of some points between two moments, or their sums by step."""
    # Not a coroutine: reading files takes its time on a thread of its own.
    chosen = _rows(city, rows)
    if end_ms < start_ms:
        raise ApiError(422, "end_ms lies before start_ms", "end_ms")
    span = (start_ms * MS, end_ms * MS)
    if step_ms is None:
        try:
            batch = city.history.read(chosen, *span, samples_max=SAMPLES_MAX)
        except StoreLimit as error:
            raise ApiError(422, str(error), "end_ms") from None
        columns = {"time_ms": batch.time_ns // MS, "value": batch.value, "quality": batch.quality}
        parts = _by_row(batch.point, columns, chosen)
        return _answer({"samples": [city.texts(part) for part in parts], "steps": None})
    try:
        sums = city.history.aggregate(chosen, *span, step_ns=step_ms * MS)
    except StoreLimit as error:
        raise ApiError(422, str(error), "step_ms") from None
    columns = {
        "time_ms": sums.time_ns // MS,
        "low": sums.low,
        "mean": sums.mean,
        "high": sums.high,
        "count": sums.count,
        "quality": sums.quality,
    }
    return _answer({"samples": None, "steps": _by_row(sums.point, columns, chosen)})


@router.get("/gateways", response_model=GatewayList)
async def gateways(city: CityOf, _user: Viewer) -> dict[str, Any]:
    """List gateways with their state."""
    return {"gateways": city.gateways()}


@router.get("/alarms", response_model=AlarmList)
async def alarms(city: CityOf, _user: Viewer) -> dict[str, Any]:
    """List the alarms that have not both returned and been acknowledged."""
    return {"alarms": city.alarms.described()}


@router.post("/alarms/{number}/acknowledge", response_model=Acknowledgement, responses=NOT_FOUND)
async def acknowledge(city: CityOf, user: Operator, number: int) -> dict[str, Any]:
    """Note that an operator has seen an alarm."""
    alarm = city.alarms.acknowledge(number, user.name, city.clock.now_ns())
    if alarm is None:
        raise ApiError(404, f"there is no open alarm {number}")
    return {"id": alarm.id, "state": alarm.state}


class Wish(BaseModel):
    """What somebody wants a point to be."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=False)

    point: Annotated[str, Field(max_length=200)]
    value: float
    expires_s: float = 30.0
    reason: Annotated[str, Field(max_length=200)] = ""
    id: Annotated[str, Field(max_length=32)] = ""


@router.post(
    "/commands", status_code=202, response_model=CommandShape, responses=NOT_FOUND | CONFLICT
)
async def command(city: CityOf, user: Viewer, wish: Wish) -> dict[str, Any]:
    """Submit a command; what becomes of it is told by /commands/{id} and the live stream."""
    tracked = city.commands.submit(
        user,
        wish.point,
        wish.value,
        city.clock.now_ns(),
        expires_s=wish.expires_s,
        command_id=wish.id,
        reason=wish.reason,
    )
    return city.commands.described(tracked)


@router.get("/commands", response_model=CommandList)
async def commands(city: CityOf, _user: Viewer) -> dict[str, Any]:
    """List the newest commands."""
    return {"commands": [city.commands.described(one) for one in city.commands.listed()]}


@router.get("/commands/{command_id}", response_model=CommandShape, responses=NOT_FOUND)
async def one_command(city: CityOf, _user: Viewer, command_id: str) -> dict[str, Any]:
    """Return one command and every state that it went through."""
    tracked = city.commands.find(command_id)
    if tracked is None:
        raise ApiError(404, f"there is no command {command_id[:40]!r}")
    return city.commands.described(tracked)


@router.get("/city")
async def base_map(city: CityOf, _user: Viewer) -> dict[str, Any]:
    """Return the base map as GeoJSON."""
    return city.base_map


def _rows(city: City, text: str) -> list[int]:
    parts = text.split(",")
    if len(parts) > ROWS_MAX:
        raise ApiError(422, f"at most {ROWS_MAX} rows at once", "rows")
    try:
        rows = [int(part) for part in parts]
    except ValueError:
        raise ApiError(422, "rows are whole numbers with commas between", "rows") from None
    if any(not 0 <= row < 2**31 for row in rows):
        raise ApiError(422, "a row is a number from 0 to 2147483647", "rows")
    unknown = next((row for row in rows if row not in city.registry.points), None)
    if unknown is not None:
        raise ApiError(404, f"there is no point with row {unknown}", "rows")
    return rows


def _by_row(point: Int32, columns: dict[str, Any], rows: list[int]) -> list[dict[str, Any]]:
    """Return a list by row of {row, column: list} of columns that are ordered by point."""
    shown = []
    for row in dict.fromkeys(rows):
        mine = slice(*np.searchsorted(point, (row, row + 1)).tolist())
        shown.append({"row": row, **{name: c[mine].tolist() for name, c in columns.items()}})
    return shown


def _answer(body: dict[str, Any]) -> Response:
    """Return a long answer as JSON; NaN becomes null. Checking each number would take seconds."""
    return Response(msgspec.json.encode(body), media_type="application/json")


def _searched(point: Any) -> str:
    labels = (point.label, point.device_label)
    words = [point.id, point.feeds, *(text for one in labels for text in (one.kk, one.ru, one.en))]
    return " ".join(words).casefold()
