"""Tables, as DuckDB and Python's csv read them."""

import csv
import datetime
import io
import json

import duckdb
import pyarrow.parquet as pq
import shapely

from tests.hub.apis.ogc.serving import serving

ROOT = "/ogc/features/v1/collections/"


def asked(query):
    """Return the rows that DuckDB finds."""
    return duckdb.connect().execute(query).fetchall()


async def exported(http, folder, name, **params):
    answer = await http.get(f"{ROOT}{name}/export", params=params)
    assert answer.status_code == 200, answer.text
    path = folder / f"out.{params['f']}"
    path.write_bytes(answer.content)
    return path


async def test_csv_has_a_header_and_every_feature(tmp_path):
    async with serving(tmp_path / "hub") as (http, _):
        path = await exported(http, tmp_path, "Building", f="csv")
    first, second = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    assert first["id"] == "urn:ngsi-ld:Building:1"
    assert float(first["height"]) == 12.5
    assert json.loads(first["address"]) == {"street": "Абай"}
    assert shapely.from_wkt(first["geometry"]).geom_type == "Polygon"
    assert (second["geometry"], second["address"], second["storeys"]) == ("", "", "one")


async def test_parquet_has_columns_of_their_types(tmp_path):
    async with serving(tmp_path / "hub") as (http, _):
        path = await exported(http, tmp_path, "Tank", f="parquet", lang="en")
    [found] = asked(
        f"SELECT count(*), sum(level), count(*) FILTER (closed), "
        f'epoch_us(min("level.observedAt")), '
        f"max(name), min(geometry) FROM read_parquet('{path}')"
    )
    assert found[:3] == (25, 150.0, 13)
    oldest = datetime.datetime(2023, 11, 14, 22, 12, 56, tzinfo=datetime.UTC)
    assert found[3] == oldest.timestamp() * 1e6
    assert found[4] == "Tank 9"
    assert found[5] == "POINT (76.9 43.2)"


async def test_geoparquet_says_where_it_is(tmp_path):
    async with serving(tmp_path / "hub") as (http, _):
        plain = await exported(http, tmp_path, "Building", f="geoparquet")
        told = json.loads(pq.read_metadata(plain).metadata[b"geo"])
        column = told["columns"]["geometry"]
        assert (told["version"], told["primary_column"]) == ("1.1.0", "geometry")
        assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Polygon"])
        assert [round(one, 3) for one in column["bbox"]] == [76.95, 43.25, 76.951, 43.251]
        assert "crs" not in column
        rows = asked(f"SELECT id, geometry FROM read_parquet('{plain}')")
        assert shapely.from_wkb(bytes(rows[0][1])).bounds[0] == 76.95
        assert rows[1][1] is None
        metres = await exported(http, tmp_path, "Building", f="geoparquet", crs="[EPSG:32643]")
        column = json.loads(pq.read_metadata(metres).metadata[b"geo"])["columns"]["geometry"]
        assert column["crs"]["id"] == {"authority": "EPSG", "code": 32643}
        assert column["bbox"][0] > 600_000
        turned = await exported(http, tmp_path, "Building", f="geoparquet", crs="[EPSG:4326]")
        column = json.loads(pq.read_metadata(turned).metadata[b"geo"])["columns"]["geometry"]
        assert round(column["bbox"][0], 2) == 76.95  # x first, whatever the authority says
