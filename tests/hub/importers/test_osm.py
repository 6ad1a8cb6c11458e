"""OpenStreetMap: files that osmium writes, and the extract of Almaty counted by osmium itself."""

import osmium.osm
import pytest
from osmium.osm.mutable import Node, Relation, Way

from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came
from tests.hub.importers.shared import ALMATY, needs_data

PLACES = [(76.9, 43.2), (76.91, 43.2), (76.91, 43.21), (76.9, 43.21), (76.92, 43.22)]
SQUARE = [1, 2, 3, 4, 1]


def write(path, ways, relations=()):
    with osmium.SimpleWriter(str(path)) as writer:
        for number, place in enumerate(PLACES, 1):
            writer.add_node(Node(id=number, location=place))
        for number, (nodes, tags) in enumerate(ways, 10):
            writer.add_way(Way(id=number, nodes=nodes, tags=tags))
        for number, (members, tags) in enumerate(relations, 20):
            writer.add_relation(Relation(id=number, members=members, tags=tags))
    return path


@pytest.mark.parametrize("name", ["a.osm.pbf", "a.osm"])
def test_roads_buildings_and_land_use(tmp_path, name):
    house = {
        "building": "apartments", "building:levels": "9", "height": "27,5 m", "name": "Дом",
        "name:kk": "Үй", "addr:street": "Абай даңғылы", "addr:housenumber": "10",
    }  # fmt: skip
    road = {"highway": "primary", "maxspeed": "60", "lanes": "3", "oneway": "-1", "bridge": "yes"}
    ways = [
        (SQUARE, house), ([1, 2, 5], road), (SQUARE, {"landuse": "grass"}),
        ([1, 5], {"highway": "service", "maxspeed": "KZ:urban", "width": "two"}),
        ([1, 2], {"power": "line"}),
    ]  # fmt: skip
    came = Came("osm", write(tmp_path / name, ways))
    assert came.kinds == {"Building": 1, "RoadSegment": 2, "LandUse": 1}
    urn = "urn:ngsi-ld:Building:s:way%2F10"
    assert came.value(urn, "floorsAboveGround") == 9
    assert (came.value(urn, "height"), came.attribute(urn, "height").unit_code) == (27.5, "MTR")
    assert came.value(urn, "name") == {"@none": "Дом", "kk": "Үй"}
    assert came.value(urn, "address") == {"streetAddress": "Абай даңғылы", "streetNr": "10"}
    assert came.value(urn, "location")["type"] == "Polygon"
    assert "OpenStreetMap" in came.value(urn, "dataProvider")
    street = "urn:ngsi-ld:RoadSegment:s:way%2F11"
    assert came.value(street, "maximumAllowedSpeed") == 60
    assert (came.value(street, "oneWay"), came.value(street, "bridge")) == (True, True)
    assert came.value(street, "location")["coordinates"][0] == [76.92, 43.22]
    (refusal,) = came.refusals
    assert (refusal.field, refusal.whole) == ("width", False)


def test_areas_that_are_none_are_refused_and_nothing_crashes(tmp_path):
    ways = [
        ([1, 1], {"building": "yes"}),
        ([1, 2, 1], {"building": "yes"}),
        ([1, 3, 2, 4, 1], {"landuse": "forest"}),
        ([1, 2, 3], {"building": "yes"}),
        ([5], {"highway": "service"}),
        ([1, 99, 2], {"highway": "service"}),
    ]
    came = Came("osm", write(tmp_path / "a.osm.pbf", ways))
    assert came.kinds == {"RoadSegment": 1}
    refused = {one.source_id: one.whole for one in came.refusals}
    assert refused == {f"way/{10 + n}": n < 5 for n in range(6)}


def test_a_multipolygon_keeps_its_hole(tmp_path):
    ways = [([1, 2, 3, 4, 1], {})]
    relations = [
        ([("w", 10, "outer")], {"type": "multipolygon", "building": "yes"}),
        ([("w", 77, "outer")], {"type": "multipolygon", "landuse": "forest"}),
    ]
    came = Came("osm", write(tmp_path / "a.osm.pbf", ways, relations))
    assert [one.source_id for one in came.list] == ["relation/20"]
    assert [one.source_id for one in came.refusals] == ["relation/21"]


def test_what_is_no_file_of_openstreetmap(tmp_path):
    path = tmp_path / "a.osm.pbf"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError, match=r"a\.osm\.pbf cannot be read as OpenStreetMap"):
        Came("osm", path)
    with pytest.raises(SourceError, match=r"leave --crs out"):
        Came("osm", write(tmp_path / "b.osm.pbf", []), crs="EPSG:32643")


@needs_data
def test_almaty_comes_whole():
    path = ALMATY / "almaty.osm.pbf"
    expected = set()
    for one in osmium.FileProcessor(str(path)):
        if isinstance(one, osmium.osm.Way) and {"building", "landuse"} & {
            tag.k for tag in one.tags
        }:
            expected.add(f"way/{one.id}")
    came = Came("osm", path)
    found = {one.source_id for one in (*came.list, *came.refusals)}
    assert expected <= found
    assert came.kinds["Building"] == 8201
    assert len(came.list) == len(came.records)
