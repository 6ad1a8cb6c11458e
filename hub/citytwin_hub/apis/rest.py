"""REST: the routes under /api/v1. Each is thin: it checks who asks, asks the city, and shapes."""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from citytwin.errors import CityTwinError
from citytwin_hub.access import Role, User
from citytwin_hub.apis.city import City
from citytwin_hub.apis.shapes import (
    AlarmList,
    CommandList,
    CommandShape,
    GatewayList,
    History,
    LatestValues,
    Me,
    PointList,
)

PAGE_MAX: Final = 1000
ROWS_MAX: Final = 1000
SAMPLES_MAX: Final = 500_000
MS: Final = 1_000_000
TIME_MS_MAX: Final = 9_000_000_000_000

router = APIRouter(prefix="/api/v1")


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


async def viewer(city: CityOf, authorization: Annotated[str, Header()] = "") -> User:
    """Return who asks; raises AccessError."""
    scheme, _, token = authorization.partition(" ")
    return city.access.user(token if scheme.lower() == "bearer" else "", city.clock.now_ns())


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
) -> dict[str, Any]:
    """List points by row, a page at a time."""
    wanted = q.casefold()
    found = [
        city.point(row, point)
        for row, point in sorted(city.registry.points.items())
        if row > after
        and (not gateway or point.gateway == gateway)
        and (not wanted or wanted in _searched(point))
    ]
    page = found[:limit]
    return {"points": page, "next": page[-1]["row"] if len(found) > limit else None}


@router.get("/latest", response_model=LatestValues, response_model_exclude_unset=True)
async def latest(city: CityOf, _user: Viewer, rows: str = "", gateway: str = "") -> dict[str, Any]:
    """Return the latest sample of some points, of a gateway's, or of all that have one."""
    chosen = _rows(rows) if rows else None
    if gateway:
        mine = [row for row, point in city.registry.points.items() if point.gateway == gateway]
        chosen = mine if chosen is None else [row for row in chosen if row in set(mine)]
    if chosen is not None:
        chosen = [row for row in chosen if row in city.registry.points]
    values = city.values(city.twin.read(chosen))
    return {
        "now_ms": city.clock.now_ns() // MS,
        "values": [value for value in values if value["time_ms"]],
    }


@router.get("/history", response_model=History, response_model_exclude_none=False)
def history(
    city: CityOf,
    _user: Viewer,
    rows: Annotated[str, Query(min_length=1)],
    start_ms: Annotated[int, Query(ge=0, le=TIME_MS_MAX)],
    end_ms: Annotated[int, Query(ge=0, le=TIME_MS_MAX)],
    step_ms: Annotated[int | None, Query(ge=1, le=TIME_MS_MAX)] = None,
) -> dict[str, Any]:
    """Return samples of some points between two moments, or their sums by step."""
    # Not a coroutine: reading files takes its time on a thread of its own.
    chosen = _rows(rows)
    span = (start_ms * MS, end_ms * MS)
    if step_ms is None:
        batch = city.history.read(chosen, *span, samples_max=SAMPLES_MAX)
        columns = {"time_ms": batch.time_ns // MS, "value": batch.value, "quality": batch.quality}
        return {"samples": _by_row(batch.point, columns, chosen)}
    sums = city.history.aggregate(chosen, *span, step_ns=step_ms * MS)
    columns = {
        "time_ms": sums.time_ns // MS,
        "low": sums.low,
        "mean": sums.mean,
        "high": sums.high,
        "count": sums.count,
        "quality": sums.quality,
    }
    return {"steps": _by_row(sums.point, columns, chosen)}


@router.get("/gateways", response_model=GatewayList)
async def gateways(city: CityOf, _user: Viewer) -> dict[str, Any]:
    """List gateways with their state."""
    return {"gateways": city.gateways()}


@router.get("/alarms", response_model=AlarmList)
async def alarms(city: CityOf, _user: Viewer) -> dict[str, Any]:
    """List the alarms that have not both returned and been acknowledged."""
    return {"alarms": city.alarms.described()}


@router.post("/alarms/{number}/acknowledge")
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


@router.post("/commands", status_code=202, response_model=CommandShape)
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


@router.get("/commands/{command_id}", response_model=CommandShape)
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


def _rows(text: str) -> list[int]:
    parts = text.split(",")
    if len(parts) > ROWS_MAX:
        raise ApiError(422, f"at most {ROWS_MAX} rows at once", "rows")
    try:
        rows = [int(part) for part in parts]
    except ValueError:
        raise ApiError(422, "rows are whole numbers with commas between", "rows") from None
    if any(not 0 <= row < 2**31 for row in rows):
        raise ApiError(422, "a row is a number from 0 to 2147483647", "rows")
    return rows


def _by_row(point: Any, columns: dict[str, Any], rows: list[int]) -> list[dict[str, Any]]:
    """Return a list by row of {row, column: list}; NaN becomes null."""
    shown = []
    for row in dict.fromkeys(rows):
        mine = point == row
        entry: dict[str, Any] = {"row": row}
        for name, column in columns.items():
            part = column[mine]
            if part.dtype == np.float64:
                entry[name] = [value if value == value else None for value in part.tolist()]  # noqa: PLR0124
            else:
                entry[name] = part.tolist()
        shown.append(entry)
    return shown


def _searched(point: Any) -> str:
    labels = (point.label, point.device_label)
    words = [point.id, point.feeds, *(text for one in labels for text in (one.kk, one.ru, one.en))]
    return " ".join(words).casefold()
