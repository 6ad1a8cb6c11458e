"""Schema: the JSON Schema of profiles, with the fields of every adapter that is installed.

Editors complete and check with it while one types, and show what each field means;
``profiles check`` says the same, and more.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from citytwin_edge import plugins
from citytwin_edge.catalogue.fields import sentence, structs_in, tables
from citytwin_edge.catalogue.meanings import caption, needed
from citytwin_edge.catalogue.natures import nature, natures
from citytwin_edge.catalogue.profile import About, Identify, ProfileFile
from citytwin_edge.device_tables import DeviceSection, PointSection

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OF_GATEWAYS: Final = ("name", "adapter", "profile", "points", "feeds", "label", "place")
"""Fields of a ``[[device]]`` that no profile has."""

Json = dict[str, Any]


def profile_schema() -> Json:
    """Return the schema, a dict ready for JSON.

    Raises:
        CityTwinError: Python has left the docstrings out.
    """
    needed()
    names = sorted(plugins.installed())
    structs: list[Any] = [ProfileFile, DeviceSection, PointSection, About, Identify]
    for name in names:
        kind = plugins.adapter(name)
        structs += [kind.device_settings, kind.point_settings]
    parts, places = _described(structs)
    whole, device, point, about, identify, *own = (parts[places[one]] for one in structs)
    whole["properties"]["adapter"] |= {"enum": names}
    whole["properties"]["nature"] |= {"enum": natures()}
    for name in ("device", "identify", "point"):
        whole["properties"][name].pop("additionalProperties", None)
    choices = []
    for number, name in enumerate(names):
        settings, place = own[2 * number], own[2 * number + 1]
        fields = {
            "device": _open(_joined(device, settings), without=_OF_GATEWAYS),
            "identify": {"items": _open(_joined(identify, place))},
            "point": {"items": _joined(about, point, place)},
        }
        for table, of in fields.items():
            of["description"] = whole["properties"][table]["description"]
        choices.append(_if("adapter", name, fields))
    for name in natures():
        quantity = about["properties"]["quantity"] | {"enum": list(nature(name).quantities)}
        items = whole["properties"]["point"] | {"items": {"properties": {"quantity": quantity}}}
        choices.append(_if("nature", name, {"point": items}))
    inner = {name: part for name, part in parts.items() if name not in map(places.get, structs)}
    return {"$schema": DIALECT, **whole, "title": "CityTwin device profile",
            "allOf": choices, "$defs": inner}  # fmt: skip


def _described(structs: list[Any]) -> tuple[dict[str, Json], dict[Any, str]]:
    """Return the schema of each struct and of those in them by name, and the name of each."""
    every = list(dict.fromkeys(inner for one in structs for inner in structs_in(one)))
    references, parts = msgspec.json.schema_components(every, ref_template="#/$defs/{name}")
    places = {}
    for struct, reference in zip(every, references, strict=True):
        name = reference["$ref"].removeprefix("#/$defs/")
        places[struct], part = name, parts[name]
        part["description"] = caption(struct)
        (table, *_) = tables(struct, name)
        for number, field in enumerate(table.fields):
            of = part["prefixItems"][number] if table.is_list else part["properties"][field.name]
            if text := sentence(field):
                of["description"] = text
            if isinstance(end := of.get("default"), float) and not math.isfinite(end):
                del of["default"]  # JSON has no infinity
    return parts, places


def _joined(*schemas: Json) -> Json:
    """Return one table that has the fields of several structs."""
    fields: Json = {}
    required: set[str] = set()
    for schema in schemas:
        fields |= schema.get("properties", {})
        required |= set(schema.get("required", ()))
    return {"type": "object", "properties": fields, "required": sorted(required),
            "additionalProperties": False}  # fmt: skip


def _open(schema: Json, *, without: tuple[str, ...] = ()) -> Json:
    """Return a table of which nothing is required: the rest comes from elsewhere."""
    fields = {name: one for name, one in schema["properties"].items() if name not in without}
    return {**schema, "properties": fields, "required": []}


def _if(field: str, value: str, fields: Json) -> Json:
    return {
        "if": {"properties": {field: {"const": value}}, "required": [field]},
        "then": {"properties": fields},
    }
