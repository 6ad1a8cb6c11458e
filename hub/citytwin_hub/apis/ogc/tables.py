"""Tables: features as CSV, as Parquet, and as GeoParquet 1.1.

Numbers, texts and truth values have columns of their own type; what is of several types, a list or
an object is JSON. Moments are timestamps in Parquet. Of a geometry, x (longitude, east) is first.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import shapely
from pyproj import CRS

from citytwin_hub.apis.ogc import crs
from citytwin_hub.apis.ogc.spool import Row, Spool
from citytwin_hub.entities.moments import parse_ns

ROWS: Final = 10_000
"""In memory at once: one row group."""
_MOMENTS: Final = ("createdAt", "modifiedAt", "observedAt")


def write_csv(path: Path, spool: Spool, _system: str) -> None:
    """Write CSV with a header; the geometry is WKT."""
    names = sorted(spool.types)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *names, "geometry"])
        for one, geometry, properties in spool.rows():
            shown = [_text(properties.get(name)) for name in names]
            writer.writerow([one, *shown, "" if geometry is None else shapely.to_wkt(geometry)])


def write_parquet(path: Path, spool: Spool, _system: str) -> None:
    """Write Parquet; the geometry is WKT."""
    _write(path, spool, "string", shapely.to_wkt, {})


def write_geoparquet(path: Path, spool: Spool, system: str) -> None:
    """Write GeoParquet 1.1.0; the geometry is WKB."""
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(spool.shapes)}
    if spool.box is not None:
        column["bbox"] = spool.box
    if system != crs.CRS84:  # which is what no crs means
        column["crs"] = CRS.from_user_input(crs.name_of(system)).to_json_dict()
    told = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    _write(path, spool, "binary", shapely.to_wkb, {b"geo": json.dumps(told).encode()})


WRITERS: Final[Mapping[str, Callable[[Path, Spool, str], None]]] = MappingProxyType(
    {"csv": write_csv, "parquet": write_parquet, "geoparquet": write_geoparquet}
)


def _write(
    path: Path, spool: Spool, kind: str, shown: Callable[[Any], Any], metadata: dict[bytes, bytes]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "number": pa.float64(), "boolean": pa.bool_(), "string": pa.string(), "binary": pa.binary(),
        "moment": pa.timestamp("us", tz="UTC"), "json": pa.string(),
    }  # fmt: skip
    kinds = {name: _kind(name, spool.types[name]) for name in sorted(spool.types)}
    fields = [("id", pa.string()), *((name, types[one]) for name, one in kinds.items())]
    schema = pa.schema([*fields, ("geometry", types[kind])], metadata=metadata)
    rows = spool.rows()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while part := list(itertools.islice(rows, ROWS)):
            columns: list[Iterable[Any]] = [[one for one, _, _ in part]]
            columns += [
                [_cell(one, row[2].get(name)) for row in part] for name, one in kinds.items()
            ]
            columns.append([_geometry(row, shown) for row in part])
            arrays = [
                pa.array(each, field.type) for each, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _geometry(row: Row, shown: Callable[[Any], Any]) -> Any:
    return None if row[1] is None else shown(row[1])


def _kind(name: str, types: set[str]) -> str:
    if len(types) != 1:
        return "json" if types else "string"
    (one,) = types
    if one == "string":
        return "moment" if name.rpartition(".")[2] in _MOMENTS else "string"
    return one if one in ("number", "boolean") else "json"


def _cell(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "moment":
        try:
            return parse_ns(value) // 1000
        except ValueError:  # an attribute that only has this name
            return None
    if kind == "number":
        return float(value)
    return json.dumps(value, ensure_ascii=False) if kind == "json" else value


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
