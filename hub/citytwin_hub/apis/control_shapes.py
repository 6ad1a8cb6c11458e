"""Control shapes: control streams, commands and status reports as JSON documents.

OGC API – Connected Systems, part 2 (23-002): the shapes of its JSON schemas; parameters are
described in SWE Common 3.0 (24-014).
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request

from citytwin.point import Point
from citytwin.units import unit
from citytwin_hub.apis.city import City
from citytwin_hub.command_states import code_of
from citytwin_hub.commands import REPEATED, Tracked
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.messages import reason_text

ROOT: Final = "/ogc/connected-systems/v1"
JSON: Final = "application/json"
DEFINITION: Final = "https://uri.etsi.org/ngsi-ld/default-context/"

Json = dict[str, Any]


def name_of(point: Point) -> str:
    """Return what the parameter of a command to a point is called."""
    return point.attribute or point.name


def stream_of(request: Request, city: City, row: int) -> Json:
    """Return a control stream: one writable point."""
    point = city.registry.points[row]
    newest = city.commands.listed(row)
    span = None
    if newest:
        span = [format_ns(one.history[0][1]) for one in (newest[-1], newest[0])]
    base = str(request.base_url).rstrip("/")
    label = " ".join(filter(None, (point.device_label.en, point.label.en))) or point.id
    told: Json = {
        "id": str(row),
        "name": label,
        "description": point.id,
        "formats": [JSON],
        "inputName": name_of(point),
        "system@link": {
            "href": f"{base}/things/{point.gateway}/{point.device}",
            "uid": f"urn:citytwin:device:{point.gateway}:{point.device}",
        },
        "controlledProperties": [
            {"definition": DEFINITION + name_of(point), "label": point.label.en or point.name}
        ],
        "issueTime": span,
        "executionTime": span,
        "live": point.gateway in city.ingest.connections,
        "async": True,
        "links": [link_to(request, f"/controlstreams/{row}/commands", "commands")],
    }
    if point.feeds:
        told["featureOfInterest@link"] = {
            "href": f"{base}/ngsi-ld/v1/entities/{point.feeds}", "uid": point.feeds,
        }  # fmt: skip
    return told


def quantity_of(point: Point) -> Json:
    """Return the parameter of a command to a point, in SWE Common."""
    told: Json = {
        "name": name_of(point),
        "type": "Quantity",
        "definition": DEFINITION + name_of(point),
        "label": point.label.en or point.name,
        "uom": {"code": unit(point.unit).ucum},
    }
    if point.writable is not None:
        told["constraint"] = {"intervals": [[point.writable.low, point.writable.high]]}
    return told


def command_of(city: City, tracked: Tracked) -> Json:
    """Return a command."""
    command = tracked.command
    point = city.registry.points.get(tracked.row)
    told: Json = {
        "id": command.id,
        "controlstream@id": str(tracked.row),
        "issueTime": format_ns(tracked.history[0][1]),
        "sender": command.issued_by,
        "currentStatus": code_of(tracked.state),
        "parameters": {name_of(point) if point else command.point: command.value},
    }
    if tracked.executed_ns:
        executed = format_ns(tracked.executed_ns)
        told["executionTime"] = [executed, executed]
    return told


def reports_of(tracked: Tracked) -> list[Json]:
    """Return the status reports of a command, the oldest first."""
    reports: list[Json] = []
    for number, (state, at_ns, reason) in enumerate(tracked.history):
        if state == REPEATED:
            continue
        report: Json = {
            "id": str(number),
            "command@id": tracked.command.id,
            "reportTime": format_ns(at_ns),
            "statusCode": code_of(state),
            "message": reason_text(reason).get("en") or state,
        }
        if state == "scheduled":
            due = format_ns(tracked.command.issued_ns)
            report["executionTime"] = [due, format_ns(tracked.command.expires_ns)]
        elif tracked.executed_ns and state in {"executed", "settled"}:
            executed = format_ns(tracked.executed_ns)
            report["executionTime"] = [executed, executed]
        reports.append(report)
    return reports


def url_of(request: Request, path: str) -> str:
    """Return the address of a resource, as whoever asks calls it."""
    return str(request.base_url).rstrip("/") + ROOT + path


def link_to(request: Request, path: str, rel: str) -> dict[str, str]:
    """Return a link to a resource."""
    return {"href": url_of(request, path), "rel": rel, "type": JSON}
