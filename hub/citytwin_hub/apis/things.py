"""Things: devices as W3C Thing Descriptions 1.1 (Web of Things, 2023-12-05), and their properties.

A thing is what answers for points under one name of a gateway: ``/things/GATEWAY/DEVICE``. Each
point is a property, read as an object of value, time and quality, so that age and quality travel
with every value; a failed reading has the value null. What may be commanded is an action,
never a property to be written: a command has a life of its own (``POST /api/v1/commands``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from starlette.responses import Response

from citytwin.point import Kind, Label, Point
from citytwin.quality import Quality
from citytwin.units import unit
from citytwin_hub.apis.ogc.calls import Ask, Described, Parameter, Resource, answer
from citytwin_hub.apis.personal import note
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.policy.grants import Rights
from citytwin_hub.policy.points import PointsSeen
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Latest, Twin

CONTEXT: Final = "https://www.w3.org/2022/wot/td/v1.1"
PREFIXES: Final = {
    "ucum": "https://ucum.org/ucum#",
    "ngsi-ld": "https://uri.etsi.org/ngsi-ld/",
    "sdm": "https://smartdatamodels.org/",
}
TD: Final = "application/td+json"
JSON: Final = "application/json"
PAGE_MAX: Final = 100
"""Things in one answer."""

Json = dict[str, Any]


class Devices(NamedTuple):
    """What things are made of."""

    registry: Registry
    twin: Twin
    seen: PointsSeen | None = None
    latest: Callable[[Rights, Sequence[int] | None], Latest] | None = None

    def all(self) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """Return the rows of the points of each device, by gateway and device, then by name."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for row, point in sorted(self.registry.points.items()):
            if row not in self.registry.gone:
                found.setdefault((point.gateway, point.device), {})[point.name] = row
        return found


def things(ask: Ask) -> Response:
    """List Thing Descriptions, a page at a time."""
    found = sorted(_seen(ask).items())
    first, limit = _number(ask, "offset", 0, 10**9), _number(ask, "limit", PAGE_MAX, PAGE_MAX)
    page = [description(ask, name, rows) for name, rows in found[first : first + limit]]
    headers = {}
    if first + limit < len(found):
        onward = f"/things?offset={first + limit}&limit={limit}"
        headers["Link"] = f'<{onward}>; rel="next"'
    return answer(page, "application/json", headers=headers)


def thing(ask: Ask) -> Response:
    """Return the Thing Description of a device."""
    return answer(description(ask, *_found(ask)), TD)


def properties(ask: Ask) -> Response:
    """Return what every property is now."""
    _, rows = _found(ask)
    return answer({name: _value(ask, row) for name, row in rows.items()})


def one_property(ask: Ask) -> Response:
    """Return what a property is now."""
    _, rows = _found(ask)
    name = ask.path["property"]
    if name not in rows:
        raise ResourceNotFound(f"this thing has no property {name[:80]!r}")
    return answer(_value(ask, rows[name]))


def description(ask: Ask, name: tuple[str, str], rows: Mapping[str, int]) -> Json:
    """Return a Thing Description."""
    gateway, device = name
    points = {one: _devices(ask).registry.points[row] for one, row in rows.items()}
    label = next(iter(points.values())).device_label
    here = f"things/{gateway}/{device}"
    told: Json = {
        "@context": [CONTEXT, PREFIXES],
        "id": f"urn:citytwin:device:{gateway}:{device}",
        "title": label.en or f"{gateway}/{device}",
        "base": ask.url("/"),
        "securityDefinitions": {"token": {"scheme": "bearer", "in": "header"}},
        "security": ["token"],
        "properties": {one: _property(here, one, point) for one, point in points.items()},
        "forms": [{"href": f"{here}/properties", "op": ["readallproperties"], "contentType": JSON}],
    }
    if titles := _titles(label):
        told["titles"] = titles
    actions = {
        f"set-{one}": _action(point) for one, point in points.items() if point.writable is not None
    }
    return told | ({"actions": actions} if actions else {})


def _property(here: str, name: str, point: Point) -> Json:
    value: Json = {"type": "string"}
    if point.kind is not Kind.TEXT:
        value = {"type": "number", "unit": unit(point.unit).ucum} | _ends(point.valid)
    told: Json = {
        "title": point.label.en or name,
        "type": "object",
        "properties": {
            "value": {"oneOf": [value, {"type": "null"}]},
            "time": {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "quality": {"type": "string"},
        },
        "readOnly": True,
        "forms": [
            {"href": f"{here}/properties/{name}", "op": ["readproperty"], "contentType": JSON}
        ],
    }
    if titles := _titles(point.label):
        told["titles"] = titles
    if point.attribute:
        told["@type"] = f"sdm:{point.attribute}"
    return told


def _action(point: Point) -> Json:
    value: Json = {"type": "number", "unit": unit(point.unit).ucum} | _ends(point.writable)
    if point.step:
        value["multipleOf"] = point.step
    return {
        "title": f"Set {point.label.en or point.name}",
        "input": {
            "type": "object",
            "properties": {"point": {"type": "string", "const": point.id}, "value": value},
            "required": ["point", "value"],
        },
        "safe": False,
        "idempotent": False,
        "forms": [
            {"href": "api/v1/commands", "op": ["invokeaction"], "contentType": JSON,
             "htv:methodName": "POST"}
        ],
    }  # fmt: skip


def _value(ask: Ask, row: int) -> Json:
    devices, rights = _devices(ask), ask.permit.rights
    if devices.seen is not None:
        some = devices.seen.personal(rights, [row])
        note(ask.broker.door, ask.permit, "things", set(some.values()), some)
    point = devices.registry.points[row]
    latest = devices.twin.read([row]) if not devices.latest else devices.latest(rights, [row])
    value, time_ns = float(latest.value[0]), int(latest.time_ns[0])
    quality = Quality(int(latest.quality[0]))
    shown: float | str | None = value if time_ns and np.isfinite(value) else None
    if shown is not None and point.kind is Kind.TEXT:
        shown = devices.registry.text(int(value))
    return {
        "value": shown,
        "time": format_ns(time_ns) if time_ns else None,
        "quality": quality.words if time_ns else "never read",
    }


def _ends(span: Any) -> Json:
    ends = {} if span is None else {"minimum": span.low, "maximum": span.high}
    return {name: end for name, end in ends.items() if math.isfinite(end)}


def _titles(label: Label) -> dict[str, str]:
    texts = {"kk": label.kk, "ru": label.ru, "en": label.en}
    return {language: text for language, text in texts.items() if text}


def _devices(ask: Ask) -> Devices:
    devices: Devices = ask.request.app.state.devices
    return devices


def _seen(ask: Ask) -> Mapping[tuple[str, str], Mapping[str, int]]:
    """Return the devices of which whoever asks may see something, with the rows that he may."""
    devices = _devices(ask)
    seen = devices.seen.rows(ask.permit.rights) if devices.seen is not None else None
    found = devices.all()
    if seen is None:
        return found
    shown = {
        name: {point: row for point, row in rows.items() if row in seen}
        for name, rows in found.items()
    }
    return {name: rows for name, rows in shown.items() if rows}


def _found(ask: Ask) -> tuple[tuple[str, str], Mapping[str, int]]:
    name = (ask.path["gateway"], ask.path["device"])
    rows = _seen(ask).get(name)
    if rows is None:
        raise ResourceNotFound(f"there is no device {'/'.join(name)[:130]!r}")
    return name, rows


def _number(ask: Ask, name: str, usual: int, most: int) -> int:
    text = ask.given.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) > most:
        raise BadRequestData(f"{name} {text[:20]!r} is not a whole number up to {most}")
    return int(text)


def _whole(name: str, description: str, most: int) -> Parameter:
    return Parameter(name, description, {"type": "integer", "minimum": 0, "maximum": most})


_GATEWAY: Final = Parameter("gateway", "The gateway's name.", where="path")
_DEVICE: Final = Parameter("device", "The device's name at its gateway.", where="path")
_PROPERTY: Final = Parameter("property", "The property's name.", where="path")
_ONE: Final = (_GATEWAY, _DEVICE)
ROUTES: Final = [
    Described(
        "/things",
        things,
        Resource(
            "The devices of the city as Thing Descriptions.",
            parameters=(
                _whole("offset", "How many to pass.", 10**9),
                _whole("limit", "How many to list.", PAGE_MAX),
            ),
            schema="Things",
        ),
    ),
    Described(
        "/things/{gateway}/{device}",
        thing,
        Resource("One device.", (TD,), _ONE, "Thing", fails=(404,)),
    ),
    Described(
        "/things/{gateway}/{device}/properties",
        properties,
        Resource("What a device measures now.", (JSON,), _ONE, "ThingValues", fails=(404,)),
    ),
    Described(
        "/things/{gateway}/{device}/properties/{property}",
        one_property,
        Resource(
            "What one property of a device is now.",
            (JSON,),
            (*_ONE, _PROPERTY),
            "ThingValue",
            fails=(404,),
        ),
    ),
]
