"""IFC: site, buildings and storeys of a building model, read by ifcopenshell; not what is in them.

Where: by the model's map conversion (ISO 16739-1, IfcMapConversion) if it has one, else as many
metres from the site's RefLatitude and RefLongitude as the placements say, turned to true north. A
building's footprint is its bounding box where the model has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    check_size,
    library,
)

FILE_BYTES_MAX: Final = 512 * 2**20
"""Of a file, of which the library holds an index and what is looked at."""
KINDS: Final = {"IfcSite": "Site", "IfcBuilding": "Building", "IfcBuildingStorey": "Storey"}
ALIAS: Final = "ifc"
"""The system in whose name a GlobalId is one: it is the same in every program."""
HEIGHT_DIGITS: Final = 3
_GLOBAL_ID_CHARACTERS: Final = 22
_ERRORS: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RecursionError,
    RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What the library lets through from a model that is not as it should be."""


def read(settings: Settings) -> Iterator[Found]:
    """Yield sites, buildings and storeys.

    Raises:
        SourceError: it is no IFC model.
    """
    model = _opened(settings)
    way = _Way(settings, model)
    if way.note:
        yield Note(way.note)
    for kind in KINDS:
        for one in model.by_type(kind):
            yield from _object(settings, way, kind, one)


def _opened(settings: Settings) -> Any:
    path, ifcopenshell = settings.path, library("ifcopenshell")
    if path.suffix.lower() != ".ifc":
        raise SourceError(f"{path} must be an .ifc file; unpack .ifczip, and save others as IFC")
    check_size(path, FILE_BYTES_MAX, "export its site and storeys without elements")
    try:
        model = ifcopenshell.open(str(path), format=".ifc", lazy=True)
        projects = model.by_type("IfcProject")
    except (ifcopenshell.Error, *_ERRORS) as error:
        raise SourceError(f"{path} is no IFC model: {' '.join(str(error).split())[:200]}") from None
    if not projects:
        raise SourceError(f"{path} is no IFC model: it has no IfcProject")
    return model


class _Way:
    """Takes positions of a model to the map."""

    def __init__(self, settings: Settings, model: Any) -> None:
        """Find out how.

        Raises:
            SourceError: the model's coordinate system is none.
        """
        self._geolocation = library("ifcopenshell.util.geolocation")
        self._placement = library("ifcopenshell.util.placement")
        self._model, self.note = model, ""
        self._projection: places.Projection | None = None
        self._origin: tuple[float, float] = (0.0, 0.0)
        self._north = (0.0, 1.0)
        try:
            self.metre = float(library("ifcopenshell.util.unit").calculate_unit_scale(model))
            self._is_mapped = bool(self._geolocation.get_helmert_transformation_parameters(model))
            told = (self._geolocation.get_crs(model) or {}) if self._is_mapped else {}
            self._set(settings.crs or str(told.get("Name") or ""))
        except _ERRORS as error:
            raise SourceError(
                f"{settings.path} does not say in order where it lies: {error!r}"
            ) from None

    def _set(self, system: str) -> None:
        if self._is_mapped and system:
            self._projection = places.Projection(system)
            return
        self._is_mapped = False
        for site in self._model.by_type("IfcSite"):
            lat, lon = _degrees(site.RefLatitude), _degrees(site.RefLongitude)
            if lat is not None and lon is not None:
                # Metres around a place; true to the millimetre within a building site.
                self._projection = places.Projection(
                    f"+proj=aeqd +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"
                )
                (self._origin, *_) = self._planes(site, [(0.0, 0.0, 0.0)])
                self._north = self._true_north()
                return
        self.note = (
            "the model says neither a map conversion nor the latitude and longitude of its site: "
            "the objects came without places"
        )

    def _true_north(self) -> tuple[float, float]:
        for context in self._model.by_type("IfcGeometricRepresentationContext"):
            told = getattr(context, "TrueNorth", None)
            if told is not None and any(told.DirectionRatios[:2]):
                x, y = told.DirectionRatios[:2]
                size = float(x * x + y * y) ** 0.5
                return x / size, y / size
        return 0.0, 1.0

    def _planes(
        self, one: Any, points: Sequence[tuple[float, float, float]]
    ) -> list[tuple[float, float]]:
        """Return x and y, in the model's units, of points given in an object's placement."""
        matrix = self._placement.get_local_placement(one.ObjectPlacement)
        turned = [matrix @ (*point, 1.0) for point in points]
        if self._is_mapped:
            turned = [self._geolocation.auto_xyz2enh(self._model, *each[:3]) for each in turned]
        return [(float(each[0]), float(each[1])) for each in turned]

    def places(
        self, one: Any, points: Sequence[tuple[float, float, float]]
    ) -> list[tuple[float, float] | None]:
        """Return longitude and latitude of points given in an object's placement."""
        if self._projection is None:
            return [None for _ in points]
        planes = self._planes(one, points)
        if self._is_mapped:
            return [self._projection.place(*each) for each in planes]
        (north_x, north_y), found = self._north, []
        for x, y in planes:
            x, y = ((x - self._origin[0]) * self.metre, (y - self._origin[1]) * self.metre)
            found.append(
                self._projection.place(x * north_y - y * north_x, x * north_x + y * north_y)
            )
        return found


def _degrees(told: Sequence[int] | None) -> float | None:
    """Return IfcCompoundPlaneAngleMeasure: degrees, minutes, seconds and millionths, of one sign.

    >>> _degrees((43, 14, 24, 0))
    43.24
    """
    if not told or len(told) < 3:
        return None
    parts = [*told, 0][:4]
    return parts[0] + parts[1] / 60 + parts[2] / 3600 + parts[3] / 3.6e9


def _object(settings: Settings, way: _Way, kind: str, one: Any) -> Iterator[Found]:
    where, name = f"{settings.path.name}: #{one.id()} {kind}", str(one.GlobalId or "")
    if len(name) != _GLOBAL_ID_CHARACTERS:
        yield Refusal(where, "GlobalId", f"{name[:40]!r} is none", "export the model anew")
        return
    draft = Draft(settings, KINDS[kind], name, where).alias(ALIAS, name)
    draft.value("name", one.Name or one.LongName).value("alternateName", one.LongName)
    draft.value("description", one.Description)
    try:
        _describe(draft, way, kind, one)
    except _ERRORS as error:
        reason = f"its placement cannot be followed ({type(error).__name__})"
        yield Refusal(where, "location", reason, "check the model", name, KINDS[kind], whole=False)
    yield draft.record()


def _describe(draft: Draft, way: _Way, kind: str, one: Any) -> None:
    """Give what it is in, how high it is, and where."""
    parent = library("ifcopenshell.util.element").get_aggregate(one)
    if parent is not None and parent.is_a() in KINDS:
        draft.tie("isContainedIn", (KINDS[parent.is_a()], str(parent.GlobalId)))
    if kind == "IfcSite":
        draft.value("elevation", _metres(way, one.RefElevation), "MTR")
    elif kind == "IfcBuilding":
        draft.value("elevation", _metres(way, one.ElevationOfRefHeight), "MTR")
        draft.json("address", _address(one.BuildingAddress))
    else:
        draft.value("relativeElevation", _metres(way, one.Elevation), "MTR")
        base = getattr(parent, "ElevationOfRefHeight", None)
        if base is not None and one.Elevation is not None:
            draft.value("elevation", _metres(way, base + one.Elevation), "MTR")
        return
    draft.geometry(places.point(way.places(one, [(0.0, 0.0, 0.0)])[0]))
    box = _box(one)
    if box is not None:
        (x, y, z), (wide, deep, high) = box
        corners = [(x, y, z), (x + wide, y, z), (x + wide, y + deep, z), (x, y + deep, z)]
        ring = [place for place in way.places(one, corners) if place is not None]
        if len(ring) == len(corners):
            shape, _ = places.outline(shapely.Polygon(ring), None)
            draft.geometry(shape)
        draft.value("height", _metres(way, high), "MTR")


def _metres(way: _Way, told: float | None) -> float | None:
    return None if told is None else round(told * way.metre, HEIGHT_DIGITS)


def _address(told: Any) -> dict[str, str]:
    """Return an IfcPostalAddress in schema.org's words."""
    if told is None:
        return {}
    found = {
        "streetAddress": ", ".join(told.AddressLines or ()),
        "addressLocality": told.Town or "",
        "addressRegion": told.Region or "",
        "postalCode": told.PostalCode or "",
        "addressCountry": told.Country or "",
    }
    return {name: text for name, text in found.items() if text}


def _box(one: Any) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    """Return the lowest corner and the sizes of a bounding box, where there is one."""
    shapes = one.Representation.Representations if one.Representation else ()
    for shape in shapes:
        for item in shape.Items or ():
            if item.is_a("IfcBoundingBox"):
                x, y, z = item.Corner.Coordinates
                return (x, y, z), (item.XDim, item.YDim, item.ZDim)
    return None
