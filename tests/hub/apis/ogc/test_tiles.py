"""Tiles of the city, read by GDAL; their limits and their tags."""

import json

import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.apis.ogc import tiles
from citytwin_hub.apis.ogc.tiles import Cache, Tile, bounds
from tests.hub.apis.ngsild.serving import problem
from tests.hub.apis.ogc.serving import BEGAN_NS, ran, serving, shape, words
from tests.hub.entities.samples import entity, point, prop


async def read(http, folder, path):
    """Return the features of a tile as GDAL reads them, in metres of Web Mercator."""
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    if not answer.content:
        return []
    zoom, column, row = path.removesuffix(".mvt").split("/")[-3:]
    place = folder / zoom / column
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{row}.mvt"
    file.write_bytes(answer.content)
    out = folder / "out.json"
    out.unlink(missing_ok=True)
    await ran(
        "ogr2ogr", "-oo", "CLIP=NO", "-f", "GeoJSON", "-t_srs", "EPSG:4326", str(out), str(file)
    )
    return json.loads(out.read_text())["features"]


def tile_of(name, zoom, lon, lat):
    """Return the path of the tile that has a place."""
    columns, rows = range(2**zoom), range(2**zoom)
    column = next(
        one for one in columns if bounds(zoom, one, 0)[0] <= lon < bounds(zoom, one, 0)[2]
    )
    row = next(one for one in rows if bounds(zoom, 0, one)[1] <= lat < bounds(zoom, 0, one)[3])
    return f"/tiles/{name}/{zoom}/{column}/{row}.mvt"


async def test_gdal_reads_the_tanks_where_they_are(tmp_path):
    async with serving(tmp_path / "hub") as (http, _):
        path = tile_of("Tank", 13, 76.91, 43.2)
        found = await read(http, tmp_path, path)
        assert len(found) == 21  # one of them stands in the margin
        one = next(each for each in found if each["properties"]["id"] == "urn:ngsi-ld:Tank:6")
        assert one["geometry"]["coordinates"] == pytest.approx([76.906, 43.2], abs=1e-4)
        properties = one["properties"]
        assert properties["level"] == 3
        assert properties["closed"] is True
        assert properties["name:ru"] == "Резервуар 6"
        assert "createdAt" not in properties
        assert "level.unitCode" not in properties


async def test_lines_and_areas_are_clipped_and_simplified(tmp_path):
    async with serving(tmp_path / "hub") as (http, broker):
        wave = [[76.9 + n / 1e5, 43.2 + (n % 2) / 1e6] for n in range(2000)]
        border = [[60.0, 30.0], [90.0, 30.0], [90.0, 60.0], [60.0, 60.0], [60.0, 30.0]]
        with broker.tenant().entities.batch() as batch:
            batch.create(entity(2, "Pipe", location=shape("LineString", wave)))
            batch.create(entity(1, "Region", location=shape("Polygon", [border])))
        path = tile_of("Pipe", 13, 76.91, 43.2)
        pipes = {each["properties"]["id"]: each for each in await read(http, tmp_path, path)}
        assert len(json.dumps(pipes["urn:ngsi-ld:Pipe:2"])) < 2000
        path = tile_of("Region", 10, 76.9, 43.2)
        [region] = await read(http, tmp_path, path)
        zoom, column, row = (int(one) for one in path[:-4].split("/")[-3:])
        west, south, east, north = bounds(zoom, column, row)
        lons, lats = zip(*_positions(region["geometry"]["coordinates"]), strict=True)
        pad = (east - west) * tiles.BUFFER / 4096
        assert (min(lons), max(lons)) == pytest.approx((west - pad, east + pad), abs=1e-4)
        assert (min(lats), max(lats)) == pytest.approx((south - pad, north + pad), abs=3e-3)


def _positions(coordinates):
    if isinstance(coordinates[0], int | float):
        return [coordinates]
    return [one for part in coordinates for one in _positions(part)]


async def test_far_away_the_small_are_thinned_out_and_the_bytes_are_bounded(tmp_path, monkeypatch):
    async with serving(tmp_path / "hub") as (http, broker):
        with broker.tenant().entities.batch() as batch:
            for number in range(3000):
                place = point(76.8 + number % 60 / 2000, 43.2 + number // 60 / 2000)
                name = words(en="x" * 300)
                batch.create(entity(number, "Lamp", location=place, name=name, n=prop(number)))
        near = await http.get(tile_of("Lamp", 13, 76.81, 43.21))
        far = await http.get(tile_of("Lamp", 6, 76.81, 43.21))
        assert len(far.content) < len(near.content) / 10
        monkeypatch.setattr(tiles, "TILE_BYTES_MAX", 20_000)
        broker.tenant().entities.delete("urn:ngsi-ld:Lamp:0")
        less = await http.get(tile_of("Lamp", 13, 76.81, 43.21))
        assert 15_000 < len(less.content) < 20_100


async def test_a_tile_is_sent_once_until_something_changes_or_expires(tmp_path):
    async with serving(tmp_path) as (http, broker):
        path = tile_of("Tank", 14, 76.9, 43.2)
        first = await http.get(path)
        tag = {"If-None-Match": first.headers["etag"]}
        again = await http.get(path, headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        guest = entity(99, "Tank", location=point(76.9005, 43.2), expires_ns=BEGAN_NS + 10**9)
        broker.tenant().entities.create(guest)
        second = await http.get(path, headers=tag)
        assert (second.status_code, second.content != first.content) == (200, True)
        tag = {"If-None-Match": second.headers["etag"]}
        assert (await http.get(path, headers=tag)).status_code == 304
        assert isinstance(broker.clock, VirtualClock)
        broker.clock.advance(2 * 10**9)
        third = await http.get(path, headers=tag)
        assert (third.status_code, third.content) == (200, first.content)


@pytest.mark.parametrize("where", ["0/1/0", "23/0/0", "a/0/0", "1/0/-1", "1/0/" + "9" * 5000])
async def test_what_is_no_tile_is_not_there(tmp_path, where):
    async with serving(tmp_path) as (http, _):
        answer = await http.get(f"/tiles/Tank/{where}.mvt")
        assert (answer.status_code, problem(answer)) == (404, "ResourceNotFound")
        assert (await http.get("/tiles/None/0/0/0.mvt")).status_code == 404


async def test_where_nothing_is_a_tile_is_empty(tmp_path):
    async with serving(tmp_path) as (http, _):
        answer = await http.get("/tiles/Tank/3/0/0.mvt")
        assert (answer.status_code, answer.content) == (200, b"")


async def test_tilejson_leads_to_the_tiles(tmp_path):
    async with serving(tmp_path) as (http, _):
        told = (await http.get("/tiles/Tank")).json()
        [address] = told["tiles"]
        first = address.replace("{z}", "0").replace("{x}", "0").replace("{y}", "0")
        assert (await http.get(first)).content
        [layer] = told["vector_layers"]
        assert layer["id"] == "Tank"
        assert layer["fields"] == {
            "id": "String", "level": "Number", "closed": "Boolean", "name": "String",
        }  # fmt: skip
        assert told["bounds"] == pytest.approx([76.9, 43.2, 76.924, 43.2], abs=1e-4)


def test_the_cache_has_a_limit():
    cache = Cache(100)
    for number in range(30):
        cache.put((number,), Tile(1, 0, b"x" * 10))
    assert cache.get((0,), 1, 5) is None
    assert cache.get((29,), 1, 5) is not None
    assert cache.get((29,), 2, 5) is None
    cache.put((29,), Tile(1, 5, b"y"))
    assert cache.get((29,), 1, 5) is None
    assert cache.get((29,), 1, 4) is not None
