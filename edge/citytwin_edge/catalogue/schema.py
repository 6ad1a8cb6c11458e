"""Schema: the JSON Schema of profiles, with the fields of every adapter that is installed.

Editors complete and check with it while one types; ``profiles check`` says the same, and more.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from citytwin_edge import plugins
from citytwin_edge.catalogue.natures import nature, natures
from citytwin_edge.catalogue.profile import About, Identify, ProfileFile
from citytwin_edge.device_tables import DeviceSection, PointSection

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OF_GATEWAYS: Final = ("name", "adapter", "profile", "points", "feeds", "label", "place")
"""Fields of a ``[[device]]`` that no profile has."""

Json = dict[str, Any]


def profile_schema() -> Json:
    """Return the schema, a dict ready for JSON."""
    names = sorted(plugins.installed())
    structs: list[Any] = [ProfileFile, DeviceSection, PointSection, About, Identify]
    for name in names:
        kind = plugins.adapter(name)
        structs += [kind.device_settings, kind.point_settings]
    schemas, parts = msgspec.json.schema_components(structs, ref_template="#/$defs/{name}")
    whole, device, point, about, identify, *own = (_resolved(one, parts) for one in schemas)
    whole["properties"]["adapter"] = {"enum": names}
    whole["properties"]["nature"] = {"enum": natures()}
    for name in ("device", "identify", "point"):
        parts_of = whole["properties"][name]
        parts_of.pop("additionalProperties", None)
    choices = []
    for number, name in enumerate(names):
        settings, place = own[2 * number], own[2 * number + 1]
        fields = {
            "device": _open(_joined(device, settings), without=_OF_GATEWAYS),
            "identify": {"items": _open(_joined(identify, place))},
            "point": {"items": _joined(about, point, place)},
        }
        choices.append(_if("adapter", name, fields))
    for name in natures():
        quantities = {"properties": {"quantity": {"enum": list(nature(name).quantities)}}}
        choices.append(_if("nature", name, {"point": {"items": quantities}}))
    return {"$schema": DIALECT, **whole, "title": "CityTwin device profile",
            "allOf": choices, "$defs": parts}  # fmt: skip


def _resolved(schema: Json, parts: dict[str, Any]) -> Json:
    """Return a struct's own schema where only its reference is given."""
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    return dict(parts[reference]) if reference else dict(schema)


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
