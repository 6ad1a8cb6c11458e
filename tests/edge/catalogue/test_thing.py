"""Thing Descriptions of profiles, held to the W3C's own schema (from its npm package)."""

import json
from pathlib import Path

import jsonschema
import pytest

from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.catalogue.thing import thing_description
from citytwin_edge.device_tables import Owner
from tests.edge.catalogue.profiles import owner, put, shelf

PACKAGE = Path(__file__).parents[2] / "tidy/node_modules/wot-thing-description-types"
ALL = Shelf([OURS])


@pytest.fixture(scope="module")
def official():
    text = (PACKAGE / "schema/td-json-schema-validation.json").read_text(encoding="utf-8")
    return jsonschema.Draft7Validator(json.loads(text))


def test_a_device_is_described_for_the_web_of_things(tmp_path, official):
    put(tmp_path)
    found = thing_description(shelf(tmp_path).profile("acme/m1"), owner(tmp_path))
    assert list(official.iter_errors(found)) == []
    assert found["@type"] == ["sdm:ACMeasurement"]
    voltage, relay = found["properties"]["voltage-l1"], found["properties"]["relay"]
    assert (voltage["unit"], voltage["minimum"], voltage["readOnly"]) == ("V", 0, True)
    assert voltage["titles"]["kk"] == "Фазалық кернеу L1"
    assert (relay["readOnly"], relay["maximum"], relay["multipleOf"]) == (False, 1, 1)
    assert [form["op"] for form in relay["forms"]] == [["readproperty"], ["writeproperty"]]


def test_the_schema_refuses_what_is_none(tmp_path, official):
    put(tmp_path)
    found = thing_description(shelf(tmp_path).profile("acme/m1"), owner(tmp_path))
    del found["properties"]["relay"]["forms"]
    assert list(official.iter_errors(found))


@pytest.mark.parametrize("name", ALL.names())
def test_every_profile_of_ours_is_a_thing(name, official):
    found = thing_description(ALL.profile(name), Owner("g", None, ALL))
    assert [error.message for error in official.iter_errors(found)] == []
