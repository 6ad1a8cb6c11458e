"""CityJSON: a house with a part, as a document and as a sequence; cjio says that it is one."""

import copy
import json
import subprocess
import sys
from typing import Any

import pytest
import shapely

from citytwin_hub.importers import cityjson
from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came

BOX = [[0, 0, 0], [10, 0, 0], [10, 8, 0], [0, 8, 0], [0, 0, 6], [10, 0, 6], [10, 8, 6], [0, 8, 6]]
SHELL = [
    [[3, 2, 1, 0]], [[4, 5, 6, 7]], [[0, 1, 5, 4]], [[1, 2, 6, 5]], [[2, 3, 7, 6]], [[3, 0, 4, 7]],
]  # fmt: skip
HOUSE = {
    "type": "CityJSON", "version": "2.0",
    "transform": {"scale": [1.0, 1.0, 1.0], "translate": [657950.0, 4790050.0, 850.0]},
    "metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/32643"},
    "CityObjects": {
        "h1": {
            "type": "Building", "children": ["h1-a"],
            "attributes": {"storeysAboveGround": 2, "name": "Үй", "id": "x", "list": [1]},
            "geometry": [
                {"type": "Solid", "lod": "1", "boundaries": [SHELL]},
                {"type": "MultiSurface", "lod": "0", "boundaries": [[[0, 1, 2, 3]]]},
            ],
        },
        "h1-a": {"type": "BuildingPart", "parents": ["h1"]},
        "t": {"type": "SolitaryVegetationObject", "geometry": [
            {"type": "MultiPoint", "lod": "0", "boundaries": [4]}]},
    },
    "vertices": BOX,
}  # fmt: skip


def write(tmp_path, document=HOUSE, name="h.city.json"):
    path = tmp_path / name
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


def sequence(tmp_path):
    head = {key: one for key, one in HOUSE.items() if key not in {"CityObjects", "vertices"}}
    feature = {
        "type": "CityJSONFeature", "id": "h1", "CityObjects": HOUSE["CityObjects"], "vertices": BOX,
    }  # fmt: skip
    path = tmp_path / "h.city.jsonl"
    whole = head | {"CityObjects": {}, "vertices": []}
    path.write_text(f"{json.dumps(whole)}\n{json.dumps(feature)}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("make", [write, sequence])
def test_a_house_comes_with_footprint_height_and_geometry(tmp_path, make):
    came = Came("cityjson", make(tmp_path))
    assert came.kinds == {"Building": 1, "BuildingPart": 1, "SolitaryVegetationObject": 1}
    assert came.refusals == []
    urn = "urn:ngsi-ld:Building:s:h1"
    assert (came.value(urn, "height"), came.value(urn, "elevation")) == (6, 850)
    assert (came.value(urn, "floorsAboveGround"), came.value(urn, "name")) == (2, "Үй")
    assert came.value(urn, "sourceId") == "h1"
    footprint: Any = shapely.geometry.shape(came.value(urn, "location"))
    assert len(footprint.exterior.coords) == 5
    assert 76.9 < footprint.centroid.x < 77
    kept = came.value(urn, "lodGeometry")
    assert [(one["type"], one["lod"]) for one in kept] == [("Solid", "1"), ("MultiSurface", "0")]
    assert kept[0]["referenceSystem"] == "EPSG:32643"
    assert kept[0]["boundaries"][0][1][0][2] == [657960.0, 4790058.0, 856.0]
    part = "urn:ngsi-ld:BuildingPart:s:h1-a"
    assert came.value(part, "isContainedIn") == urn
    assert came.value("urn:ngsi-ld:SolitaryVegetationObject:s:t", "location") is None


COUNT = """
import sys
from cjio import cityjson
with open(sys.argv[1]) as file:
    print(len(cityjson.reader(file).j["CityObjects"]))
"""
"""In a process of its own, for cjio rounds the floats of whoever writes JSON beside it."""


def test_the_counts_are_those_of_cjio(tmp_path):
    path = write(tmp_path)
    command = [sys.executable, "-c", COUNT, str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert int(done.stdout) == len(Came("cityjson", path).list)


def test_what_is_wrong_costs_the_geometry_only(tmp_path):
    document = copy.deepcopy(HOUSE)
    document["CityObjects"]["h1"]["geometry"][0]["boundaries"][0][0][0][0] = 99
    document["CityObjects"]["t"]["geometry"] = [{"type": "GeometryInstance", "template": 0}]
    came = Came("cityjson", write(tmp_path, document))
    assert len(came.list) == 3
    (refusal,) = came.refusals
    assert (refusal.source_id, refusal.field, refusal.whole) == ("h1", "geometry", False)
    assert "templates" in came.notes[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "FeatureCollection"}, r"its type is 'FeatureCollection'"),
        ({"metadata": {}}, r"no metadata.referenceSystem"),
        ({"metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/1"}}, "EPSG:1"),
    ],
)
def test_what_is_no_cityjson(tmp_path, change, words):
    with pytest.raises(SourceError, match=words):
        Came("cityjson", write(tmp_path, HOUSE | change))
    path = tmp_path / "x.json"
    path.write_text("{\n no json")
    with pytest.raises(SourceError, match=r"x\.json is no JSON"):
        Came("cityjson", path)


def test_the_system_may_be_given(tmp_path):
    came = Came("cityjson", write(tmp_path, HOUSE | {"metadata": None}), crs="EPSG:32643")
    assert came.kinds["Building"] == 1


def test_limits(tmp_path, monkeypatch):
    long = sequence(tmp_path)
    monkeypatch.setattr(cityjson, "FILE_BYTES_MAX", 9)
    with pytest.raises(SourceError, match=r"at most 9 .* CityJSONSeq"):
        Came("cityjson", write(tmp_path))
    assert len(Came("cityjson", long).list) == 3  # a sequence is read by the line
    monkeypatch.setattr(cityjson, "LINE_BYTES_MAX", 400)
    with pytest.raises(SourceError, match=r"h\.city\.jsonl:2 has over 400 bytes"):
        Came("cityjson", long)
