"""Entities as they are kept: everything comes back, what is not there takes no room."""

import msgspec

from citytwin_hub.entities.model import MEMBER, AttributeKind, Entity
from tests.hub.entities.samples import entity, name, prop


def test_an_entity_comes_back_whole():
    parts = {name("quality"): (prop("good", dataset="urn:d:1"),)}
    tank = entity(1, scopes=("/a",), expires_ns=5, level=prop({"a": [1, None]}, parts=parts))
    assert msgspec.json.decode(msgspec.json.encode(tank), type=Entity) == tank
    assert msgspec.json.encode(entity(1)) == (
        b'{"id":"urn:ngsi-ld:Tank:1","t":["https://example.org/Tank"]}'
    )


def test_an_instance_is_found_by_its_dataset():
    tank = entity(1, level=(prop(1), prop(2, dataset="urn:d:1")))
    assert tank.attribute(name("level"), "urn:d:1").value == 2
    assert tank.attribute(name("level"), "urn:d:2") is None
    assert tank.attribute(name("flow")) is None


def test_every_kind_says_where_its_value_is():
    assert set(MEMBER) == set(AttributeKind)
