"""Registrations as documents, and what is refused."""

import pytest

from citytwin_hub.apis.ngsild.registration_reading import change, create
from citytwin_hub.apis.ngsild.registration_writing import write
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.jsonld.contexts import Contexts

NAMES = Contexts.core
LEAST = {
    "id": "urn:x:1",
    "type": "ContextSourceRegistration",
    "information": [{"entities": [{"type": "Well"}]}],
    "endpoint": "http://wells.example:9090",
}
FULL = {
    **LEAST,
    "registrationName": "wells",
    "description": "of the east",
    "information": [
        {
            "entities": [
                {"id": "urn:w:1", "type": "Well"},
                {"idPattern": "2$", "type": ["A", "B"]},
            ],
            "propertyNames": ["level"],
            "relationshipNames": ["feeds"],
        },
        {"propertyNames": ["flow"]},
    ],
    "tenant": "east",
    "mode": "redirect",
    "operations": ["retrieveOps", "updateEntity"],
    "contextSourceInfo": [{"key": "X-Key", "value": "v"}],
    "management": {"localOnly": True, "cacheDuration": "PT5M", "timeout": 3000, "cooldown": 500},
    "scope": ["/Almaty/East", "/Wells"],
    "observationInterval": {"startAt": "2020-08-01T22:07:00Z", "endAt": "2021-08-01T21:07:00Z"},
    "managementInterval": {"startAt": "2020-08-01T22:07:00Z"},
    "location": {"type": "Point", "coordinates": [76.9, 43.2]},
    "observationSpace": {"type": "Point", "coordinates": [76.9, 43.3]},
    "expiresAt": "2030-01-01T00:00:00Z",
    "refreshRate": "PT1H",
    "owner": {"name": "Su"},
}


@pytest.mark.parametrize("document", [LEAST, FULL])
def test_what_is_read_is_written_again(document):
    assert write(create(document, NAMES), NAMES) == document


def test_one_without_an_identifier_is_given_one():
    document = {name: value for name, value in LEAST.items() if name != "id"}
    one, other = create(document, NAMES), create(document, NAMES)
    assert one.id.startswith("urn:ngsi-ld:ContextSourceRegistration:")
    assert one.id != other.id


def test_what_only_the_hub_says_is_passed_over():
    document = LEAST | {"status": "failed", "timesSent": 3, "createdAt": "2020-01-01T00:00:00Z"}
    written = write(create(document, NAMES), NAMES, sys_attrs=True)
    assert written.pop("createdAt") == written.pop("modifiedAt") == "1970-01-01T00:00:00Z"
    assert written == LEAST


def test_a_fragment_changes_members_and_null_takes_them_away():
    gone = {"expiresAt": None, "location": "urn:ngsi-ld:null", "owner": None, "mode": None}
    after = write(change(create(FULL, NAMES), {"endpoint": "http://new:1", **gone}, NAMES), NAMES)
    assert after == {name: value for name, value in FULL.items() if name not in gone} | {
        "endpoint": "http://new:1"
    }


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("type", "Building", "ContextSourceRegistration"),
        ("information", None, "information"),
        ("information", [], "information"),
        ("information", [{}], "entities"),
        ("information", [{"entities": [{"id": "urn:w:1"}]}], "type"),
        ("information", [{"entities": [{"type": "A", "id": "no uri"}]}], "no uri"),
        ("information", [{"entities": [{"type": "A", "idPattern": "("}]}], "idPattern"),
        ("information", [{"propertyNames": []}], "propertyNames"),
        ("endpoint", "ftp://host", "endpoint"),
        ("endpoint", "http://", "endpoint"),
        ("endpoint", "http://host:99999", "endpoint"),
        ("endpoint", 5, "endpoint"),
        ("mode", "alone", "mode"),
        ("operations", ["fly"], "fly"),
        ("contextSourceInfo", [{"key": "X"}], "contextSourceInfo"),
        ("contextSourceInfo", [{"key": "X", "value": 1}], "contextSourceInfo"),
        ("management", "yes", "management"),
        ("management", {"localOnly": "yes"}, "localOnly"),
        ("management", {"cacheDuration": "bogus"}, "cacheDuration"),
        ("management", {"cooldown": 0}, "cooldown"),
        ("management", {"timeout": -5}, "timeout"),
        ("observationInterval", {"endAt": "2020-08-01T22:07:00Z"}, "startAt"),
        (
            "managementInterval",
            {"startAt": "2020-08-01T22:07:00Z", "endAt": "2019-08-01T22:07:00Z"},
            "managementInterval",
        ),
        ("location", {"type": "Point", "coordinates": [500, 0]}, "location"),
        ("expiresAt", "tomorrow", "expiresAt"),
        ("refreshRate", "often", "refreshRate"),
        ("two words", 1, "two words"),
        ("scope", "1/2", "scope"),
    ],
)
def test_what_is_wrong_is_named(member, value, said):
    with pytest.raises(BadRequestData, match=said):
        create(LEAST | {member: value}, NAMES)


@pytest.mark.parametrize("member", ["information", "endpoint"])
def test_what_must_be_there_is_missed(member):
    with pytest.raises(BadRequestData, match=member):
        create({name: value for name, value in LEAST.items() if name != member}, NAMES)
    with pytest.raises(BadRequestData, match=member):
        change(create(LEAST, NAMES), {member: None}, NAMES)


def test_a_fragment_cannot_make_it_another():
    before = create(LEAST, NAMES)
    with pytest.raises(BadRequestData, match="type"):
        change(before, {"type": "Subscription"}, NAMES)
    with pytest.raises(BadRequestData, match="urn:x:2"):
        change(before, {"id": "urn:x:2"}, NAMES)
