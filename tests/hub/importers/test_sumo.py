"""SUMO: a small network; the counts are those of sumolib."""

import pytest
import sumolib

from citytwin_hub.importers import sumo
from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came

UTM = "+proj=utm +zone=43 +ellps=WGS84 +datum=WGS84 +units=m +no_defs"
NET = f"""<?xml version="1.0" encoding="UTF-8"?>
<net version="1.20">
  <location netOffset="-657950.00,-4790050.00" convBoundary="0.00,0.00,200.00,100.00"
            origBoundary="76.94,43.24,76.95,43.25" projParameter="{UTM}"/>
  <edge id=":B_0" function="internal"><lane id=":B_0_0" index="0" speed="13.89" length="0.1"
        shape="100.00,0.00 100.10,0.00"/></edge>
  <edge id="AB" from="A" to="B" priority="1" type="highway.primary" name="Абай даңғылы">
    <lane id="AB_0" index="0" speed="16.67" length="100.00" shape="0.00,0.00 100.00,0.00"/>
    <lane id="AB_1" index="1" speed="16.67" length="100.00" shape="0.00,3.20 100.00,3.20"/>
  </edge>
  <edge id="BC" from="B" to="C" priority="1" shape="100.00,0.00 150.00,50.00 200.00,100.00">
    <lane id="BC_0" index="0" speed="13.89" length="141.42" shape="100.00,0.00 200.00,100.00"/>
  </edge>
  <junction id="A" type="dead_end" x="0.00" y="0.00" incLanes="" intLanes="" shape="0,0 0,1"/>
  <junction id="B" type="traffic_light" x="100.00" y="0.00" incLanes="AB_0 AB_1" intLanes=":B_0_0"
            shape="100,0 100,1"/>
  <junction id="C" type="dead_end" x="200.00" y="100.00" incLanes="BC_0" intLanes=""
            shape="200,100 200,101"/>
</net>
"""


def write(tmp_path, text=NET):
    path = tmp_path / "n.net.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_network_comes_whole(tmp_path):
    path = write(tmp_path)
    known = sumolib.net.readNet(str(path))
    came = Came("sumo", path)
    assert came.kinds == {
        "RoadJunction": len(known.getNodes()),
        "RoadSegment": len(known.getEdges()),
    }
    street = "urn:ngsi-ld:RoadSegment:s:AB"
    assert came.value(street, "name") == "Абай даңғылы"
    assert came.value(street, "maximumAllowedSpeed") == pytest.approx(60, abs=0.1)
    assert (came.value(street, "totalLaneNumber"), came.value(street, "length")) == (2, 100)
    assert came.value(street, "startsAt") == "urn:ngsi-ld:RoadJunction:s:A"
    assert came.value("urn:ngsi-ld:RoadJunction:s:B", "category") == "traffic_light"
    bend = came.value("urn:ngsi-ld:RoadSegment:s:BC", "location")["coordinates"]
    assert len(bend) == 3
    assert bend[0] == pytest.approx(known.convertXY2LonLat(100, 0), abs=1e-6)


def test_without_a_system_it_comes_without_places(tmp_path):
    path = write(tmp_path, NET.replace(UTM, "!"))
    came = Came("sumo", path)
    assert any("--crs" in note for note in came.notes)
    assert came.value("urn:ngsi-ld:RoadSegment:s:AB", "location") is None
    assert Came("sumo", path, crs="EPSG:32643").value("urn:ngsi-ld:RoadSegment:s:AB", "location")


def test_an_edge_to_a_junction_that_is_not_there_is_refused(tmp_path):
    came = Came("sumo", write(tmp_path, NET.replace('to="B"', 'to="X"')))
    assert [one.source_id for one in came.refusals] == ["AB"]
    assert came.kinds == {"RoadJunction": 3, "RoadSegment": 1}


# sumolib leaves the file open when it fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("text", ["no xml", "<net>", "<net/>"])
def test_what_is_no_network(tmp_path, text):
    with pytest.raises(SourceError, match=r"n\.net\.xml is no network of SUMO"):
        Came("sumo", write(tmp_path, text))


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(sumo, "FILE_BYTES_MAX", 9)
    with pytest.raises(SourceError, match=r"at most 9 .* with netconvert"):
        Came("sumo", write(tmp_path))
