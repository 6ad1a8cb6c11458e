"""Documents that provide evolution."""

import pytest

from citytwin_hub.apis.ngsild.temporal_reading import read_evolution
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.model import NULL
from citytwin_hub.jsonld.processing import CORE

TANK = "urn:ngsi-ld:Tank:1"
MOMENT = "1970-01-01T00:00:01Z"
LEVEL = CORE.expand("level")


def test_each_instance_stays_its_own():
    level = [{"value": 1, "observedAt": MOMENT}, {"value": 2, "observedAt": MOMENT}]
    entity, scopes = read_evolution({"id": TANK, "type": ["A", "B"], "level": level}, CORE)
    assert [(one.value, one.observed_ns) for one in entity.attributes[LEVEL]] == [
        (1, 10**9),
        (2, 10**9),
    ]
    assert entity.types == (CORE.expand("A"), CORE.expand("B"))
    assert scopes == []


def test_what_was_deleted_has_null_for_its_value():
    gone = {"type": "Property", "value": NULL, "observedAt": MOMENT}
    entity, _ = read_evolution({"id": TANK, "type": "A", "level": [gone]}, CORE)
    assert entity.attributes[LEVEL][0].value == NULL


def test_a_path_says_which_entity_and_then_no_type_is_needed():
    entity, _ = read_evolution({"level": 1}, CORE, entity_id=TANK)
    assert (entity.id, entity.types) == (TANK, ())
    with pytest.raises(BadRequestData, match="path"):
        read_evolution({"id": "urn:x:1", "level": 1}, CORE, entity_id=TANK)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/A", [(("/A",), None)]),
        (["/A", "/B"], [(("/A", "/B"), None)]),
        ([{"type": "Property", "value": "/A", "observedAt": MOMENT}], [(("/A",), 10**9)]),
        ([{"value": ["/A"]}, {"value": "/B"}], [(("/A",), None), (("/B",), None)]),
    ],
)
def test_a_scope_is_given_as_it_is_or_as_instances(given, expected):
    _, scopes = read_evolution({"id": TANK, "type": "A", "scope": given}, CORE)
    assert [(one.value, one.observed_ns) for one in scopes] == expected


@pytest.mark.parametrize(
    "given",
    [
        {"type": "A"},
        {"id": TANK},
        {"id": TANK, "type": "A", "scope": [{"value": "/A"}, "/B"]},
        {"id": TANK, "type": "A", "scope": [{"type": "Relationship", "value": "/A"}]},
        {"id": TANK, "type": "A", "scope": [{"value": "/A", "observedAt": "now"}]},
        {"id": TANK, "type": "A", "scope": NULL},
        {"id": TANK, "type": "A", "level": [{"value": 1, "unitCode": NULL}]},
        "text",
    ],
)
def test_what_is_no_evolution_is_refused(given):
    with pytest.raises(BadRequestData):
        read_evolution(given, CORE)
