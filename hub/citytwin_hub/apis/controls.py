"""Controls: commands in the words of OGC API – Connected Systems, part 2 (23-002, dynamic data).

A control stream is one writable point; what is asked of it is a command, a resource of its own with
status reports, and never an attribute that somebody overwrites. Whether a command could be carried
out now is told by a feasibility request, which commands nothing. Commands given at
``/api/v1/commands``, on the page or in the terminal are the same ones.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from citytwin.quality import Quality
from citytwin_hub.apis import control_shapes as shapes
from citytwin_hub.apis.admitting import ApiError, CityOf, Commander, Reader
from citytwin_hub.apis.city import City
from citytwin_hub.apis.control_shapes import DEFINITION, JSON, ROOT, Json
from citytwin_hub.apis.rest import CONFLICT, NOT_FOUND, REFUSALS
from citytwin_hub.command_checks import CommandRefused, Wish, command_of, refused
from citytwin_hub.command_states import STATUS, code_of
from citytwin_hub.commands import LISTED_MAX, Tracked
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.moments import format_ns, parse_ns
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.permit import Permit

FEASIBILITY_MAX: Final = 1000
"""Answers to feasibility requests that are kept, the newest."""
_LIMIT: Final = 100

router = APIRouter(prefix=ROOT, responses=REFUSALS, tags=["Connected Systems"])


class CommandGiven(BaseModel):
    """A command: one parameter, named as the control stream's schema says."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    parameters: dict[Annotated[str, Field(max_length=200)], float] = Field(max_length=1)
    executionTime: list[Annotated[str, Field(max_length=40)]] | None = Field(None, max_length=2)
    """When: [not before, not after]; ``now`` and ``..`` for at once and as usual."""


class StatusGiven(BaseModel):
    """A status report of a client: only that he withdraws the command."""

    model_config = ConfigDict(extra="forbid")

    statusCode: str = Field(pattern="^CANCELED$")


Limit = Annotated[int, Query(ge=1, le=LISTED_MAX)]


@router.get("/")
async def landing(request: Request, _permit: Reader) -> Json:
    """Say where everything is."""
    return {
        "title": "CityTwin: commands to the city's devices",
        "links": [
            shapes.link_to(request, "", "self"),
            shapes.link_to(request, "/conformance", "conformance"),
            shapes.link_to(request, "/controlstreams", "controlstreams"),
            shapes.link_to(request, "/commands", "commands"),
        ],
    }


@router.get("/conformance")
async def conformance(_permit: Reader) -> Json:
    """Say which requirements are met."""
    base = "http://www.opengis.net/spec/ogcapi-connectedsystems-2/1.0/conf/"
    return {"conformsTo": [base + name for name in ("controlstream", "feasibility", "json")]}


@router.get("/controlstreams")
async def streams(
    request: Request,
    city: CityOf,
    permit: Reader,
    limit: Limit = _LIMIT,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Json:
    """List what can be commanded, a page at a time."""
    rows = [row for row in sorted(city.registry.points) if _is_stream(city, permit, row)]
    page = rows[offset : offset + limit]
    links = [shapes.link_to(request, "/controlstreams", "self")]
    if offset + limit < len(rows):
        onward = f"/controlstreams?limit={limit}&offset={offset + limit}"
        links.append(shapes.link_to(request, onward, "next"))
    return {"items": [shapes.stream_of(request, city, row) for row in page], "links": links}


@router.get("/controlstreams/{stream}", responses=NOT_FOUND)
async def stream(request: Request, city: CityOf, permit: Reader, stream: str) -> Json:
    """Return a control stream: one writable point."""
    return shapes.stream_of(request, city, _row(city, permit, stream))


@router.get("/controlstreams/{stream}/schema", responses=NOT_FOUND)
async def schema(
    city: CityOf, permit: Reader, stream: str, cmdFormat: str = JSON
) -> Json:  # the standard's word
    """Say what a command to it may be (SWE Common 3.0)."""
    if cmdFormat != JSON:
        raise ApiError(422, f"commands are written as {JSON}", "cmdFormat")
    point = city.registry.points[_row(city, permit, stream)]
    return {
        "commandFormat": JSON,
        "parametersSchema": {
            "type": "DataRecord",
            "label": point.label.en or point.id,
            "fields": [shapes.quantity_of(point)],
        },
        "feasibilityResultSchema": {
            "type": "DataRecord",
            "label": "Whether it could be carried out",
            "fields": [
                {"type": "Boolean", "name": "feasible", "definition": DEFINITION + "feasible",
                 "label": "It could be carried out now"}
            ],
        },
    }  # fmt: skip


@router.get("/controlstreams/{stream}/commands", responses=NOT_FOUND)
async def stream_commands(
    request: Request, city: CityOf, permit: Reader, stream: str,
    statusCode: str = "", limit: Limit = _LIMIT,
) -> Json:  # fmt: skip
    """List the newest commands to it."""
    found = city.commands.listed(_row(city, permit, stream))
    return _commands(request, city, found, statusCode, limit)


@router.post(
    "/controlstreams/{stream}/commands", status_code=201, responses=NOT_FOUND | CONFLICT
)  # fmt: skip
async def submit(
    request: Request, response: Response, city: CityOf, permit: Commander, stream: str,
    given: CommandGiven,
) -> Json:  # fmt: skip
    """Give a command, at once or for later."""
    wish = _wish(city, permit, _row(city, permit, stream), given)
    tracked = city.commands.submit(
        permit, wish.point, wish.value, city.clock.now_ns(),
        expires_s=wish.expires_s, at_ns=wish.at_ns,
    )  # fmt: skip
    response.headers["Location"] = shapes.url_of(request, f"/commands/{tracked.command.id}")
    return shapes.command_of(city, tracked)


@router.post("/controlstreams/{stream}/feasibility", status_code=201, responses=NOT_FOUND)
async def ask_feasibility(
    request: Request, response: Response, city: CityOf, permit: Commander, stream: str,
    given: CommandGiven,
) -> Json:  # fmt: skip
    """Ask whether a command could be carried out; nothing is commanded."""
    row = _row(city, permit, stream)
    wish, now_ns = _wish(city, permit, row, given), city.clock.now_ns()
    asked = uuid.uuid4().hex
    checks = _checks(city, wish, row, asked, now_ns)
    told = {
        "id": asked,
        "controlstream@id": stream,
        "issueTime": format_ns(now_ns),
        "sender": permit.name,
        "currentStatus": "COMPLETED",
        "parameters": given.parameters,
        "feasible": all(one["passed"] for one in checks),
        "checks": checks,
    }
    kept = _kept(request)
    kept[asked] = told
    while len(kept) > FEASIBILITY_MAX:
        kept.popitem(last=False)
    response.headers["Location"] = shapes.url_of(request, f"/feasibility/{asked}")
    return told


@router.get("/feasibility/{asked}", responses=NOT_FOUND)
async def feasibility(request: Request, permit: Reader, asked: str) -> Json:
    """Return the answer to a feasibility request, as long as it is kept."""
    told: Json | None = _kept(request).get(asked)
    if told is None or not (permit.is_whole(Act.READ) or told["sender"] == permit.name):
        raise ApiError(404, f"there is no answer {asked[:40]!r}; the newest are kept")
    return told


@router.get("/commands")
async def commands(
    request: Request, city: CityOf, permit: Reader, statusCode: str = "", limit: Limit = _LIMIT
) -> Json:  # fmt: skip
    """List the newest commands to anything."""
    found = [one for one in city.commands.listed() if _sees(city, permit, one.row)]
    return _commands(request, city, found, statusCode, limit)


@router.get("/commands/{command}", responses=NOT_FOUND)
async def command(city: CityOf, permit: Reader, command: str) -> Json:
    """Return a command."""
    return shapes.command_of(city, _tracked(city, permit, command))


@router.get("/commands/{command}/status", responses=NOT_FOUND)
async def statuses(request: Request, city: CityOf, permit: Reader, command: str) -> Json:
    """List its status reports, the oldest first."""
    items = shapes.reports_of(_tracked(city, permit, command))
    return {
        "items": items,
        "links": [shapes.link_to(request, f"/commands/{command}/status", "self")],
    }


@router.get("/commands/{command}/status/{number}", responses=NOT_FOUND)
async def status(city: CityOf, permit: Reader, command: str, number: str) -> Json:
    """Return one of its status reports."""
    for report in shapes.reports_of(_tracked(city, permit, command)):
        if report["id"] == number:
            return report
    raise ApiError(404, f"command {command} has no status report {number[:40]!r}")


@router.post("/commands/{command}/status", status_code=201, responses=NOT_FOUND | CONFLICT)
async def cancel(city: CityOf, permit: Commander, command: str, _given: StatusGiven) -> Json:
    """Withdraw a command that was not sent yet."""
    tracked = _tracked(city, permit, command)
    if city.commands.may(permit, tracked.row) is False:
        raise ApiError(403, f"{permit.name} may not command {tracked.command.point}")
    city.commands.cancel(permit, tracked, city.clock.now_ns())
    return shapes.reports_of(tracked)[-1]


@router.get("/commands/{command}/result", responses=NOT_FOUND)
async def result(request: Request, city: CityOf, permit: Reader, command: str) -> Json:
    """Say where what was read back can be seen; empty while nothing was."""
    tracked = _tracked(city, permit, command)
    items = []
    if tracked.state == "settled":
        read_ms = tracked.newest[1] // 1_000_000
        history = f"/api/v1/history?rows={tracked.row}&start_ms={read_ms}&end_ms={read_ms + 1}"
        href = str(request.base_url).rstrip("/") + history
        items = [
            {"id": "0", "command@id": command, "observation@link": {"href": href, "type": JSON}}
        ]
    return {
        "items": items,
        "links": [shapes.link_to(request, f"/commands/{command}/result", "self")],
    }


def _is_stream(city: City, permit: Permit, row: int) -> bool:
    is_there = city.registry.points[row].writable is not None and row not in city.registry.gone
    return is_there and _sees(city, permit, row)


def _sees(city: City, permit: Permit, row: int) -> bool:
    """Tell whether somebody may see a point and commands to it, which who sees late may not."""
    rights = permit.rights
    acts = (Act.READ, Act.COMMAND)
    return not rights.is_coarse and any(city.seen.has(rights, row, act) for act in acts)


def _row(city: City, permit: Permit, stream: str) -> int:
    row = int(stream) if stream.isascii() and stream.isdecimal() and len(stream) < 12 else -1
    if row not in city.registry.points or not _is_stream(city, permit, row):
        raise ApiError(404, f"there is no control stream {stream[:40]!r}")
    return row


def _tracked(city: City, permit: Permit, command: str) -> Tracked:
    tracked = city.commands.find(command)
    if tracked is None or not _sees(city, permit, tracked.row):
        raise ApiError(404, f"there is no command {command[:40]!r}")
    return tracked


def _wish(city: City, user: Permit, row: int, given: CommandGiven) -> Wish:
    """Return what is asked for; raises ApiError with the field."""
    point = city.registry.points[row]
    if set(given.parameters) != {shapes.name_of(point)}:
        raise ApiError(422, f"parameters has one member, {shapes.name_of(point)!r}", "parameters")
    begin, end = ([*given.executionTime, "..", ".."] if given.executionTime else ("..", ".."))[:2]
    now_ns = city.clock.now_ns()
    at_ns = None if begin in {"..", "now"} else _moment(begin)
    expires_s = Wish._field_defaults["expires_s"]
    if end not in {"..", "now"}:
        expires_s = (_moment(end) - max(at_ns or now_ns, now_ns)) / 1e9
    return Wish(user, point.id, given.parameters[shapes.name_of(point)], expires_s, at_ns)


def _moment(text: str) -> int:
    try:
        return parse_ns(text)
    except (BadRequestData, ValueError):
        raise ApiError(
            422, f"{text!r} is no moment; write 2026-11-26T17:10:00Z, now or ..", "executionTime"
        ) from None


def _checks(city: City, wish: Wish, row: int, asked: str, now_ns: int) -> list[Json]:
    """Return what a command needs, and whether that is so now."""
    point = city.registry.points[row]
    refusal: CommandRefused | None
    may = city.commands.may(wish.user, row)
    try:
        refusal = refused(city.registry, may, command_of(wish, point, asked, now_ns))
    except CommandRefused as error:
        refusal = error
    connected = point.gateway in city.ingest.connections
    latest = city.twin.read([row])
    quality = Quality(int(latest.quality[0]))
    known = bool(latest.time_ns[0]) and quality.severity.value < 2
    others = [one.command.id for one in city.commands.open_on(point.id)]
    return [
        _check("allowed", refusal is None, str(refusal or "within limits, step and rights")),
        _check("connected", connected, f"gateway {point.gateway} is " + (
            "connected" if connected else "not connected")),
        _check("known", known, "its present value is known" if known else (
            f"its present value is not known: {quality.words}" if latest.time_ns[0]
            else "it was never read")),
        _check("alone", not others, f"other commands to it are open: {', '.join(others[:10])}"
               if others else "no other command to it is open"),
    ]  # fmt: skip


def _check(name: str, passed: bool, message: str) -> Json:
    return {"name": name, "passed": passed, "message": message}


def _commands(
    request: Request, city: City, found: list[Tracked], code: str, limit: int
) -> Json:  # fmt: skip
    if code and code not in STATUS.values():
        raise ApiError(422, f"statusCode is one of {', '.join(sorted(set(STATUS.values())))}",
                       "statusCode")  # fmt: skip
    shown = [one for one in found if not code or code_of(one.state) == code][:limit]
    path = request.url.path.removeprefix(ROOT)
    return {
        "items": [shapes.command_of(city, one) for one in shown],
        "links": [shapes.link_to(request, path, "self")],
    }


def _kept(request: Request) -> OrderedDict[str, Json]:
    kept: OrderedDict[str, Json] = request.app.state.feasibility
    return kept
