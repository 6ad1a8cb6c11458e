"""SWMM: a drainage network from an INP file; its columns are read by swmm-api, line by line.

Everything comes in SI, whatever FLOW_UNITS says. What lies between two nodes ``receivesFrom`` the
first and ``drainsTo`` the second: water has a direction here, so downstream is an answer.
``elevation`` of a node is that of the ground where its depth is known, ``invertElevation`` the
bottom (EPA SWMM 5.2 User's Manual, appendix D).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Final

import shapely

from citytwin_hub.importers import encodings, places
from citytwin_hub.importers.frame import (
    Draft,
    Found,
    Note,
    Refusal,
    Settings,
    SourceError,
    library,
)
from citytwin_hub.importers.swmm_text import Row, Text, Units, read_text
from citytwin_hub.importers.swmm_values import Values

NODES: Final = {
    "JUNCTIONS": ("DrainageJunction", "Junction"),
    "OUTFALLS": ("Outfall", "Outfall"),
    "DIVIDERS": ("FlowDivider", "Divider"),
    "STORAGE": ("StorageUnit", "Storage"),
}
"""Section: our class, and swmm-api's."""
LINKS: Final = {
    "CONDUITS": ("Conduit", "Conduit"),
    "PUMPS": ("DrainagePump", "Pump"),
    "ORIFICES": ("Orifice", "Orifice"),
    "WEIRS": ("Weir", "Weir"),
    "OUTLETS": ("FlowOutlet", "Outlet"),
}
CATCHMENTS: Final = {"SUBCATCHMENTS": ("Subcatchment", "SubCatchment")}
_KEYWORD: Final = {"OUTFALLS": 2, "DIVIDERS": 3, "STORAGE": 4}
"""Which word of a line swmm-api knows in capitals only."""
_CURVES: Final = {
    "STORAGE": ("length", "area"),
    "RATING": ("length", "flow"),
    "DIVERSION": ("flow", "flow"),
    "TIDAL": ("one", "length"),
    "WEIR": ("length", "weir"),
    "PUMP1": ("volume", "flow"),
    "PUMP2": ("length", "flow"),
    "PUMP3": ("length", "flow"),
    "PUMP4": ("length", "flow"),
}
"""What a curve's two columns are; a curve of another type (SHAPE, CONTROL, …) is not taken."""
_ROUND: Final = frozenset({"CIRCULAR", "FILLED_CIRCULAR", "FORCE_MAIN"})
_WIDE: Final = frozenset(
    {"RECT_CLOSED", "RECT_OPEN", "TRAPEZOIDAL", "TRIANGULAR", "PARABOLIC", "POWER",
     "HORIZ_ELLIPSE", "VERT_ELLIPSE", "ARCH", "RECT_TRIANGULAR", "RECT_ROUND",
     "MODBASKETHANDLE"}
)  # fmt: skip
"""Shapes whose second measure is a width."""
_TAKEN: Final = frozenset(
    {*NODES, *LINKS, *CATCHMENTS, "TITLE", "OPTIONS", "COORDINATES", "VERTICES", "POLYGONS",
     "XSECTIONS", "LOSSES", "CURVES", "TAGS", "REPORT", "MAP", "BACKDROP", "PROFILES", "LABELS",
     "SYMBOLS", "EVALUATION", "FILES", "TEMPERATURE", "EVAPORATION"}
)  # fmt: skip
"""Sections that are read, or that hold no object of the city."""


def read(settings: Settings) -> Iterator[Found]:
    """Yield the network's objects; a line that cannot be read is refused alone.

    Raises:
        SourceError: it is no INP file of SWMM.
    """
    encoding = encodings.of_file(settings.path)
    if encodings.told(encoding):
        yield Note(encodings.told(encoding))
    text = read_text(settings.path, encoding)
    if not any(text.rows(section) for section in (*NODES, *CATCHMENTS)):
        raise SourceError(
            f"{settings.path} has no [JUNCTIONS], [OUTFALLS], [DIVIDERS], [STORAGE] or "
            "[SUBCATCHMENTS]; is it an INP file of SWMM?"
        )
    projection = places.Projection(settings.crs) if settings.crs else None
    if projection is None:
        yield Note(
            "an INP file does not say its coordinate system: the objects came without places; "
            "give --crs, EPSG:32643 for UTM in Almaty"
        )
    left = sorted(name for name in text.sections if name not in _TAKEN and text.rows(name))
    if left:
        yield Note(f"sections that are not taken: {', '.join(left)}")
    yield from _Network(settings, text, projection).found()


class _Network:
    """One network on its way out."""

    def __init__(
        self, settings: Settings, text: Text, projection: places.Projection | None
    ) -> None:
        self._settings, self._text, self._projection = settings, text, projection
        self._library = library("swmm_api.input_file.sections")
        self._units: Units = text.units()
        self._names: dict[str, tuple[str, str]] = {}
        """Class and name, as first written, by a name in capitals: SWMM compares without case."""
        self._inverts: dict[str, float] = {}
        by_elevation = text.option("LINK_OFFSETS") == "ELEVATION"
        self._values = Values(self._units, self._inverts, by_elevation=by_elevation)
        self._points: dict[str, tuple[float, float] | None] = {}
        self._tags = {
            (row.words[0].upper(), row.words[1].upper()): " ".join(row.words[2:])
            for row in text.rows("TAGS")
            if len(row.words) > 2
        }
        self._shapes = {row.words[0].upper(): row for row in text.rows("XSECTIONS")}

    def found(self) -> Iterator[Found]:
        """Yield curves, nodes, what lies between them, and catchments."""
        self._name_all()
        for section in ("COORDINATES", "VERTICES", "POLYGONS"):
            self._text.positions(section)
        for row in self._text.unread:
            yield self._without(
                row, "", "", f"{' '.join(row.words)[:80]!r} needs a name and two numbers",
                "correct the line",
            )  # fmt: skip
        yield from self._curves()
        for section, (kind, model) in {**NODES, **LINKS, **CATCHMENTS}.items():
            seen: set[str] = set()
            for row in self._text.rows(section):
                name = row.words[0].upper()
                if name in seen or self._of(section, name) != kind:
                    yield self._refusal(
                        row, kind, "name", "the name is there already, further up",
                        "give each object a name of its own",
                    )  # fmt: skip
                    continue
                seen.add(name)
                yield from self._object(section, kind, model, row)

    def _name_all(self) -> None:
        for group in (NODES, LINKS, CATCHMENTS):
            for section, (kind, _) in group.items():
                for row in self._text.rows(section):
                    key = self._key(section, row.words[0])
                    self._names.setdefault(key, (kind, row.words[0]))
                    if section in NODES and len(row.words) > 1:
                        self._inverts.setdefault(row.words[0].upper(), _number(row.words[1]))

    def _key(self, section: str, name: str) -> str:
        group = "link" if section in LINKS else "node" if section in NODES else "area"
        return f"{group}:{name.upper()}"

    def _of(self, section: str, name: str) -> str:
        return self._names[self._key(section, name)][0]

    def _object(self, section: str, kind: str, model: str, row: Row) -> Iterator[Found]:
        words = list(row.words)
        at = _KEYWORD.get(section)
        if at is not None and at < len(words):
            words[at] = words[at].upper()
        try:
            with warnings.catch_warnings(action="ignore"):
                one = getattr(self._library, model).from_inp_line(*words)
        # swmm-api lets through whatever its parsing meets.
        except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError,
                ValueError) as error:  # fmt: skip
            reason = str(error).split(" | ")[0].split("\n")[0].replace("__init__()", "the line")
            yield self._refusal(
                row, kind, "", f"{' '.join(row.words)[:120]!r} cannot be read ({reason[:160]})",
                f"correct the line of [{section}]",
            )  # fmt: skip
            return
        draft = Draft(self._settings, kind, row.words[0], self._where(row))
        draft.value("name", row.words[0])
        group = "LINK" if section in LINKS else "NODE" if section in NODES else "SUBCATCH"
        draft.value("tag", self._tags.get((group, row.words[0].upper())))
        if section in LINKS:
            yield from self._link(draft, kind, one, row)
        elif section in NODES:
            yield from self._node(draft, kind, one, row)
        else:
            yield from self._catchment(draft, one, row)
        yield draft.record()

    def _where(self, row: Row) -> str:
        return f"{self._settings.path.name}:{row.number} [{row.section}] {row.words[0]}"

    def _refusal(self, row: Row, kind: str, field: str, reason: str, remedy: str) -> Refusal:
        known = row.words[0] if field != "name" else ""
        return Refusal(self._where(row), field, reason, remedy, known, kind)

    def _without(self, row: Row, kind: str, field: str, reason: str, remedy: str) -> Refusal:
        refusal = self._refusal(row, kind, field, reason, remedy)
        return refusal._replace(whole=False)

    # ------------------------------------------------------------ nodes

    def _node(self, draft: Draft, kind: str, one: Any, row: Row) -> Iterator[Found]:
        units = self._units
        reason = self._place(row.words[0])
        if reason:
            yield self._without(row, kind, "coordinates", reason, "correct [COORDINATES] or --crs")
        draft.geometry(places.point(self._points.get(row.words[0].upper())))
        draft.value("invertElevation", units.length(one.elevation), "MTR")
        depth = getattr(one, "depth_max", 0.0)
        if depth > 0:
            draft.value("maxDepth", units.length(depth), "MTR")
            draft.value("elevation", units.length(one.elevation + depth), "MTR")
        if kind == "Outfall":
            yield from self._outfall(draft, one, row)
            return
        draft.value("initialDepth", units.length(one.depth_init), "MTR")
        draft.value("surchargeDepth", units.length(one.depth_surcharge), "MTR")
        if kind == "StorageUnit":
            self._values.give(draft, one)
            return
        draft.value("pondedArea", units.area(one.area_ponded), "MTK")
        if kind == "FlowDivider":
            draft.value("dividerType", one.kind)
            other = self._names.get(self._key("CONDUITS", one.link))
            if other is None:
                yield self._without(
                    row, kind, "link", f"there is no link {one.link!r}", "correct [DIVIDERS]"
                )
            else:
                draft.tie("divertsTo", other)

    def _outfall(self, draft: Draft, one: Any, row: Row) -> Iterator[Found]:
        draft.value("outfallType", one.kind).value("hasFlapGate", one.has_flap_gate)
        if one.kind == "FIXED":
            draft.value("stage", self._units.length(_number(one.data)), "MTR")
        elif one.kind == "TIDAL":
            draft.tie("tidalCurve", ("Curve", str(one.data)))
        target = one.route_to if isinstance(one.route_to, str) else ""
        if target:
            other = self._names.get(self._key("SUBCATCHMENTS", target))
            if other is None:
                yield self._without(
                    row, "Outfall", "route_to", f"there is no subcatchment {target!r}",
                    "correct [OUTFALLS]",
                )  # fmt: skip
            else:
                draft.tie("drainsTo", other)

    def _place(self, name: str) -> str:
        """Keep where a node is; return what is wrong."""
        key = name.upper()
        if self._projection is None:
            return ""
        given = self._text.positions("COORDINATES").get(key)
        if not given:
            return "it has no coordinates"
        self._points[key] = self._projection.place(*given[-1])
        return "" if self._points[key] else f"{given[-1]} lies nowhere on Earth"

    # ------------------------------------------------------------ links

    def _link(self, draft: Draft, kind: str, one: Any, row: Row) -> Iterator[Found]:
        ends = []
        for field, relation, name in (
            ("from", "receivesFrom", one.from_node), ("to", "drainsTo", one.to_node),
        ):  # fmt: skip
            node = self._names.get(self._key("JUNCTIONS", name))
            if node is None:
                reason = f"there is no node {name!r}"
                yield self._without(row, kind, field, reason, f"correct [{row.section}]")
            else:
                draft.tie(relation, node)
            ends.append(self._points.get(name.upper()))
        if self._projection is not None and None not in ends:
            given = self._text.positions("VERTICES").get(row.words[0].upper(), ())
            between = [self._projection.place(*one) for one in given]
            draft.geometry(places.line([ends[0], *between, ends[1]]))
        if kind not in {"DrainagePump", "FlowOutlet"}:
            yield from self._cross_section(draft, kind, row)
        if hasattr(one, "has_flap_gate"):
            draft.value("hasFlapGate", one.has_flap_gate)
        self._values.give(draft, one)

    def _cross_section(self, draft: Draft, kind: str, row: Row) -> Iterator[Found]:
        shape = self._shapes.get(row.words[0].upper())
        if shape is None:
            yield self._without(row, kind, "cross-section", "it has none", "add it to [XSECTIONS]")
            return
        try:
            one = self._library.CrossSection.from_inp_line(*shape.words)
        except (TypeError, ValueError):
            words = " ".join(shape.words)[:120]
            yield self._without(
                shape, kind, "cross-section", f"{words!r} cannot be read", "correct the line"
            )
            return
        draft.value("crossSection", one.shape)
        if one.shape in _ROUND:
            draft.value("diameter", self._units.length(one.height * 1000), "MMT")
        else:
            draft.value("height", self._units.length(one.height), "MTR")
            if one.shape in _WIDE:
                draft.value("width", self._units.length(one.parameter_2), "MTR")
        if one.n_barrels != 1:
            draft.value("barrels", one.n_barrels, "C62")

    # ------------------------------------------------------------ catchments and curves

    def _catchment(self, draft: Draft, one: Any, row: Row) -> Iterator[Found]:
        kind, units = "Subcatchment", self._units
        corners = self._text.positions("POLYGONS").get(row.words[0].upper(), ())
        if self._projection is not None:
            shape, reason = None, f"it has {len(corners)} corners"
            if len(corners) > 2:
                polygon = shapely.Polygon(corners)
                shape, reason = places.outline(polygon, self._projection)
            if reason and shape is None:
                yield self._without(row, kind, "polygon", reason, "correct [POLYGONS] or --crs")
            draft.geometry(shape)
        draft.value("area", units.hectares(one.area), "HAR")
        draft.value("imperviousness", one.imperviousness, "P1")
        draft.value("width", units.length(one.width), "MTR").value("slope", one.slope, "P1")
        draft.value("curbLength", units.length(one.curb_length), "MTR")
        draft.value("rainGage", one.rain_gage)
        if one.outlet.upper() == row.words[0].upper():
            return
        other = self._names.get(self._key("JUNCTIONS", one.outlet)) or self._names.get(
            self._key("SUBCATCHMENTS", one.outlet)
        )
        if other is None:
            reason = f"there is no node or subcatchment {one.outlet!r}"
            yield self._without(row, kind, "outlet", reason, "correct [SUBCATCHMENTS]")
        else:
            draft.tie("drainsTo", other)

    def _curves(self) -> Iterator[Found]:
        for curve in self._text.curves():
            row = curve.row
            if curve.wrong:
                yield self._refusal(row, "Curve", "", curve.wrong, "correct [CURVES]")
            elif curve.type not in _CURVES:
                yield Note(f"curves of type {curve.type[:20]} are not taken")
            else:
                first, second = _CURVES[curve.type]
                draft = Draft(self._settings, "Curve", row.words[0], self._where(row))
                draft.value("name", row.words[0]).value("curveType", curve.type)
                draft.value("xData", [self._units.of(first, x) for x, _ in curve.points])
                draft.value("yData", [self._units.of(second, y) for _, y in curve.points])
                yield draft.record()


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
