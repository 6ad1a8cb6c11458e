"""CityJSON, as cjio reads it."""

import itertools
import json

import pytest
import shapely

from citytwin_hub.apis.ogc.cityjson import system_of
from citytwin_hub.apis.ogc.crs import EPSG
from tests.hub.apis.ogc.judge import cityjson as reader
from tests.hub.apis.ogc.serving import serving, shape, square
from tests.hub.entities.samples import entity, prop

LONG = 0.12345678901234568
EXPORT = "/ogc/features/v1/collections/{}/export?f=cityjson"


async def exported(http, folder, name="Building"):
    answer = await http.get(EXPORT.format(name))
    assert answer.status_code == 200, answer.text
    path = folder / "out.city.json"
    path.write_bytes(answer.content)
    with path.open("rb") as file:
        city = reader.CityJSON(file=file)
    city.check_version()
    vertices = len(city.j["vertices"])
    assert city.remove_orphan_vertices() in (0, None)
    assert len(city.j["vertices"]) == vertices
    return city


def test_the_judge_leaves_the_json_of_the_tests_alone():
    assert json.loads(json.dumps([LONG])) == [LONG]
    assert reader.json.dumps(LONG) == repr(LONG)


def placed(city, boundaries):
    """Return boundaries with positions in metres in the place of numbers of vertices."""
    if isinstance(boundaries, list):
        return [placed(city, one) for one in boundaries]
    transform, place = city.j["transform"], city.j["vertices"][boundaries]
    scaled = zip(place, transform["scale"], transform["translate"], strict=True)
    return tuple(one * scale + zero for one, scale, zero in scaled)


async def test_a_building_is_a_solid_of_its_height(tmp_path):
    async with serving(tmp_path / "hub") as (http, _):
        city = await exported(http, tmp_path)
    assert city.get_epsg() == 32643
    first = city.j["CityObjects"]["urn:ngsi-ld:Building:1"]
    assert (first["type"], first["attributes"]["height"]) == ("Building", 12.5)
    [solid] = first["geometry"]
    assert (solid["type"], solid["lod"]) == ("Solid", "1")
    [shell] = placed(city, solid["boundaries"])
    assert len(shell) == 2 + 4
    heights = {round(z, 3) for surface in shell for ring in surface for _, _, z in ring}
    assert heights == {0.0, 12.5}
    xs = [x for surface in shell for ring in surface for x, _, _ in ring]
    assert 658_000 < min(xs) < max(xs) < 659_000
    assert volume(shell) == pytest.approx(12.5 * shapely.Polygon(shell[1][0]).area, rel=1e-6)
    assert "geometry" not in city.j["CityObjects"]["urn:ngsi-ld:Building:2"]


def volume(shell):
    """Return the volume inside of surfaces that are all seen from outside (divergence theorem)."""
    total = 0.0
    x0, y0, _ = shell[0][0][0]
    for surface in shell:
        for ring in surface:
            places = [(x - x0, y - y0, z) for x, y, z in ring]
            for b, c in itertools.pairwise(places[1:]):
                a = places[0]
                total += (
                    a[0] * (b[1] * c[2] - b[2] * c[1])
                    - a[1] * (b[0] * c[2] - b[2] * c[0])
                    + a[2] * (b[0] * c[1] - b[1] * c[0])
                ) / 6
    return total


async def test_courts_heights_and_parts_are_kept(tmp_path):
    outer, court = square(76.95, 43.25, 0.002), square(76.9505, 43.2505, 0.001)
    holed = [outer[0], court[0][::-1]]
    on_hill = [[[*place, 900.5] for place in square(76.97, 43.25)[0]]]
    async with serving(tmp_path / "hub") as (http, broker):
        with broker.tenant().entities.batch() as batch:
            batch.create(entity(3, "Building", location=shape("Polygon", holed), height=prop(10)))
            two = [square(76.98, 43.25), square(76.99, 43.25)]
            batch.create(entity(4, "Building", location=shape("MultiPolygon", two), height=prop(3)))
            batch.create(entity(5, "Building", location=shape("Polygon", on_hill), height=prop(9)))
            batch.create(entity(1, "District", location=shape("Polygon", outer)))
        city = await exported(http, tmp_path)
        objects = city.j["CityObjects"]
        [solid] = objects["urn:ngsi-ld:Building:3"]["geometry"]
        [shell] = placed(city, solid["boundaries"])
        assert len(shell) == 2 + 8
        area = shapely.Polygon(shell[1][0], [shell[1][1]]).area
        assert volume(shell) == pytest.approx(10 * area, rel=1e-6)
        [both] = objects["urn:ngsi-ld:Building:4"]["geometry"]
        assert (both["type"], len(both["boundaries"])) == ("MultiSolid", 2)
        [hill] = placed(city, objects["urn:ngsi-ld:Building:5"]["geometry"][0]["boundaries"])
        assert {round(z, 1) for s in hill for ring in s for _, _, z in ring} == {900.5, 909.5}
        city = await exported(http, tmp_path, "District")
        flat = city.j["CityObjects"]["urn:ngsi-ld:District:1"]
        assert (flat["type"], flat["geometry"][0]["type"]) == ("GenericCityObject", "MultiSurface")


def test_the_zone_is_that_of_the_place_within_kazakhstan():
    assert system_of(EPSG.format(4326), 76.9) == EPSG.format(32643)
    assert system_of(EPSG.format(4326), 82.0) == EPSG.format(32644)
    assert system_of(EPSG.format(4326), 0.0) == EPSG.format(32642)
    assert system_of(EPSG.format(3857), 76.9) == EPSG.format(3857)
