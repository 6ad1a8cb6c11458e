"""REST: the routes under /api/v1. Each is thin: it checks who asks, asks the city, and shapes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from math import isfinite
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from citytwin.batch import Int32
from citytwin.errors import StoreLimit
from citytwin.history import Aggregates
from citytwin.reasons import NO_POINT
from citytwin_hub.apis.admitting import ApiError, CityOf, Commander, Reader
from citytwin_hub.apis.city import City
from citytwin_hub.apis.personal import note
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
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.late import grid_ns, moment_ns
from citytwin_hub.policy.permit import Permit
from citytwin_hub.policy.sight import rounded

PAGE_MAX: Final = 1000
ROWS_MAX: Final = 1000
SAMPLES_MAX: Final = 500_000
SUMS: Final = ("time_ms", "low", "mean", "high", "count", "quality")
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


@router.get("/me", response_model=Me)
async def me(permit: Reader) -> dict[str, Any]:
    """Say whose token it is."""
    return {
        "name": permit.name,
        "role": permit.role,
        "acts": sorted(act.value for act in permit.rights.acts),
    }


@router.get("/points", response_model=PointList)
async def points(
    city: CityOf,
    permit: Reader,
    gateway: str = "",
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
    gone: bool = False,
) -> dict[str, Any]:
    """List points by row, a page at a time; with ``gone`` those that gateways have no more."""
    wanted, seen = q.casefold(), city.seen.rows(permit.rights)
    matching = (
        city.point(row, point)
        for row, point in sorted(city.registry.points.items())
        if row > after
        and (seen is None or row in seen)
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
async def latest(city: CityOf, permit: Reader, rows: str = "", gateway: str = "") -> dict[str, Any]:
    """Return the latest sample of some points, of a gateway's, or of all that have one."""
    chosen = _rows(city, permit, rows) if rows else None
    if gateway:
        mine = [row for row, point in city.registry.points.items() if point.gateway == gateway]
        chosen = mine if chosen is None else [row for row in chosen if row in set(mine)]
    newest = city.latest(permit.rights, chosen)
    await run_in_threadpool(noted, city, permit, "latest", newest.row.tolist())
    values = city.values(newest)
    left_out = city.registry.gone if chosen is None else ()
    return {
        "now_ms": city.clock.now_ns() // MS,
        "values": [one for one in values if one["time_ms"] and one["row"] not in left_out],
    }


@router.get("/history", response_model=History, responses=NOT_FOUND)
def history(
    city: CityOf,
    permit: Reader,
    rows: Annotated[str, Query(min_length=1)],
    start_ms: Annotated[int, Query(ge=0, le=TIME_MS_MAX)],
    end_ms: Annotated[int, Query(ge=0, le=TIME_MS_MAX)],
    step_ms: Annotated[int | None, Query(ge=1, le=TIME_MS_MAX)] = None,
) -> Response:
    """Return samples of some points between two moments, or their sums by step."""
    # Not a coroutine: reading files takes its time on a thread of its own.
    chosen = _rows(city, permit, rows)
    if end_ms < start_ms:
        raise ApiError(422, "end_ms lies before start_ms", "end_ms")
    span = (start_ms * MS, end_ms * MS)
    noted(city, permit, "history", chosen)
    if permit.rights.is_coarse:
        return _answer({"samples": None, "steps": _late(city, permit, chosen, span, step_ms)})
    if step_ms is None:
        try:
            batch = city.history.read(chosen, *span, samples_max=SAMPLES_MAX)
        except StoreLimit as error:
            raise ApiError(422, str(error), "end_ms") from None
        columns = {"time_ms": batch.time_ns // MS, "value": batch.value, "quality": batch.quality}
        parts = _by_row(batch.point, columns, chosen)
        return _answer({"samples": [city.texts(part) for part in parts], "steps": None})
    sums = _summed(city, chosen, span, step_ms * MS)
    return _answer({"samples": None, "steps": _steps(sums, chosen)})


def _late(
    city: City, permit: Permit, rows: list[int], span: tuple[int, int], step_ms: int | None
) -> list[dict[str, Any]]:
    """Return means of whole steps of one grid, up to the moment that is shown."""
    rights, grid = permit.rights, grid_ns(permit.rights)
    if step_ms is None or step_ms * MS % grid:
        least = f"{grid // MS} ms or a multiple of it"
        raise ApiError(403, f"{permit.role} sees means only: step_ms is {least}", "step_ms")
    step_ns = step_ms * MS
    end_ns = min(span[1], moment_ns(rights, city.clock.now_ns())) // step_ns * step_ns
    start_ns = -(-span[0] // step_ns) * step_ns
    if start_ns >= end_ns:
        return _by_row(np.zeros(0, np.int32), {name: np.zeros(0) for name in SUMS}, rows)
    shown = _steps(_summed(city, rows, (start_ns, end_ns), step_ns), rows)
    for one in shown:
        step = city.step(rights, one["row"])
        means = [rounded(value, step) if step and isfinite(value) else value
                 for value in one["mean"]]  # fmt: skip
        # The lowest and the highest of a step, and how many there were, are finer than its mean.
        one |= {"low": means, "mean": means, "high": means, "count": [1] * len(means)}
    return shown


def _summed(city: City, rows: list[int], span: tuple[int, int], step_ns: int) -> Aggregates:
    try:
        return city.history.aggregate(rows, *span, step_ns=step_ns)
    except StoreLimit as error:
        raise ApiError(422, str(error), "step_ms") from None


def _steps(sums: Aggregates, rows: list[int]) -> list[dict[str, Any]]:
    columns = {name: getattr(sums, name) for name in SUMS[1:]}
    return _by_row(sums.point, {"time_ms": sums.time_ns // MS} | columns, rows)


@router.get("/gateways", response_model=GatewayList)
async def gateways(city: CityOf, permit: Reader) -> dict[str, Any]:
    """List gateways with their state."""
    shown = city.gateways()
    if not permit.is_whole(Act.READ):
        known = city.seen.gateways(permit.rights)
        shown = [one for one in shown if one["name"] in known]
    return {"gateways": shown}


@router.get("/alarms", response_model=AlarmList)
async def alarms(city: CityOf, permit: Reader) -> dict[str, Any]:
    """List the alarms that have not both returned and been acknowledged."""
    return {"alarms": alarms_for(city, permit)}


@router.post("/alarms/{number}/acknowledge", response_model=Acknowledgement, responses=NOT_FOUND)
async def acknowledge(city: CityOf, user: Commander, number: int) -> dict[str, Any]:
    """Note that an operator has seen an alarm."""
    if not user.may(Act.COMMAND):
        raise ApiError(403, f"{user.name} may look but not act")
    shown = next((one for one in alarms_for(city, user) if one["id"] == number), None)
    if shown is None:
        raise ApiError(404, f"there is no open alarm {number}")
    if not user.is_whole(Act.COMMAND) and not (
        shown["row"] and city.seen.has(user.rights, shown["row"], Act.COMMAND)
    ):
        raise ApiError(403, f"{user.name} may not act on alarm {number}")
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
async def command(city: CityOf, permit: Commander, wish: Wish) -> dict[str, Any]:
    """Submit a command; what becomes of it is told by /commands/{id} and the live stream."""
    row = city.registry.row(wish.point)
    if row is not None and not any(
        city.seen.has(permit.rights, row, act) for act in (Act.READ, Act.COMMAND)
    ):
        raise ApiError(404, NO_POINT.said(point=repr(wish.point)), "point")
    tracked = city.commands.submit(
        permit,
        wish.point,
        wish.value,
        city.clock.now_ns(),
        expires_s=wish.expires_s,
        command_id=wish.id,
        reason=wish.reason,
    )
    return city.commands.described(tracked)


@router.get("/commands", response_model=CommandList)
async def commands(city: CityOf, permit: Reader) -> dict[str, Any]:
    """List the newest commands."""
    listed = [city.commands.described(one) for one in city.commands.listed()]
    return {"commands": commands_for(city, permit, listed)}


@router.get("/commands/{command_id}", response_model=CommandShape, responses=NOT_FOUND)
async def one_command(city: CityOf, permit: Reader, command_id: str) -> dict[str, Any]:
    """Return one command and every state that it went through."""
    tracked = city.commands.find(command_id)
    if tracked is None:
        raise ApiError(404, f"there is no command {command_id[:40]!r}")
    shown = commands_for(city, permit, [city.commands.described(tracked)])
    if not shown:
        raise ApiError(404, f"there is no command {command_id[:40]!r}")
    return shown[0]


@router.get("/city")
async def base_map(city: CityOf, _permit: Reader) -> dict[str, Any]:
    """Return the base map as GeoJSON."""
    return city.base_map


def noted(city: City, permit: Permit, asked: str, rows: Iterable[int] | None) -> None:
    """Write down which points that tell of persons somebody is about to see."""
    if rows is not None:
        some = city.seen.personal(permit.rights, rows)
        note(city.door, permit, asked, set(some.values()), some)


def alarms_for(city: City, permit: Permit) -> list[dict[str, Any]]:
    """Return the open alarms that somebody may see."""
    every = city.alarms.described()
    if permit.is_whole(Act.READ):
        return every
    return [] if permit.rights.is_coarse else [*city.seen.only(permit.rights, every)]


def commands_for(city: City, permit: Permit, shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of some commands that somebody may see."""
    if permit.is_whole(Act.READ):
        return shown
    seen = None if permit.rights.is_coarse else city.seen
    return [one for one in shown if seen is not None and seen.has(permit.rights, one["row"])]


def _rows(city: City, permit: Permit, text: str) -> list[int]:
    parts = text.split(",")
    if len(parts) > ROWS_MAX:
        raise ApiError(422, f"at most {ROWS_MAX} rows at once", "rows")
    try:
        rows = [int(part) for part in parts]
    except ValueError:
        raise ApiError(422, "rows are whole numbers with commas between", "rows") from None
    if any(not 0 <= row < 2**31 for row in rows):
        raise ApiError(422, "a row is a number from 0 to 2147483647", "rows")
    seen = city.seen.rows(permit.rights)
    points = city.registry.points if seen is None else seen
    unknown = next((row for row in rows if row not in points), None)
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
