"""Landing page, collections and queryables, also as GDAL, on which QGIS stands, sees them."""

import json

import jsonschema

from tests.hub.apis.ogc.serving import listening, ran, serving

ROOT = "/ogc/features/v1"


async def test_every_link_of_the_landing_page_leads_somewhere(tmp_path):
    async with serving(tmp_path) as (http, _):
        for start in (ROOT, ROOT + "/"):
            answer = await http.get(start)
            rels = {one["rel"]: one for one in answer.json()["links"]}
            assert {"self", "service-desc", "conformance", "data"} <= rels.keys()
            for one in rels.values():
                found = await http.get(one["href"])
                assert found.status_code == 200
                assert found.headers["content-type"] == one["type"]
        classes = (await http.get(ROOT + "/conformance")).json()["conformsTo"]
        assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in classes


async def test_collections_are_types_with_their_extent(tmp_path):
    async with serving(tmp_path) as (http, _):
        answer = (await http.get(ROOT + "/collections")).json()
        found = {one["id"]: one for one in answer["collections"]}
        assert list(found) == ["Building", "Pipe", "Tank"]
        west, south, east, north = found["Pipe"]["extent"]["spatial"]["bbox"][0]
        assert (round(west, 3), round(south, 3)) == (76.9, 43.2)
        assert (round(east, 3), round(north, 3)) == (76.92, 43.22)
        one = (await http.get(ROOT + "/collections/Pipe")).json()
        assert one == found["Pipe"]
        assert "http://www.opengis.net/def/crs/EPSG/0/32643" in one["crs"]
        for link in one["links"]:
            if link["rel"] in ("self", "items"):
                assert (await http.get(link["href"])).status_code == 200


async def test_queryables_are_a_json_schema_of_properties(tmp_path):
    async with serving(tmp_path) as (http, _):
        schema = (await http.get(ROOT + "/collections/Building/queryables")).json()
        jsonschema.Draft202012Validator.check_schema(schema)
        properties = schema["properties"]
        assert properties["height"] == {"type": "number"}
        assert properties["storeys"] == {"type": "string"}
        assert properties["address"] == {"type": "object"}
        assert properties["geometry"]["x-ogc-role"] == "primary-geometry"


async def test_gdal_opens_the_city(tmp_path):
    async with listening(tmp_path) as address:
        source = f"OAPIF:{address}{ROOT}"
        layers = await ran("ogrinfo", "-ro", source)
        for line in ("Building) (Polygon)", "Pipe) (Line String)", "Tank) (Point)"):
            assert line in layers
        tanks = await ran("ogrinfo", "-ro", "-so", source, "Tank", "-oo", "PAGE_SIZE=10")
        assert "Feature Count: 25" in tanks
        for field in (
            "level: Real",
            "level.observedAt: DateTime",
            "name: String",
            "closed: Integer",
        ):
            assert field in tanks
        where = ("-spat", "76.9035", "43", "76.9055", "44", "-where", "level > 2.2")
        some = await ran("ogrinfo", "-ro", "-q", source, "Tank", *where)
        assert some.count("OGRFeature") == 1
        assert "urn:ngsi-ld:Tank:5" in some
        out = tmp_path / "tanks.json"
        await ran("ogr2ogr", "-oo", "PAGE_SIZE=7", str(out), source, "Tank")
        assert len(json.loads(out.read_text())["features"]) == 25
