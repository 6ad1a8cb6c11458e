"""Subscription documents."""

import pytest

from citytwin_hub.apis.ngsild import subscription_reading as reading
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.subscriptions import EntitySelector, Trigger
from tests.hub.naming import BASE, Vocabulary

NAMES, RECEIVERS = Vocabulary(), Receivers()
NOTIFICATION = {"endpoint": {"uri": "http://localhost:9000/notify"}}
PLAIN = {"type": "Subscription", "entities": [{"type": "Tank"}], "notification": NOTIFICATION}


def read(**more):
    """Read the plain document with more in it; None takes a member out."""
    document = {name: value for name, value in (PLAIN | more).items() if value is not None}
    return reading.create(document, NAMES, RECEIVERS)


def test_names_become_iris():
    one = read(
        id="urn:ngsi-ld:Subscription:7",
        entities=[
            {"type": "(Tank;Building),Pump", "idPattern": "^urn:.*"},
            {"type": "Pipe", "id": ["urn:ngsi-ld:Pipe:1", "urn:ngsi-ld:Pipe:2"]},
        ],
        watchedAttributes=["level", "flow", "level"],
        q='level>3;kind=="a"',
        geoQ={"georel": "within", "geometry": "Polygon", "coordinates": SQUARE},
        notificationTrigger=["entityCreated", "attributeDeleted"],
        datasetId=["@none", "urn:d:1"],
        throttling=5,
        expiresAt="2030-01-01T00:00:00Z",
        lang="kk,ru;q=0.5",
        scopeQ="/Almaty/#",
    )
    assert one.id == "urn:ngsi-ld:Subscription:7"
    assert one.selectors == (
        EntitySelector(types=f"({BASE}Tank;{BASE}Building),{BASE}Pump", pattern="^urn:.*"),
        EntitySelector(types=f"{BASE}Pipe", ids=("urn:ngsi-ld:Pipe:1", "urn:ngsi-ld:Pipe:2")),
    )
    assert one.watched == (f"{BASE}level", f"{BASE}flow")
    assert one.terms == {"level": f"{BASE}level", "kind": f"{BASE}kind"}
    assert one.geo is not None
    assert one.geo["geoproperty"] == f"{BASE}location"
    assert one.triggers == (Trigger.ENTITY_CREATED, Trigger.ATTRIBUTE_DELETED)
    assert one.datasets == ("", "urn:d:1")
    assert one.throttling_s == 5.0


SQUARE = [[[76, 43], [77, 43], [77, 44], [76, 44], [76, 43]]]


def test_without_an_identifier_it_is_given_one():
    assert read().id != read().id
    assert read().id.startswith("urn:ngsi-ld:Subscription:")


def test_what_is_not_known_or_the_hubs_own_is_left_out():
    one = read(status="expired", createdAt="2020-01-01T00:00:00Z", __context="http://x.example/")
    assert (one.created_ns, one.is_active) == (0, None)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"type": "Entity"}, "no Subscription"),
        ({"id": "7"}, "not a URI"),
        ({"notification": None}, "needs a notification"),
        ({"entities": None}, "entities or watchedAttributes"),
        ({"entities": []}, "array of 1 to"),
        ({"entities": [{"id": "urn:x:1"}]}, "needs a type"),
        ({"entities": [{"type": "Tank", "idPattern": "("}]}, "regular expression"),
        ({"entities": [{"type": "Tank;"}]}, "type"),
        ({"watchedAttributes": []}, "array of 1 to"),
        ({"watchedAttributes": ["le vel"]}, "named"),
        ({"notificationTrigger": ["entityChanged"]}, "notificationTrigger is not"),
        ({"notificationTrigger": [["x"]]}, "notificationTrigger is not"),
        ({"timeInterval": 0}, "timeInterval is 0"),
        ({"throttling": -30}, "throttling is -30"),
        ({"throttling": True}, "throttling is True"),
        ({"throttling": 5, "timeInterval": 5}, "exclude each other"),
        ({"q": "level>"}, "q"),
        ({"q": 7}, "q is not a text"),
        ({"csf": "(("}, "csf"),
        ({"geoQ": {"georel": "within"}}, "geo query needs"),
        ({"geoQ": []}, "geoQ is not a JSON object"),
        ({"scopeQ": "//"}, "scope"),
        ({"lang": "kk;q=2"}, "lang"),
        ({"datasetId": ["7"]}, "not a URI"),
        ({"isActive": "yes"}, "isActive"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"jsonldContext": "unknown"}, "not a URI"),
    ],
)
def test_what_is_wrong_is_named(more, reason):
    with pytest.raises(BadRequestData, match=reason):
        read(**more)


def change(before, **fragment):
    """Change a subscription."""
    return reading.change(before, fragment, NAMES, RECEIVERS)


def test_a_fragment_changes_what_it_names():
    before = read(watchedAttributes=["level"], q="level>3", throttling=5)
    after = change(
        before, type="Subscription", q=None, throttling="urn:ngsi-ld:null", isActive=False
    )
    assert (after.q, after.terms, after.throttling_s, after.is_active) == ("", {}, None, False)
    assert after.watched == before.watched
    assert after.notify == before.notify


@pytest.mark.parametrize(
    ("fragment", "reason"),
    [
        ({"notification": None}, "cannot be taken away"),
        ({"notification": {"format": "keyValues"}}, "endpoint"),
        ({"type": "Entity"}, "stays one"),
        ({"id": "urn:x:1"}, "the path of"),
        ({"entities": None}, "entities or watchedAttributes"),
    ],
)
def test_what_must_stay_is_not_taken_away(fragment, reason):
    with pytest.raises(BadRequestData, match=reason):
        change(read(), **fragment)


def test_a_body_that_is_no_object_is_refused():
    with pytest.raises(BadRequestData, match="not a JSON object"):
        reading.create([], NAMES, RECEIVERS)
