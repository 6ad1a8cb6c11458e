"""OpenStreetMap: roads, buildings and land use from a PBF or XML file, read by osmium.

Objects are known by ``way/123`` or ``relation/123``. Numbers with a unit are metres and km/h, as
OpenStreetMap has them without one. Whoever shows this data names its source (ODbL).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import shapely

from citytwin_hub.importers import places
from citytwin_hub.importers.frame import (
    Draft,
    Found,
    Note,
    Refusal,
    Settings,
    SourceError,
    library,
)

ATTRIBUTION: Final = "© OpenStreetMap contributors (ODbL)"
LANGUAGES: Final = ("kk", "ru", "en")
_KEYS: Final = {"building": "Building", "landuse": "LandUse"}
_ROADS: Final = frozenset(
    {
        "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential",
        "motorway_link", "trunk_link", "primary_link", "secondary_link", "tertiary_link",
        "living_street", "service", "pedestrian", "track", "busway", "road", "footway", "path",
        "cycleway", "steps", "bridleway",
    }
)  # fmt: skip
_NUMBER: Final = re.compile(r"(\d+(?:[.,]\d+)?)\s*(m|km/h|mph)?")
_RULE: Final = re.compile(r"[A-Z]{2}:\w+|none|signals|walk|variable")
"""Speed limits that are named, not numbered."""
MPH_KMH: Final = 1.609344


def read(settings: Settings) -> Iterator[Found]:
    """Yield roads, buildings and areas of land use.

    Raises:
        SourceError: osmium cannot read the file.
    """
    osmium = library("osmium")
    if settings.crs and settings.crs.upper() != places.WGS84:
        raise SourceError("OpenStreetMap is always in EPSG:4326; leave --crs out")
    yield Note(f"{ATTRIBUTION}: name this source wherever the data are shown")
    processor = osmium.FileProcessor(str(settings.path)).with_areas()
    try:
        yield from _File(settings, osmium).found(processor)
    except (RuntimeError, OSError) as error:
        raise SourceError(f"{settings.path} cannot be read as OpenStreetMap: {error}") from None


class _File:
    """One file on its way out; areas come when the last of their ways has come."""

    def __init__(self, settings: Settings, osmium: Any) -> None:
        self._settings, self._geometries = settings, osmium.geom.WKBFactory()
        self._awaited: dict[str, str] = {}
        self._seen: set[str] = set()

    def found(self, processor: Any) -> Iterator[Found]:
        """Yield what there is, at the end the areas that never came."""
        for one in processor:
            if one.is_way():
                yield from self._way(one)
            elif one.is_area():
                yield from self._area(one)
            elif one.is_relation() and one.tags.get("type") == "multipolygon":
                name, kind = f"relation/{one.id}", _kind(one.tags)
                if kind and name not in self._seen:
                    self._awaited[name] = kind
        for name, kind in self._awaited.items():
            yield self._no_area(name, kind)

    def _where(self, name: str) -> str:
        return f"{self._settings.path.name}: {name}"

    def _no_area(self, name: str, kind: str) -> Refusal:
        return Refusal(
            self._where(name), "geometry",
            "its ways are no area: a ring with fewer than four positions, not closed or crossing",
            "mend it in OpenStreetMap, or leave it out", name, kind,
        )  # fmt: skip

    def _way(self, way: Any) -> Iterator[Found]:
        kind = _kind(way.tags)
        if kind:
            if way.is_closed() and way.tags.get("area") != "no":
                self._awaited[f"way/{way.id}"] = kind
            else:
                yield self._no_area(f"way/{way.id}", kind)
        road = way.tags.get("highway", "")
        if road not in _ROADS or way.tags.get("area") == "yes":
            return
        name = f"way/{way.id}"
        draft = Draft(self._settings, "RoadSegment", name, self._where(name))
        known = [(node.lon, node.lat) for node in way.nodes if node.location.valid()]
        line = places.line(
            [(round(x, places.DEGREE_DIGITS), round(y, places.DEGREE_DIGITS)) for x, y in known]
        )
        if line is None:
            yield Refusal(
                self._where(name), "geometry", "fewer than two of its nodes are in the file",
                "cut the extract with whole ways", name, "RoadSegment",
            )  # fmt: skip
            return
        if len(known) < len(way.nodes):
            yield Refusal(
                self._where(name), "geometry",
                f"{len(way.nodes) - len(known)} of its nodes are not in the file",
                "cut the extract with whole ways", name, "RoadSegment", whole=False,
            )  # fmt: skip
        yield from self._road(draft, way.tags, line)

    def _road(self, draft: Draft, tags: Any, line: dict[str, Any]) -> Iterator[Found]:
        draft.geometry(line).value("roadClass", tags["highway"])
        yield from self._number(draft, tags, "maxspeed", "maximumAllowedSpeed", "KMH")
        yield from self._number(draft, tags, "lanes", "totalLaneNumber", "C62")
        yield from self._number(draft, tags, "width", "width", "MTR")
        one_way = {"yes": True, "1": True, "true": True, "-1": True, "no": False}
        draft.value("oneWay", one_way.get(tags.get("oneway", "")))
        if tags.get("oneway") == "-1":
            draft.geometry(line | {"coordinates": line["coordinates"][::-1]})
        draft.value("surface", tags.get("surface"))
        for tag in ("bridge", "tunnel"):
            draft.value(tag, True if tags.get(tag, "no") != "no" else None)
        yield self._named(draft, tags)

    def _area(self, area: Any) -> Iterator[Found]:
        kind = _kind(area.tags)
        if not kind:
            return
        name = f"{'way' if area.from_way() else 'relation'}/{area.orig_id()}"
        self._awaited.pop(name, None)
        if not area.from_way():
            self._seen.add(name)
        try:
            shape: Any = shapely.from_wkb(bytes.fromhex(self._geometries.create_multipolygon(area)))
        except RuntimeError:
            yield self._no_area(name, kind)
            return
        if len(shape.geoms) == 1:
            shape = shape.geoms[0]
        geometry, reason = places.outline(shape, None)
        if reason:
            remedy = "mend it in OpenStreetMap"
            yield Refusal(self._where(name), "geometry", reason, remedy, name, kind)
            return
        draft = Draft(self._settings, kind, name, self._where(name)).geometry(geometry)
        tags = area.tags
        draft.value("category", tags["building"] if kind == "Building" else tags["landuse"])
        if kind == "Building":
            yield from self._number(draft, tags, "building:levels", "floorsAboveGround", "C62")
            yield from self._number(draft, tags, "height", "height", "MTR")
            address = {
                "streetAddress": tags.get("addr:street"),
                "streetNr": tags.get("addr:housenumber"),
                "postalCode": tags.get("addr:postcode"),
            }
            draft.value("address", {key: one for key, one in address.items() if one} or None)
        yield self._named(draft, tags)

    def _named(self, draft: Draft, tags: Any) -> Found:
        said = {tag: tags.get(f"name:{tag}", "") for tag in LANGUAGES}
        draft.texts("name", {"@none": tags.get("name", ""), **said})
        return draft.value("dataProvider", ATTRIBUTION).record()

    def _number(self, draft: Draft, tags: Any, tag: str, name: str, unit: str) -> Iterator[Refusal]:
        text = tags.get(tag, "").strip()
        if not text or _RULE.fullmatch(text):
            return
        match = _NUMBER.fullmatch(text)
        if match is None:
            yield Refusal(
                draft.where, tag, f"{text[:60]!r} is no number", "correct the tag",
                draft.source_id, whole=False,
            )  # fmt: skip
            return
        value = float(match[1].replace(",", "."))
        draft.value(name, round(value * MPH_KMH, 1) if match[2] == "mph" else value, unit)


def _kind(tags: Any) -> str:
    """Return the class of an area; empty: none of ours."""
    for key, kind in _KEYS.items():
        if tags.get(key, "no") != "no":
            return kind
    return ""
