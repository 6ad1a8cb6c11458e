"""pandapower and pandapipes: power, heat, water and gas networks from their JSON files.

The tables of the file are read, not its objects: the libraries themselves import whatever modules
a file names. Power: buses, lines, transformers, loads, generators, grid connections, switches.
Pipes: junctions, pipes, valves, pumps, sinks, sources, heat consumers and exchangers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from citytwin_hub.importers import places
from citytwin_hub.importers.frame import (
    Draft,
    Found,
    Note,
    Refusal,
    Settings,
    SourceError,
    check_size,
    plain,
)

FILE_BYTES_MAX: Final = 512 * 2**20
ROWS_MAX: Final = 2_000_000

Row = Mapping[str, Any]


class Column(msgspec.Struct, frozen=True):
    """A column: the attribute that it becomes, its unit and what it is multiplied by."""

    name: str
    unit: str = ""
    scale: float = 1.0


class Table(msgspec.Struct, frozen=True):
    """A table: what its rows are, and to which nodes they are tied by which column."""

    kind: str
    ties: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]


COLUMNS: Final = {
    "vn_kv": Column("nominalVoltage", "KVT"),
    "length_km": Column("length", "MTR", 1000),
    "max_i_ka": Column("maximumCurrent", "AMP", 1000),
    "std_type": Column("model"),
    "parallel": Column("parallel", "C62"),
    "sn_mva": Column("ratedPower", "MVA"),
    "vn_hv_kv": Column("highVoltage", "KVT"),
    "vn_lv_kv": Column("lowVoltage", "KVT"),
    "p_mw": Column("activePower", "MAW"),
    "q_mvar": Column("reactivePower", "MAR"),
    "in_service": Column("inService"),
    "closed": Column("closed"),
    "opened": Column("opened"),
    "type": Column("category"),
    "height_m": Column("elevation", "MTR"),
    "pn_bar": Column("nominalPressure", "BAR"),
    "diameter_m": Column("diameter", "MMT", 1000),
    "inner_diameter_mm": Column("diameter", "MMT"),
    "k_mm": Column("roughness", "MMT"),
    "mdot_kg_per_s": Column("massFlow", "KGS"),
    "qext_w": Column("heatPower", "WTT"),
    "p_bar": Column("pressure", "BAR"),
    "t_k": Column("temperature", "KEL"),
}
_ENDS: Final = (("startsAt", "from_bus"), ("endsAt", "to_bus"))
_PIPED: Final = (("startsAt", "from_junction"), ("endsAt", "to_junction"))
_CIRCLED: Final = (("startsAt", "return_junction"), ("endsAt", "flow_junction"))
_WIDE: Final = ("diameter_m", "inner_diameter_mm")
_ON: Final = ("in_service",)
POWER: Final = {
    "bus": Table("Bus", (), ("vn_kv", "type", *_ON)),
    "line": Table("PowerLine", _ENDS, ("length_km", "max_i_ka", "std_type", "parallel", *_ON)),
    "trafo": Table(
        "Transformer",
        (("isFedBy", "hv_bus"), ("feeds", "lv_bus")),
        ("sn_mva", "vn_hv_kv", "vn_lv_kv", "std_type", *_ON),
    ),
    "load": Table("PowerLoad", (("isSuppliedBy", "bus"),), ("p_mw", "q_mvar", "type", *_ON)),
    "sgen": Table(
        "PowerGenerator", (("feeds", "bus"),), ("p_mw", "q_mvar", "sn_mva", "type", *_ON)
    ),
    "gen": Table("PowerGenerator", (("feeds", "bus"),), ("p_mw", "sn_mva", "type", *_ON)),
    "ext_grid": Table("GridConnection", (("feeds", "bus"),), _ON),
    "switch": Table("Switch", (("connectsTo", "bus"),), ("closed", "type")),
}
PIPES: Final = {
    "junction": Table("Junction", (), ("height_m", "pn_bar", *_ON)),
    "pipe": Table("Pipe", _PIPED, ("length_km", *_WIDE, "k_mm", "std_type", *_ON)),
    "valve": Table("Valve", _PIPED, (*_WIDE, "opened", *_ON)),
    "pump": Table("Pump", _PIPED, ("std_type", *_ON)),
    "circ_pump_pressure": Table("Pump", _CIRCLED, _ON),
    "circ_pump_mass": Table("Pump", _CIRCLED, _ON),
    "heat_exchanger": Table("HeatExchanger", _PIPED, ("qext_w", *_ON)),
    "heat_consumer": Table("HeatConsumer", _PIPED, ("qext_w", *_ON)),
    "sink": Table("Consumer", (("isSuppliedBy", "junction"),), ("mdot_kg_per_s", *_ON)),
    "source": Table("Source", (("feeds", "junction"),), ("mdot_kg_per_s", *_ON)),
    "ext_grid": Table("GridConnection", (("feeds", "junction"),), ("p_bar", "t_k", *_ON)),
}


def read(settings: Settings) -> Iterator[Found]:
    """Yield the network's objects.

    Raises:
        SourceError: it is no network of pandapower or pandapipes.
    """
    tables = _tables(settings)
    piped = "junction" in tables
    network = _Network(settings, tables, "junction" if piped else "bus")
    if settings.crs:
        network.projection = places.Projection(settings.crs)
    known = PIPES if piped else POWER
    if "trafo3w" in tables and next(_rows(tables["trafo3w"]), None):
        yield Note("transformers with three windings (trafo3w) are not taken")
    for name, table in known.items():
        if name in tables:
            yield from network.found(name, table)


def _tables(settings: Settings) -> dict[str, Any]:
    path = settings.path
    try:
        check_size(path, FILE_BYTES_MAX, "write it by district")
        document = msgspec.json.decode(path.read_bytes())
        tables = document["_object"]
        if not isinstance(tables, dict) or not {"bus", "junction"} & tables.keys():
            raise KeyError("_object")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path} is no network that pandapower.to_json or pandapipes.to_json wrote ({error})"
        ) from None
    return tables


def _rows(table: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield index and row of a table: a data frame in the orientation "split", or in none."""
    told = table.get("_object") if isinstance(table, dict) else None
    if isinstance(told, str):
        told = msgspec.json.decode(told)
    if not isinstance(told, dict) or not {"columns", "index", "data"} <= told.keys():
        return
    if len(told["index"]) > ROWS_MAX:
        raise SourceError(f"a table has over {ROWS_MAX} rows; write it by district")
    for index, values in zip(told["index"], told["data"], strict=True):
        yield index, dict(zip(told["columns"], values, strict=True))


class _Network:
    """A network on its way out."""

    def __init__(self, settings: Settings, tables: Mapping[str, Any], node: str) -> None:
        self._settings, self._tables, self._node = settings, tables, node
        self.projection: places.Projection | None = None
        self._kind = (POWER | PIPES)[node].kind
        self._places: dict[Any, tuple[float, float] | None] = {}
        self._nodes = {index for index, _ in _rows(tables[node])}
        self._read_places()

    def _read_places(self) -> None:
        """Read where the nodes are: a column of GeoJSON, or the older table of x and y."""
        self._geodata: dict[Any, tuple[float, float]] = {}
        for index, row in _rows(self._tables.get(f"{self._node}_geodata")):
            if isinstance(row.get("x"), int | float) and isinstance(row.get("y"), int | float):
                self._geodata[index] = (row["x"], row["y"])
        for index, row in _rows(self._tables[self._node]):
            told = _geojson(row.get("geo"))
            if told and told.get("type") == "Point":
                self._geodata[index] = tuple(told["coordinates"][:2])

    def _place(self, index: Any) -> tuple[float, float] | None:
        found = self._geodata.get(index)
        if found is None:
            return None
        if self.projection is not None:
            return self.projection.place(*found)
        lon, lat = found
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            return None
        return round(lon, places.DEGREE_DIGITS), round(lat, places.DEGREE_DIGITS)

    def found(self, name: str, table: Table) -> Iterator[Found]:
        """Yield the rows of a table as objects."""
        for index, row in _rows(self._tables[name]):
            where = f"{self._settings.path.name}: {name} {index}"
            source_id = str(index) if name == self._node else f"{name}-{index}"
            draft = Draft(self._settings, table.kind, source_id, where)
            draft.value("name", plain(row.get("name")))
            yield from self._tied(draft, table, row)
            if name == self._node and index in self._geodata and self._place(index) is None:
                yield Refusal(
                    where, "geo", f"{self._geodata[index]} lies nowhere on Earth",
                    "give --crs, or correct it", source_id, table.kind, whole=False,
                )  # fmt: skip
            draft.geometry(self._shape(name, table, index, row))
            for column in table.columns:
                self._value(draft, column, row)
            yield draft.record()

    def _tied(self, draft: Draft, table: Table, row: Row) -> Iterator[Refusal]:
        for relation, column in table.ties:
            target = row.get(column)
            if target in self._nodes:
                draft.tie(relation, (self._kind, str(target)))
            else:
                yield Refusal(
                    draft.where, column, f"there is no {self._node} {target}", "correct it",
                    draft.source_id, table.kind, whole=False,
                )  # fmt: skip
        other = {"l": "line", "t": "trafo", "b": "bus"}.get(str(row.get("et", "")))
        if table.kind == "Switch" and other is not None:
            element = row.get("element")
            target = (POWER[other].kind, str(element) if other == "bus" else f"{other}-{element}")
            bus = (self._kind, str(row.get("bus")))
            draft.tie("connectsTo", bus, target)

    def _shape(self, name: str, table: Table, index: Any, row: Row) -> dict[str, Any] | None:
        if name == self._node:
            return places.point(self._place(index))
        told = _geojson(row.get("geo"))
        if told and told.get("type") == "LineString":
            if self.projection is None:
                return told
            return places.line([self.projection.place(*one[:2]) for one in told["coordinates"]])
        ends = [self._place(row.get(column)) for _, column in table.ties]
        if len(ends) == 2:
            return places.line(ends)
        return places.point(ends[0]) if ends and ends[0] else None

    def _value(self, draft: Draft, column: str, row: Row) -> None:
        value, made = plain(row.get(column)), COLUMNS[column]
        if isinstance(value, int | float) and not isinstance(value, bool) and made.scale != 1:
            value = float(f"{value * made.scale:.12g}")
        draft.value(made.name, value, made.unit)


def _geojson(told: Any) -> dict[str, Any] | None:
    if isinstance(told, str) and told:
        try:
            told = msgspec.json.decode(told)
        except msgspec.DecodeError:
            return None
    return told if isinstance(told, dict) and isinstance(told.get("coordinates"), list) else None
