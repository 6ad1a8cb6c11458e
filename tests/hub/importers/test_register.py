"""Registers as CSV: encodings, delimiters, places, and errors with line and column."""

import pytest

from citytwin_hub.importers import register
from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came

MAPPING = """
[[object]]
type = "Building"
id = "№"
lon = "lon"
lat = "lat"
[object.attributes.floorsAboveGround]
column = "floors"
kind = "number"
[object.attributes.name]
column = "атауы"
"""
ROWS = [
    "№;атауы;floors;lon;lat",
    "1;Қазақстан қонақүйі;26;76,95;43,24",
    '2;"Мектеп; № 5";x;76,96;43,25',
    "3;Үй;5;76,97",
    "",
    "4;Үй;5;east;43,2",
    ";Үй;5;76,97;43,2",
]


def came(tmp_path, rows=ROWS, encoding="utf-8-sig", mapping='decimal = ","' + MAPPING):
    (tmp_path / "m.toml").write_text(mapping, encoding="utf-8")
    path = tmp_path / "r.csv"
    path.write_bytes("\r\n".join(rows).encode(encoding))
    return Came("csv", path, mapping=tmp_path / "m.toml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "kz1048"])
def test_a_register_comes_in_every_encoding_of_the_region(tmp_path, encoding):
    found = came(tmp_path, encoding=encoding)
    assert found.kinds == {"Building": 3}
    urn = "urn:ngsi-ld:Building:s:1"
    assert found.value(urn, "name") == "Қазақстан қонақүйі"
    assert found.value(urn, "location") == {"type": "Point", "coordinates": [76.95, 43.24]}
    assert found.value(urn, "floorsAboveGround") == 26
    assert any("kz1048" in note for note in found.notes) is (encoding == "kz1048")
    assert found.value("urn:ngsi-ld:Building:s:2", "name") == "Мектеп; № 5"


def test_line_and_column_are_named(tmp_path):
    refusals = {(one.where, one.field, one.whole) for one in came(tmp_path).refusals}
    assert refusals == {
        ("r.csv:3", "floors", False),
        ("r.csv:4", "", True),
        ("r.csv:6", "lon", False),
        ("r.csv:7", "№", True),
    }


def test_russian_in_windows_1251(tmp_path):
    rows = ["№,атауы,floors,lon,lat", "1,Насосная № 5,2,76.9,43.2"]
    found = came(tmp_path, rows, "cp1251", MAPPING)
    assert found.value("urn:ngsi-ld:Building:s:1", "name") == "Насосная № 5"


def test_places_of_another_system(tmp_path):
    mapping = 'crs = "EPSG:32643"' + MAPPING.replace('lon = "lon"\nlat = "lat"', 'wkt = "lon"')
    rows = [ROWS[0], "1;a;1;POINT (657950 4790050);", "2;b;1;POINT (1;", "3;c;1;;"]
    found = came(tmp_path, rows, mapping=mapping)
    lon, lat = found.value("urn:ngsi-ld:Building:s:1", "location")["coordinates"]
    assert 76.9 < lon < 77
    assert 43.2 < lat < 43.3
    assert [one.field for one in found.refusals] == ["lon", "lon"]


@pytest.mark.parametrize(
    ("rows", "mapping", "words"),
    [
        (["a;b", "1;2"], MAPPING, "r.csv:1 has no column '№'"),
        ([], MAPPING, "r.csv:1 must be a header"),
        (ROWS, 'encoding = "cp125"' + MAPPING, "no encoding 'cp125'"),
        (ROWS, 'encoding = "ascii"' + MAPPING, "cannot be read as CSV in ascii"),
        (ROWS, 'crs = "EPSG:1"' + MAPPING, "is no coordinate system"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, rows, mapping, words):
    with pytest.raises(SourceError, match=words):
        came(tmp_path, rows, mapping=mapping)


def test_without_a_mapping_the_columns_are_told(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("\n".join(ROWS), encoding="utf-8")
    with pytest.raises(SourceError, match=r"№, атауы, floors"):
        Came("csv", path)


def test_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(register, "FIELD_CHARACTERS_MAX", 12)
    with pytest.raises(SourceError, match="larger than field limit"):
        came(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(register, "COLUMNS_MAX", 3)
    with pytest.raises(SourceError, match="1 to 3 columns"):
        came(tmp_path)
