"""Objects: what the demo's hub is told of the city, so that points belong to something.

The water network comes as an EPANET file through the importer, as a utility's would; what stands
in the field beside it comes over NGSI-LD, as another program's would.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from citytwin.point import Label

NETWORK: Final = "net3"
"""The source of the water network."""
FIELD: Final = "field"
"""The source of what is no part of the network's model."""


class Placed(NamedTuple):
    """What feeds an object: which one, its name, longitude and latitude."""

    feeds: str
    label: Label
    lon: float
    lat: float


def urn(kind: str, source: str, name: str) -> str:
    """Return the identifier that the importer gives an object."""
    return f"urn:ngsi-ld:{kind}:{source}:{name}"


def field_objects(fed: Iterable[Placed]) -> list[dict[str, Any]]:
    """Return the objects that are not of the network, each once, as NGSI-LD entities."""
    found: dict[str, dict[str, Any]] = {}
    for one in fed:
        kind, source, name = one.feeds.split(":", 4)[2:]
        if source != FIELD or one.feeds in found:
            continue
        entity: dict[str, Any] = {
            "id": one.feeds,
            "type": kind,
            "name": {
                "type": "LanguageProperty",
                "languageMap": {"kk": one.label.kk, "ru": one.label.ru, "en": one.label.en},
            },
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [one.lon, one.lat]},
            },
        }
        if kind == "Valve":
            # It stands on the pipe of its name.
            entity["controls"] = {"type": "Relationship", "object": urn("Pipe", NETWORK, name)}
        found[one.feeds] = entity
    return list(found.values())
