"""Timetables: a small feed, as ZIP file and as folder, with what feeds get wrong."""

import zipfile

import pytest

from citytwin_hub.importers import gtfs
from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came

FEED = {
    "agency.txt": "\ufeffagency_id,agency_name,agency_url,agency_timezone\n"
    "AE,Алматыэлектротранс,https://example.org,Asia/Almaty\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station,zone_id\n"
    "S,Абай,43.2401,76.9501,1,,\n"
    'P1,"Абай, шығыс",43.2402,76.9502,0,S,A\n'
    "P2,Тимирязева,43,2402,0,,A\n"
    "P3,Тимирязева,north,76.9,,,\n"
    ",Nameless,43.2,76.9,,,\n",
    "routes.txt": "route_id,agency_id,route_short_name,route_long_name,route_type,route_color\n"
    "R1,AE,12,Абай - Тимирязева,3,FF0000\n",
    "trips.txt": "route_id,service_id,trip_id,shape_id\nR1,W,T1,Z\nR1,W,T2,Z\nR1,W,T3,Y\n",
    "shapes.txt": "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\n"
    "Z,43.2402,76.9502,2\nZ,43.2401,76.9501,1\nZ,43.2403,76.9503,x\nY,43.2,76.9,1\n",
}


def feed(tmp_path, files=FEED, packed=True):
    if not packed:
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path
    path = tmp_path / "feed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_a_feed_comes_whole(tmp_path, packed):
    came = Came("gtfs", feed(tmp_path, packed=packed))
    assert came.kinds == {
        "GtfsAgency": 1, "GtfsStation": 1, "GtfsStop": 3, "GtfsRoute": 1, "GtfsShape": 1,
    }  # fmt: skip
    stop = "urn:ngsi-ld:GtfsStop:s:P1"
    assert came.value(stop, "name") == "Абай, шығыс"
    assert came.value(stop, "hasParentStation") == "urn:ngsi-ld:GtfsStation:s:S"
    assert came.value(stop, "location")["coordinates"] == [76.9502, 43.2402]
    route = "urn:ngsi-ld:GtfsRoute:s:R1"
    assert came.value(route, "operatedBy") == "urn:ngsi-ld:GtfsAgency:s:AE"
    assert came.value(route, "hasShape") == [f"urn:ngsi-ld:GtfsShape:s:{one}" for one in "ZY"]
    assert (came.value(route, "routeType"), came.value(route, "shortName")) == ("3", "12")
    assert came.value("urn:ngsi-ld:GtfsShape:s:Z", "location")["coordinates"] == [
        [76.9501, 43.2401], [76.9502, 43.2402],
    ]  # fmt: skip


def test_what_is_wrong_has_file_and_line(tmp_path):
    refused = {(one.where, one.field, one.whole) for one in Came("gtfs", feed(tmp_path)).refusals}
    assert refused == {
        ("stops.txt:4", "stop_lon, stop_lat", False),
        ("stops.txt:5", "stop_lon, stop_lat", False),
        ("stops.txt:6", "stop_id", True),
        ("shapes.txt:4", "shape_pt_sequence", False),
        ("shapes.txt: Y", "geometry", True),
    }


def test_what_is_no_feed(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(b"no archive")
    with pytest.raises(SourceError, match=r"neither a folder nor a ZIP file"):
        Came("gtfs", path)
    with pytest.raises(SourceError, match=r"no stops\.txt"):
        Came("gtfs", feed(tmp_path, {"agency.txt": FEED["agency.txt"]}))
    few = {name: text for name, text in FEED.items() if name != "shapes.txt"}
    assert any("no shapes" in note for note in Came("gtfs", feed(tmp_path, few)).notes)
    bad = FEED | {"stops.txt": "stop_id\n".encode("utf-16")}
    with pytest.raises(SourceError, match=r"stops\.txt cannot be read"):
        Came("gtfs", feed(tmp_path, bad))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("FILE_BYTES_MAX", r"agency\.txt has .*cut the feed"),
        ("PAIRS_MAX", "ties over 1 shapes"),
        ("SHAPE_POSITIONS_MAX", "over 1 positions"),
    ],
)
def test_limits(tmp_path, monkeypatch, limit, words, packed):
    path = feed(tmp_path, packed=packed)
    monkeypatch.setattr(gtfs, limit, 1)
    with pytest.raises(SourceError, match=words):
        Came("gtfs", path)
