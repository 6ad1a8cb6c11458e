"""GeoJSON, GeoPackage and Shapefile: what GDAL wrote is what comes, in degrees."""

import json

import numpy as np
import pyogrio.raw
import pytest
import shapely

from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came
from tests.hub.importers.shared import ALMATY, needs_data

MAPPING = """
[[object]]
type = "Pipe"
id = "gid"
[object.attributes.diameter]
column = "diam"
kind = "number"
unit = "MMT"
[object.attributes.name]
column = "atauy"
"""
SHAPES = [
    shapely.LineString([(657950 + n * 10, 4790050), (657960 + n * 10, 4790060)]) for n in range(5)
]
BOW = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


def write(path, shapes=SHAPES, crs="EPSG:32643", layer=None, **options):
    gid = np.arange(len(shapes), dtype=np.int64)
    diam = np.array([np.nan if n == 2 else 100.5 + n for n in gid])
    name = np.array([f"Құбыр {n}" for n in gid], dtype=object)
    pyogrio.raw.write(
        str(path), shapely.to_wkb(np.array(shapes)), [gid, diam, name], ["gid", "diam", "atauy"],
        crs=crs, geometry_type=options.pop("kind", "LineString"), layer=layer, **options,
    )  # fmt: skip
    return path


def came(tmp_path, path, mapping=MAPPING, **settings):
    (tmp_path / "m.toml").write_text(mapping, encoding="utf-8")
    return Came("vector", path, mapping=tmp_path / "m.toml", **settings)


@pytest.mark.parametrize("name", ["n.gpkg", "n.shp", "n.geojson"])
def test_every_format_comes_the_same(tmp_path, name):
    encoding = {"encoding": "UTF-8"} if name.endswith("shp") else {}
    shapes, crs = SHAPES, "EPSG:32643"
    if name.endswith("geojson"):
        shapes, crs = [shapely.LineString([(76.9, 43.2), (76.91, 43.21)])] * 5, "EPSG:4326"
    found = came(tmp_path, write(tmp_path / name, shapes, crs, **encoding))
    assert found.kinds == {"Pipe": 5}
    assert found.refusals == []
    for n in range(5):
        urn = f"urn:ngsi-ld:Pipe:s:{n}"
        assert found.value(urn, "name") == f"Құбыр {n}"
        assert found.value(urn, "diameter") == (None if n == 2 else 100.5 + n)
        place = found.value(urn, "location")
        assert place["type"] == "LineString"
        assert 76.9 <= place["coordinates"][0][0] < 77
    assert found.list[3].where.endswith("feature 4")


def test_a_geometry_that_is_not_valid_is_left_out_and_said(tmp_path):
    square = shapely.box(76, 43, 77, 44)
    path = write(tmp_path / "a.gpkg", [square, BOW], "EPSG:4326", kind="Polygon")
    found = came(tmp_path, path)
    assert found.kinds == {"Pipe": 2}
    (refusal,) = found.refusals
    assert (refusal.source_id, refusal.field, refusal.whole) == ("1", "geometry", False)
    assert "Self-intersection" in refusal.reason
    assert found.value("urn:ngsi-ld:Pipe:s:1", "location") is None


def test_nan_and_null_in_geojson_are_missing(tmp_path):
    path = tmp_path / "n.geojson"
    feature = {
        "type": "Feature",
        "geometry": None,
        "properties": {"gid": 1, "diam": None, "atauy": ""},
    }
    text = json.dumps({"type": "FeatureCollection", "features": [feature, feature | {
        "properties": {"gid": 2, "diam": float("nan"), "atauy": "b"}}]})  # fmt: skip
    path.write_text(text)
    found = came(tmp_path, path)
    assert [found.value(f"urn:ngsi-ld:Pipe:s:{n}", "diameter") for n in (1, 2)] == [None, None]
    assert {one.field for one in found.refusals} == {"geometry"}


def test_what_must_be_said_is_asked_for(tmp_path):
    path = write(tmp_path / "a.gpkg", layer="pipes")
    write(path, layer="other", append=True)
    with pytest.raises(SourceError, match=r"say layer"):
        came(tmp_path, path)
    two = MAPPING + MAPPING.replace("[[object]]", '[[object]]\nlayer = "other"').replace(
        "Pipe", "Cable"
    )
    found = came(tmp_path, path, two.replace("[[object]]", '[[object]]\nlayer = "pipes"', 1))
    assert found.kinds == {"Pipe": 5, "Cable": 5}
    with pytest.raises(SourceError, match=r"no layer 'gone'; it has pipes, other"):
        came(tmp_path, path, MAPPING.replace("[[object]]", '[[object]]\nlayer = "gone"'))
    with pytest.raises(SourceError, match=r"layer pipes with gid, diam, atauy"):
        Came("vector", path)
    bare = write(tmp_path / "b.shp")
    bare.with_suffix(".prj").unlink()
    with pytest.raises(SourceError, match=r"give --crs"):
        came(tmp_path, bare)
    assert came(tmp_path, bare, crs="EPSG:32643").kinds == {"Pipe": 5}


def test_a_file_that_is_none_is_named(tmp_path):
    path = tmp_path / "a.gpkg"
    path.write_bytes(b"no database")
    with pytest.raises(SourceError, match=r"a\.gpkg cannot be read"):
        came(tmp_path, path)


@needs_data
def test_almatys_districts(tmp_path):
    path = ALMATY / "almaty-districts.geo.json"
    known = json.loads(path.read_text())["features"]
    mapping = '[[object]]\ntype = "District"\nid = "slug"\n'
    mapping += (
        '[object.attributes.name]\nkind = "texts"\ncolumns = { ru = "nameRu", en = "nameEn" }\n'
    )
    found = came(tmp_path, path, mapping)
    assert found.kinds == {"District": len(known)}
    assert found.refusals == []
    assert found.value("urn:ngsi-ld:District:s:turksib", "name")["ru"] == "Турксибский район"
