"""The JSON Schema of profiles: good ones pass, and an editor sees each kind of mistake."""

import tomllib

import jsonschema
import pytest

from citytwin_edge.catalogue.schema import profile_schema
from citytwin_edge.catalogue.shelf import OURS, Shelf
from tests.edge.catalogue.profiles import METER

ALL = Shelf([OURS])


@pytest.fixture(scope="module")
def validator():
    schema = profile_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_a_good_profile_passes(validator):
    assert list(validator.iter_errors(tomllib.loads(METER))) == []


@pytest.mark.parametrize("name", ALL.names())
def test_every_profile_of_ours_passes(name, validator):
    data = tomllib.loads(ALL.path(name).read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(data)] == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("address = 2", "adress = 2", "'adress' was unexpected"),
        ('quantity = "relay"', 'quantity = "magic"', "'magic' is not one of"),
        ('adapter = "modbus"', 'adapter = "magic"', "'magic' is not one of"),
        ('table = "input"', 'table = "inputs"', "'inputs' is not one of"),
        ("period_s = 2", 'period_s = "2"', "'2' is not of type 'number'"),
        ("period_s = 2", 'name = "m"', "'name' was unexpected"),
    ],
)
def test_an_editor_sees_a_mistake(validator, old, new, words):
    assert old in METER
    wrong = list(validator.iter_errors(tomllib.loads(METER.replace(old, new, 1))))
    assert any(words in error.message for error in wrong), wrong
