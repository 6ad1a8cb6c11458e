"""CityJSON: city objects with footprint, height and their geometry of every level of detail.

CityJSON 1.1 and 2.0, and CityJSONSeq (one feature a line). The footprint is what all surfaces cover
seen from above; the geometries themselves are kept in ``lodGeometry``, positions in the file's own
system.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import shapely
from shapely.errors import ShapelyError

from citytwin_hub.importers import places
from citytwin_hub.importers.frame import (
    Draft,
    Found,
    Note,
    Refusal,
    Settings,
    SourceError,
    check_size,
    is_term,
)

FILE_BYTES_MAX: Final = 2**30
"""Of a file that is one document; CityJSONSeq is read by the line and has no such limit."""
LINE_BYTES_MAX: Final = 64 * 2**20
HEIGHT_DIGITS: Final = 3
_SYSTEM: Final = re.compile(r"/def/crs/([A-Za-z]+)/[^/]+/([A-Za-z0-9]+)$")
_TERMS: Final = {
    "measuredHeight": ("height", "MTR"),
    "storeysAboveGround": ("floorsAboveGround", "C62"),
    "storeysBelowGround": ("floorsBelowGround", "C62"),
    "function": ("category", ""),
}
"""Attributes of CityJSON that have a name in the data models."""
_OWN: Final = frozenset({"id", "type", "scope", "source", "sourceId", "location"})


def read(settings: Settings) -> Iterator[Found]:
    """Yield the city objects.

    Raises:
        SourceError: it is no CityJSON.
    """
    documents = _documents(settings)
    head = next(documents)[0]
    if head.get("type") != "CityJSON":
        raise SourceError(f"{settings.path} is no CityJSON: its type is {head.get('type')!r}")
    system = settings.crs or _crs(head)
    if not system:
        raise SourceError(f"{settings.path} has no metadata.referenceSystem; give --crs")
    file = _File(settings, places.Projection(system), system)
    yield from file.found(head, head, settings.path.name)
    for feature, where in documents:
        yield from file.found(head, feature, where)


def _documents(settings: Settings) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the document, or what each line of a sequence has, with where it is."""
    name = settings.path.name
    try:
        with settings.path.open("rb") as file:
            first = file.readline(LINE_BYTES_MAX)
            if file.readline(2).strip() == b"" or _is_whole(first):
                if not _is_whole(first):
                    raise SourceError(f"{name} is no JSON")
                file.seek(len(first))
                yield msgspec.json.decode(first), name
                lines = iter(lambda: file.readline(LINE_BYTES_MAX + 1), b"")
                for number, line in enumerate(lines, 2):
                    if len(line) > LINE_BYTES_MAX:
                        raise SourceError(f"{name}:{number} has over {LINE_BYTES_MAX} bytes")
                    if line.strip():
                        yield msgspec.json.decode(line), f"{name}:{number}"
                return
            check_size(settings.path, FILE_BYTES_MAX, "write it as CityJSONSeq (cjseq)")
            file.seek(0)
            yield msgspec.json.decode(file.read()), name
    except OSError as error:
        raise SourceError(f"{settings.path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise SourceError(f"{settings.path} is no JSON: {error}") from None


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeError):
        return False


def _crs(head: Mapping[str, Any]) -> str:
    told = str((head.get("metadata") or {}).get("referenceSystem", ""))
    match = _SYSTEM.search(told)
    if match:
        return f"{match[1]}:{match[2]}"
    return re.sub(r"^urn:ogc:def:crs:(\w+):[^:]*:", r"\1:", told)


class _File:
    """A file on its way out."""

    def __init__(self, settings: Settings, projection: places.Projection, system: str) -> None:
        self._settings, self._projection, self._system = settings, projection, system
        self._templates = False

    def found(
        self, head: Mapping[str, Any], part: Mapping[str, Any], where: str
    ) -> Iterator[Found]:
        """Yield the objects of a document or of one feature."""
        objects = part.get("CityObjects", {})
        vertices = np.array(part.get("vertices", []), dtype=float).reshape(-1, 3)
        transform = head.get("transform")
        if transform is not None:
            vertices = vertices * np.array(transform["scale"]) + np.array(transform["translate"])
        kinds = {name: _kind(one) for name, one in objects.items()}
        for name, one in objects.items():
            yield from self._object(name, one, kinds, vertices, f"{where}: {name}")

    def _object(
        self,
        name: str,
        one: Mapping[str, Any],
        kinds: Mapping[str, str],
        vertices: np.ndarray,
        where: str,
    ) -> Iterator[Found]:
        kind = kinds[name]
        draft = Draft(self._settings, kind, name, where)
        kept, surfaces, reason = [], [], ""
        for geometry in one.get("geometry", ()):
            if geometry.get("type") == "GeometryInstance":
                if not self._templates:
                    yield Note("geometry templates are not read: such objects have no geometry")
                self._templates = True
                continue
            try:
                boundaries = _with_places(geometry["boundaries"], vertices)
                surfaces += list(_surfaces(boundaries))
            except (KeyError, IndexError, TypeError, ValueError):
                reason = "a boundary names vertices that are not there"
                continue
            told = {key: geometry[key] for key in ("type", "lod") if key in geometry}
            kept.append(told | {"referenceSystem": self._system, "boundaries": boundaries})
        if surfaces and not reason:
            reason = self._solid(draft, surfaces)
        if reason:
            remedy = "check the file with cjio or val3dity"
            yield Refusal(where, "geometry", reason, remedy, name, kind, whole=False)
        draft.json("lodGeometry", kept)
        self._attributes(draft, one.get("attributes") or {})
        parents = [(kinds[other], other) for other in one.get("parents", ()) if other in kinds]
        yield draft.tie("isContainedIn", *parents).record()

    def _solid(self, draft: Draft, surfaces: list[np.ndarray]) -> str:
        """Give footprint, elevation and height; return what is wrong."""
        levels = np.concatenate([one[:, 2] for one in surfaces])
        flat = []
        for ring in surfaces:
            try:
                shape = shapely.Polygon(ring[:, :2])
            except (ShapelyError, ValueError):
                continue
            if shape.is_valid and shape.area > 0:
                flat.append(shape)
        low, high = float(levels.min()), float(levels.max())
        draft.value("elevation", round(low, HEIGHT_DIGITS), "MTR")
        if high > low:
            draft.value("height", round(high - low, HEIGHT_DIGITS), "MTR")
        geometry, reason = places.outline(shapely.union_all(flat), self._projection)
        draft.geometry(geometry)
        return reason

    def _attributes(self, draft: Draft, given: Mapping[str, Any]) -> None:
        for key, value in given.items():
            name, unit = _TERMS.get(key, (key, ""))
            is_free = is_term(name) and name not in _OWN
            if is_free and isinstance(value, str | int | float | bool):
                draft.value(name, value, unit)


def _kind(one: Mapping[str, Any]) -> str:
    kind = str(one.get("type", "")).lstrip("+")
    return kind if is_term(kind) else "GenericCityObject"


def _with_places(boundaries: Any, vertices: np.ndarray) -> Any:
    """Return boundaries with positions in the place of numbers of vertices."""
    if isinstance(boundaries, int):
        if not 0 <= boundaries < len(vertices):
            raise IndexError(boundaries)
        return [round(one, HEIGHT_DIGITS + 3) for one in vertices[boundaries].tolist()]
    return [_with_places(one, vertices) for one in boundaries]


def _surfaces(boundaries: Any) -> Iterator[np.ndarray]:
    """Yield the outer rings of all surfaces (n × 3); lines and points have none."""
    if not boundaries or not isinstance(boundaries[0], list):
        return
    inner = boundaries[0]
    if inner and isinstance(inner[0], list) and inner[0] and isinstance(inner[0][0], float):
        ring = np.array(inner)
        if len(ring) >= 3:
            yield ring
        return
    for one in boundaries:
        yield from _surfaces(one)
