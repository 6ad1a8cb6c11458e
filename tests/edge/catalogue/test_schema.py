"""The JSON Schema of profiles: good ones pass, and an editor sees each kind of mistake."""

import json
import tomllib

import jsonschema
import msgspec
import pytest

from citytwin_edge.catalogue.schema import profile_schema
from citytwin_edge.catalogue.shelf import OURS, Shelf
from tests.edge.catalogue.installed_gauge import gauge
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


def fields_of(schema, path="$"):
    """Yield every field that an editor may show, with its place; conditions are none."""
    for name, part in schema.items():
        if name == "properties":
            yield from ((f"{path}.{field}", one) for field, one in part.items())
        if name == "prefixItems":
            yield from ((f"{path}[{number}]", one) for number, one in enumerate(part))
        if name != "if":
            inner = dict(enumerate(part)) if isinstance(part, list) else part
            if isinstance(inner, dict):
                yield from fields_of(inner, f"{path}.{name}")


def test_an_editor_shows_a_sentence_about_every_field():
    found = list(fields_of(profile_schema()))
    assert len(found) > 500
    for path, one in found:
        text = one.get("description", "")
        assert text.endswith("."), f"{path}: {text!r}"
        assert len(text.split()) > 1, f"{path}: {text!r}"
        assert not text[0].islower(), f"{path}: {text!r}"


def test_an_editor_shows_unit_and_default():
    schema = profile_schema()
    (modbus,) = [one["then"]["properties"] for one in schema["allOf"]
                 if one["if"]["properties"].get("adapter") == {"const": "modbus"}]  # fmt: skip
    device, point = modbus["device"]["properties"], modbus["point"]["items"]["properties"]
    assert device["connect_timeout_s"]["description"] == (
        "How long a TCP connection may take. In seconds. Left out: 3."
    )
    assert point["pace"]["description"].endswith(' Left out: "fast".')
    assert point["unit"]["description"].startswith("UCUM code ")


def test_an_editor_can_read_it():
    """JSON has no infinity, which Python's own reader lets pass."""
    text = json.dumps(profile_schema())
    assert msgspec.json.decode(text)["title"] == "CityTwin device profile"


def test_a_vendor_who_says_nothing_gets_no_empty_words(tmp_path, monkeypatch):
    bare = (
        "import msgspec\n"
        "class D(msgspec.Struct):\n    host: str\n"
        "class GaugeType:\n    device_settings = point_settings = D\n"
        "    def build(self, settings, bindings, site):\n        ...\n"
        "GAUGE = GaugeType()\n"
    )
    with gauge(tmp_path, monkeypatch, bare):
        found = dict(fields_of(profile_schema()))
    assert any(path.endswith(".host") and "description" not in one for path, one in found.items())
