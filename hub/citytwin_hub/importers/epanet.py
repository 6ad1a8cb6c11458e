"""EPANET: a water network from an INP file, read by wntr; types and names of Smart Data Models.

Everything is SI as wntr gives it, but diameters and roughness (Darcy-Weisbach) in millimetres and
power in kilowatts, as the data models of water distribution have them. A pump's ``speed`` is a
ratio. Pipes, pumps and valves tie their ends with ``startsAt`` and ``endsAt``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from citytwin_hub.importers import encodings, places
from citytwin_hub.importers.frame import (
    Draft,
    Found,
    Note,
    Record,
    Refusal,
    Settings,
    SourceError,
    check_size,
    library,
)

_SECTIONS: Final = {
    "Junction": "JUNCTIONS",
    "Reservoir": "RESERVOIRS",
    "Tank": "TANKS",
    "Pipe": "PIPES",
    "Pump": "PUMPS",
    "Valve": "VALVES",
}
_SETTINGS: Final = {"PRV": "MTR", "PSV": "MTR", "PBV": "MTR", "FCV": "MQS", "TCV": "C62"}
"""Unit of a valve's setting: pressure as head, flow, or a coefficient."""
FILE_BYTES_MAX: Final = 256 * 2**20
"""Of a file, which wntr holds whole; the largest models of cities have about 50 MiB."""
PATTERN_VALUES_MAX: Final = 100_000
"""Of a pattern; one that has more is refused: eleven years of hours."""


def read(settings: Settings) -> Iterator[Found]:
    """Yield the network's objects.

    Raises:
        SourceError: wntr cannot read the file; the sentence names the line where that is known.
    """
    check_size(settings.path, FILE_BYTES_MAX, "cut the model by district")
    encoding = encodings.of_file(settings.path)
    if encodings.told(encoding):
        yield Note(encodings.told(encoding))
    network, lines = _network(settings.path, encoding)
    projection = places.Projection(settings.crs) if settings.crs else None
    if projection is None:
        yield Note(
            "an INP file does not say its coordinate system: the objects came without places; "
            "give --crs, EPSG:32643 for UTM in Almaty"
        )
    yield from _Network(settings, network, lines, projection).found()


def _network(path: Path, encoding: str) -> tuple[Any, dict[tuple[str, str], int]]:
    library("wntr")
    from wntr.epanet.exceptions import EpanetException
    from wntr.epanet.io import InpFile

    reader = InpFile()
    with tempfile.NamedTemporaryFile("w", suffix=".inp", encoding="utf-8") as copy:
        if encoding != "utf-8":
            with path.open(encoding=encoding, errors="replace") as file:
                copy.writelines(file)
            copy.flush()
        try:
            network = reader.read(copy.name if encoding != "utf-8" else str(path))
        # wntr lets through whatever its parsing meets.
        except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError,
                SyntaxError, TypeError, ValueError, EpanetException) as error:  # fmt: skip
            raise SourceError(_told(path, reader, error.__cause__ or error)) from None
    return network, {
        (section.strip("[]"), words[0]): number
        for section, rows in reader.sections.items()
        for number, row in reversed(rows)  # the first of an id stays
        if (words := row.split(";")[0].split())
    }


def _told(path: Path, reader: Any, error: BaseException) -> str:
    """Return why wntr gave up, with the line that holds what it could not read."""
    words = " ".join(str(error).split())[:300] or type(error).__name__
    bad = words.rpartition(": '")[2].rstrip("'") if ": '" in words else words.strip("'\"")
    for rows in getattr(reader, "sections", {}).values():
        for number, row in rows:
            if bad and bad in row.split(";")[0].split():
                return (
                    f"{path}:{number}: {row.strip()!r} cannot be read ({words}); correct the line"
                )
    return f"{path} is no INP file that wntr can read: {words}"


class _Network:
    """One network on its way out."""

    def __init__(
        self,
        settings: Settings,
        network: Any,
        lines: dict[tuple[str, str], int],
        projection: places.Projection | None,
    ) -> None:
        self._settings, self._network, self._lines = settings, network, lines
        self._projection = projection
        self._darcy = network.options.hydraulic.headloss == "D-W"

    def found(self) -> Iterator[Found]:
        """Yield curves and patterns, nodes, then what lies between them."""
        for name, curve in self._network.curves():
            yield self._curve(name, curve)
        for name, pattern in self._network.patterns():
            if len(pattern.multipliers) > PATTERN_VALUES_MAX:
                yield Refusal(
                    self._where("PATTERNS", name), "", f"it has over {PATTERN_VALUES_MAX} values",
                    "give it a longer time step", name, "Pattern",
                )  # fmt: skip
            else:
                yield self._pattern(name, pattern)
        for name, node in self._network.nodes():
            yield from self._node(name, node)
        for name, link in self._network.links():
            yield from self._link(name, link)

    def _draft(self, kind: str, name: str, section: str) -> Draft:
        return Draft(self._settings, kind, name, self._where(section, name)).value("name", name)

    def _where(self, section: str, name: str) -> str:
        number = self._lines.get((section, name))
        line = f":{number}" if number else ""
        return f"{self._settings.path.name}{line} [{section}] {name}"

    def _curve(self, name: str, curve: Any) -> Record:
        draft = self._draft("Curve", name, "CURVES").value("curveType", curve.curve_type)
        draft.value("xData", [float(x) for x, _ in curve.points])
        return draft.value("yData", [float(y) for _, y in curve.points]).record()

    def _pattern(self, name: str, pattern: Any) -> Record:
        draft = self._draft("Pattern", name, "PATTERNS")
        draft.value("multipliers", [float(one) for one in pattern.multipliers])
        step_s = self._network.options.time.pattern_timestep
        return draft.value("timeStep", step_s, "SEC").record()

    def _node(self, name: str, node: Any) -> Iterator[Found]:
        kind = node.node_type
        draft = self._draft(kind, name, _SECTIONS[kind]).value("tag", node.tag)
        place, reason = self._place(name, node)
        if reason:
            yield Refusal(
                draft.where, "coordinates", reason, "correct [COORDINATES] or --crs",
                name, kind, whole=False,
            )  # fmt: skip
        draft.geometry(places.point(place))
        if kind == "Junction":
            self._demand(draft, node)
            draft.value("elevation", node.elevation, "MTR")
            draft.value("emitterCoefficient", node.emitter_coefficient)
        elif kind == "Tank":
            draft.value("elevation", node.elevation, "MTR")
            draft.value("nominalDiameter", node.diameter, "MTR")
            draft.value("initLevel", node.init_level, "MTR")
            draft.value("minLevel", node.min_level, "MTR")
            draft.value("maxLevel", node.max_level, "MTR")
            draft.value("minVolume", node.min_vol, "MTQ")
            draft.tie("volumeCurve", ("Curve", node.vol_curve_name or ""))
        else:
            draft.value("reservoirHead", node.base_head, "MTR")
            draft.tie("headPattern", ("Pattern", node.head_pattern_name or ""))
        yield draft.record()

    def _demand(self, draft: Draft, node: Any) -> None:
        demands = [one for one in node.demand_timeseries_list if one.base_value]
        draft.value("baseDemand", float(sum(one.base_value for one in demands)), "MQS")
        patterns = dict.fromkeys(one.pattern_name for one in demands if one.pattern_name)
        draft.tie("demandPattern", *(("Pattern", one) for one in patterns))

    def _place(self, name: str, node: Any) -> tuple[tuple[float, float] | None, str]:
        if self._projection is None:
            return None, ""
        if ("COORDINATES", name) not in self._lines:
            return None, "it has no coordinates"
        place = self._projection.place(*node.coordinates)
        return place, "" if place else f"{node.coordinates} lies nowhere on Earth"

    def _link(self, name: str, link: Any) -> Iterator[Found]:
        kind = link.link_type
        draft = self._draft(kind, name, _SECTIONS[kind]).value("tag", link.tag)
        begin, end = link.start_node, link.end_node
        draft.tie("startsAt", (begin.node_type, begin.name))
        draft.tie("endsAt", (end.node_type, end.name))
        draft.geometry(self._way(link))
        draft.value("initialStatus", str(link.initial_status).upper())
        getattr(self, f"_{kind.lower()}")(draft, link)
        yield draft.record()

    def _way(self, link: Any) -> dict[str, Any] | None:
        if self._projection is None:
            return None
        begin, _ = self._place(link.start_node_name, link.start_node)
        end, _ = self._place(link.end_node_name, link.end_node)
        between = [self._projection.place(*one) for one in link.vertices]
        return places.line([begin, *between, end])

    def _pipe(self, draft: Draft, link: Any) -> None:
        draft.value("length", link.length, "MTR").value("diameter", link.diameter * 1000, "MMT")
        if self._darcy:
            draft.value("roughness", link.roughness * 1000, "MMT")
        else:
            draft.value("roughness", link.roughness, "C62")
        draft.value("minorLoss", link.minor_loss, "C62")
        if link.check_valve:
            draft.value("initialStatus", "CV")

    def _pump(self, draft: Draft, link: Any) -> None:
        draft.value("speed", link.base_speed, "C62")
        draft.tie("pumpPattern", ("Pattern", link.speed_pattern_name or ""))
        if link.pump_type == "HEAD":
            draft.tie("headCurve", ("Curve", link.pump_curve_name or ""))
        else:
            draft.value("power", link.power / 1000, "KWT")

    def _valve(self, draft: Draft, link: Any) -> None:
        draft.value("valveType", link.valve_type).value("diameter", link.diameter * 1000, "MMT")
        draft.value("minorLoss", link.minor_loss, "C62")
        if link.valve_type == "GPV":
            draft.tie("valveCurve", ("Curve", link.headloss_curve_name or ""))
        else:
            draft.value("setting", link.initial_setting, _SETTINGS.get(link.valve_type, ""))
