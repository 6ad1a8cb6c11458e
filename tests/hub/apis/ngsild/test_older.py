"""Older versions: what they do not know comes as Properties, the rest as it is."""

from __future__ import annotations

from citytwin_hub.apis.ngsild.older import understood
from citytwin_hub.apis.ngsild.writing import Writer
from tests.hub.apis.ngsild.test_writing import ALL_KINDS, NAMES, TANK, entity, one
from tests.hub.naming import BASE


def test_kinds_of_a_later_version_become_properties() -> None:
    written = Writer(NAMES).one(understood(ALL_KINDS, (1, 5), NAMES.compact))
    kinds = {name: written[name]["type"] for name in written if name not in ("id", "type")}
    assert kinds == {
        "level": "Property",
        "location": "GeoProperty",
        "feeds": "Relationship",
        "name": "LanguageProperty",
        "category": "Property",
        "plate": "Property",
        "depths": "Property",
        "route": "Property",
    }
    assert written["category"]["value"] == "potable"
    assert written["depths"]["value"] == [1, 2]


def test_the_first_version_had_no_languages() -> None:
    written = Writer(NAMES).one(understood(ALL_KINDS, (1, 3), NAMES.compact))
    assert written["name"]["type"] == "Property"


def test_what_is_understood_stays_the_same_object() -> None:
    assert understood(ALL_KINDS, (1, 8), NAMES.compact) is ALL_KINDS
    assert understood(TANK, (1, 0), NAMES.compact) is TANK


def test_parts_are_changed_too() -> None:
    kind = ALL_KINDS.attributes[BASE + "category"][0]
    tank = entity("urn:x:1", level=one(1, parts={BASE + "kind": (kind,)}))
    level = understood(tank, (1, 7), NAMES.compact).attributes[BASE + "level"][0]
    assert level.parts[BASE + "kind"][0].value == "potable"
