"""City map: the demo city's base map as GeoJSON, from the facts in ``places`` and the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from citytwin.point import Label
from democity.outlines import ring
from democity.places import DISTRICTS, RIVERS, STREETS, position
from democity.truth import Network

ATTRIBUTION: Final = {
    "kk": "© OpenStreetMap қатысушылары (ODbL); құбырлар — EPANET Net3",
    "ru": "© участники OpenStreetMap (ODbL); трубы — EPANET Net3",
    "en": "© OpenStreetMap contributors (ODbL); pipes: EPANET Net3",
}


def write_map(path: Path, network: Network) -> None:
    """Write the map of districts (as their outlines are typed), streets, rivers and pipes."""
    features = [
        _feature("district", "Polygon", [ring(district.id)], district.label)
        for district in DISTRICTS
    ]
    for layer, lines in (("street", STREETS), ("river", RIVERS)):
        for label, line in lines:
            features.append(_feature(layer, "LineString", [[lon, lat] for lat, lon in line], label))
    for name, (_, _, _, vertices) in network.links.items():
        path_of = [list(position(*vertex)) for vertex in vertices]
        features.append(_feature("network", "LineString", path_of, None, id=name))
    collection = {"type": "FeatureCollection", "attribution": ATTRIBUTION, "features": features}
    text = json.dumps(collection, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


def _feature(
    layer: str, kind: str, coordinates: Any, label: Label | None, **more: Any
) -> dict[str, Any]:
    properties: dict[str, Any] = {"layer": layer, **more}
    if label is not None:
        properties["name"] = {"kk": label.kk, "ru": label.ru, "en": label.en}
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": kind, "coordinates": coordinates},
    }
