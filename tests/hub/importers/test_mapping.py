"""The mapping file: what it may say, and what one row becomes by it."""

import datetime
from typing import Any

import pytest

from citytwin_hub.importers import mapping
from citytwin_hub.importers.frame import Record, Refusal, Settings, SourceError
from citytwin_hub.jsonld.processing import CORE

PIPES = """
decimal = ","
[[object]]
type = "Pipe"
id = ["district", "no"]
only = { state = ["active", "1"] }
[object.attributes.diameter]
column = "d"
kind = "number"
unit = "MMT"
scale = 1000
required = true
missing = ["n/a"]
[object.attributes.material]
column = "m"
values = { "сталь" = "steel", "ПЭ" = "polyethylene" }
[object.attributes.name]
kind = "texts"
columns = { kk = "name_kk", ru = "name_ru" }
[object.attributes.closed]
column = "closed"
kind = "boolean"
[object.attributes.laid]
column = "laid"
kind = "date"
[object.attributes.owner]
constant = "Vodokanal"
[object.relations.connectsTo]
column = "nodes"
type = "Junction"
separator = ";"
"""
ROW = {
    "district": "Медеу", "no": 7.0, "state": "active", "d": "0,3", "m": "сталь", "name_kk": "Құбыр",
    "name_ru": "Труба", "closed": "жоқ", "laid": "26.11.1987", "nodes": "a; b;",
}  # fmt: skip


def rules(tmp_path, text=PIPES):
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    return mapping.read(path, str)


def one(tmp_path, **changed) -> list[Any]:
    found = rules(tmp_path)
    settings = Settings(tmp_path, "gis")
    return list(mapping.mapped(settings, found, found.object[0], ROW | changed, "f:2", None))


def values(record):
    return {iri.rpartition("/")[2]: many[0].value for iri, many in record.entity.attributes.items()}


def test_a_row_becomes_an_object(tmp_path):
    (record,) = one(tmp_path)
    found = values(record)
    assert record.source_id == "Медеу-7"
    assert found["diameter"] == 300
    assert record.entity.attribute(CORE.expand("diameter")).unit_code == "MMT"
    assert (found["material"], found["owner"]) == ("steel", "Vodokanal")
    assert found["name"] == {"kk": "Құбыр", "ru": "Труба"}
    assert (found["closed"], found["laid"]) == (False, "1987-11-26")
    assert found["connectsTo"] == [f"urn:ngsi-ld:Junction:gis:{one}" for one in "ab"]


def test_rows_that_are_meant(tmp_path):
    (table,) = rules(tmp_path).object
    assert mapping.is_meant(table, {"state": "active"})
    assert mapping.is_meant(table, {"state": 1.0})
    assert not mapping.is_meant(table, {"state": "closed"})
    assert not mapping.is_meant(table, {"state": None})


@pytest.mark.parametrize(
    ("changed", "field", "whole"),
    [
        ({"no": None}, "no", True),
        ({"d": "0,3 m"}, "d", True),
        ({"d": "n/a"}, "d", True),
        ({"d": ""}, "d", True),
        ({"d": "inf"}, "d", True),
        ({"closed": "maybe"}, "closed", False),
        ({"laid": "26.13.1987"}, "laid", False),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changed, field, whole):
    found = one(tmp_path, **changed)
    (refusal,) = [each for each in found if isinstance(each, Refusal)]
    assert (refusal.field, refusal.whole, refusal.where) == (field, whole, "f:2")
    assert len([each for each in found if isinstance(each, Record)]) == (0 if whole else 1)


def test_values_of_a_library_are_taken_as_they_are(tmp_path):
    moment = datetime.datetime(1987, 11, 26, tzinfo=datetime.UTC)
    (record,) = one(tmp_path, closed=True, laid=moment, d=0.25)
    found = values(record)
    assert (found["closed"], found["laid"]) == (True, "1987-11-26T00:00:00+00:00")
    assert found["diameter"] == 250


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[[object]]", "[[objekt]]", "objekt|object"),
        ('kind = "number"', 'kind = "nummer"', "kind"),
        ('column = "laid"', 'column = "laid"\nconstant = 1', "laid needs exactly one of"),
        ('type = "Pipe"', 'type = "Big Pipe"', "'Big Pipe' cannot name a type"),
        ('id = ["district", "no"]', "id = []", "id names no column"),
        ('id = ["district", "no"]', 'id = "no"\nlon = "x"', "lon and lat go together"),
        ("[object.attributes.laid]", "[object.attributes.source]", "the importer's own"),
        ('kind = "texts"', "", "kind texts and columns go together"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, old, new, words):
    assert old in PIPES
    with pytest.raises(SourceError, match=words) as refused:
        rules(tmp_path, PIPES.replace(old, new, 1))
    assert "m.toml" in str(refused.value)


def test_files_that_are_no_mapping(tmp_path):
    with pytest.raises(SourceError, match=r"needs --mapping .*there is a, b"):
        mapping.read(None, lambda: "a, b")
    with pytest.raises(SourceError, match=r"gone.toml cannot be read"):
        mapping.read(tmp_path / "gone.toml", str)
    with pytest.raises(SourceError, match=r"m\.toml needs 1 to"):
        rules(tmp_path, "object = []")


def test_columns_that_are_not_there_are_named(tmp_path):
    (table,) = rules(tmp_path).object
    with pytest.raises(SourceError, match=r"no column 'd', 'nodes'.* it has district"):
        mapping.check_columns(table, [name for name in ROW if name not in {"d", "nodes"}], "f:1")


def test_names_of_other_systems(tmp_path):
    text = PIPES + '[object.aliases]\ncadastre = "no"\n'
    (table,) = rules(tmp_path, text).object
    settings = Settings(tmp_path, "gis")

    def mapped(**changed) -> list[Any]:
        row = ROW | changed
        return list(mapping.mapped(settings, rules(tmp_path, text), table, row, "f:2", None))

    (record,) = mapped()
    assert record.aliases == (("cadastre", "7"),)
    refusal, record = mapped(no="7" * 401)
    assert (refusal.field, refusal.whole, record.aliases) == ("no", False, ())
    with pytest.raises(SourceError, match="no column 'inventory'"):
        other = rules(tmp_path, text.replace('cadastre = "no"', 'cadastre = "inventory"'))
        mapping.check_columns(other.object[0], list(ROW), "f:1")


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("OBJECTS_MAX", r"needs 1 to 0 tables"),
        ("FILE_BYTES_MAX", "it cannot be a mapping"),
        ("ALIASES_MAX", "aliases has at most 0 systems"),
        ("NAME_MAX", "each of 1 to 0 characters"),
    ],
)
def test_limits(tmp_path, monkeypatch, limit, words):
    text = PIPES + '[object.aliases]\ncadastre = "no"\n'
    monkeypatch.setattr(mapping, limit, 0)
    with pytest.raises(SourceError, match=words):
        rules(tmp_path, text)
