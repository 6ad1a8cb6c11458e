"""What a subscriber is told."""

import json

import pytest

from citytwin_hub.apis.ngsild import subscription_reading as reading
from citytwin_hub.apis.ngsild.notifications import compose
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities import changes
from citytwin_hub.entities.model import Attribute, AttributeKind
from citytwin_hub.entities.notices import Notice
from citytwin_hub.entities.store import Change
from citytwin_hub.jsonld.processing import CORE, compiled
from tests.hub.entities.samples import BASE, entity, link, point, prop

SECOND = 1_000_000_000
NULL = "urn:ngsi-ld:null"
TERMS = [
    *("Tank", "Pump", "level", "flow", "power", "street"),
    *("quality", "pump", "pipes", "more", "rows", "raw"),
]
CONTEXT = compiled({term: BASE + term for term in TERMS}, lambda url: {}, CORE)
TANK = changes.created(
    entity(1, level=prop(3), flow=prop(1), location=point(76.9, 43.2), scopes=("/Almaty",)), SECOND
)
FULLER = changes.replaced(TANK, entity(1, level=prop(4), flow=prop(1)), 2 * SECOND)
STREET = Attribute(kind=AttributeKind.LANGUAGE, value={"kk": "Абай", "ru": "Абая"})
KIND = Attribute(kind=AttributeKind.VOCAB, value=BASE + "raw")


def composed(*given, find=lambda ids: {}, tenant="", notification=(), **more):
    """Return the message of some changes."""
    endpoint = {"uri": "http://localhost:9000/"} | more.pop("endpoint", {})
    document = {
        "type": "Subscription",
        "entities": [{"type": "Tank"}],
        "notification": {"endpoint": endpoint} | dict(notification),
    } | more
    one = reading.create(document, CONTEXT, Receivers())
    changed = tuple(Change(before, after) for before, after in given)
    message = compose(one, Notice(changed, 5 * SECOND), CONTEXT, find, tenant)
    if message is not None:
        assert json.loads(message.body()) == message.content
        assert message.content["subscriptionId"] == one.id
    return message


def told(*given, **more):
    """Return the message of some changes, which must be told."""
    message = composed(*given, **more)
    assert message is not None
    return message


def data(*given, **more):
    """Return the only entity that is told."""
    (document,) = told(*given, **more).content["data"]
    return document


def test_a_notification_says_what_when_and_to_whom():
    message = told((None, TANK), tenant="city", endpoint={"receiverInfo": [pair("X-Key", "v")]})
    assert message.media == "application/json"
    assert message.header["X-Key"] == "v"
    assert message.header["NGSILD-Tenant"] == "city"
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in message.header["Link"]
    content = message.content
    assert content["type"] == "Notification"
    assert content["id"].startswith("urn:ngsi-ld:Notification:")
    assert content["notifiedAt"] == "1970-01-01T00:00:05Z"
    assert content["data"][0]["level"] == {"type": "Property", "value": 3}
    assert "@context" not in content


def pair(key, value):
    return {"key": key, "value": value}


def test_in_json_ld_the_context_is_in_the_body():
    message = told((None, TANK), endpoint={"accept": "application/ld+json"})
    assert message.content["@context"] == message.content["data"][0]["@context"]
    assert "Link" not in message.header


def test_in_geojson_entities_are_features():
    message = told((None, TANK), endpoint={"accept": "application/geo+json"})
    (feature,) = message.content["data"]["features"]
    assert message.content["data"]["type"] == "FeatureCollection"
    assert feature["geometry"] == {"type": "Point", "coordinates": [76.9, 43.2]}
    assert feature["properties"]["level"]["value"] == 3
    assert "Link" not in message.header
    plain = {"accept": "application/geo+json", "notifierInfo": [pair("Prefer", "body=json")]}
    message = told((None, TANK), endpoint=plain)
    assert "Link" in message.header
    assert "@context" not in message.content


@pytest.mark.parametrize(
    ("notification", "expected"),
    [
        ({"format": "keyValues", "attributes": ["level"]}, {"level": 3}),
        ({"format": "concise", "attributes": ["level"]}, {"level": 3}),
        ({"attributes": ["level"]}, {"level": {"type": "Property", "value": 3}}),
        ({"format": "keyValues", "omit": ["id", "type", "location", "flow", "scope"]}, None),
    ],
)
def test_it_has_the_wanted_form_and_members(notification, expected):
    document = data((None, TANK), notification=notification)
    if expected is None:
        assert document == {"level": 3}
    else:
        head = {"id": TANK.id, "type": "Tank", "scope": "/Almaty"}
        assert document == head | expected


def test_where_nothing_is_picked_nothing_is_sent():
    assert composed((None, TANK), notification={"pick": ["power"]}) is None


def test_a_deleted_entity_is_told_by_its_identity_alone():
    document = data((TANK, None), notificationTrigger=["entityDeleted"])
    assert document == {"id": TANK.id, "type": "Tank", "deletedAt": "1970-01-01T00:00:05Z"}
    document = data(
        (TANK, None), notificationTrigger=["entityDeleted"], notification={"sysAttrs": True}
    )
    assert document.keys() == {"id", "type", "createdAt", "modifiedAt", "deletedAt"}


def test_watched_attributes_of_a_deleted_entity_are_null():
    document = data(
        (TANK, None),
        notificationTrigger=["attributeDeleted"],
        watchedAttributes=["level"],
        notification={"sysAttrs": True},
    )
    assert document["level"] == {
        "type": "Property",
        "value": NULL,
        "createdAt": "1970-01-01T00:00:01Z",
        "modifiedAt": "1970-01-01T00:00:01Z",
        "deletedAt": "1970-01-01T00:00:05Z",
    }
    assert "flow" not in document


KINDS = entity(
    1,
    level=prop(3),
    street=STREET,
    quality=KIND,
    pump=link("urn:ngsi-ld:Pump:1"),
    pipes=Attribute(kind=AttributeKind.LIST_RELATIONSHIP, value=["urn:x:1"]),
    more=Attribute(kind=AttributeKind.JSON, value={"a": None}),
    rows=Attribute(kind=AttributeKind.LIST, value=[1, 2]),
    location=point(76.9, 43.2),
)


def test_what_was_deleted_is_null_in_its_own_member():
    document = data(
        (KINDS, entity(1)), notificationTrigger=["attributeDeleted"], notification=SHOWING
    )
    for name, members in {
        "level": {"value": NULL, "previousValue": 3},
        "street": {"languageMap": {"@none": NULL}, "previousLanguageMap": STREET.value},
        "quality": {"vocab": NULL, "previousVocab": "raw"},
        "pump": {"object": NULL, "previousObject": "urn:ngsi-ld:Pump:1"},
        "pipes": {
            "objectList": [{"object": NULL}],
            "previousObjectList": [{"object": "urn:x:1"}],
        },
        "more": {"json": NULL, "previousJson": {"a": None}},
        "rows": {"valueList": NULL, "previousValueList": [1, 2]},
        "location": {
            "value": NULL,
            "previousValue": {"type": "Point", "coordinates": [76.9, 43.2]},
        },
    }.items():
        found = dict(document[name])
        found.pop("type")
        assert found == members


SHOWING = {"showChanges": True}


def test_what_changed_shows_what_it_was():
    document = data((TANK, FULLER), notification=SHOWING)
    assert document["level"] == {"type": "Property", "value": 4, "previousValue": 3}
    concise = data((TANK, FULLER), notification=SHOWING | {"format": "concise"})
    assert concise["level"] == {"value": 4, "previousValue": 3}
    assert "previousValue" not in str(data((None, TANK), notification=SHOWING))


def test_a_deleted_entity_shows_what_it_was():
    document = data((TANK, None), notification=SHOWING, notificationTrigger=["entityDeleted"])
    assert document["level"] == {"type": "Property", "value": NULL, "previousValue": 3}
    assert document["deletedAt"] == "1970-01-01T00:00:05Z"


def test_of_several_instances_those_that_went_are_null():
    both = entity(1, level=(prop(3), prop(4, dataset="urn:d:1")))
    more = {"notificationTrigger": ["attributeDeleted"]}
    document = data((both, entity(1, level=prop(3))), **more)
    assert document["level"] == [
        {"type": "Property", "value": 3},
        {"type": "Property", "value": NULL, "datasetId": "urn:d:1"},
    ]
    document = data((both, entity(1)), **more)
    assert document["level"] == {"type": "Property", "value": NULL}
    changed = entity(1, level=(prop(3), prop(5, dataset="urn:d:1")))
    document = data((both, changed), notification=SHOWING)
    assert document["level"][1]["previousValue"] == 4
    document = data((both, entity(1, level=prop(3))), notification={"format": "keyValues"}, **more)
    assert document["level"] == {"dataset": {"@none": 3, "urn:d:1": NULL}}


def test_only_the_wanted_datasets_and_languages():
    both = entity(1, level=(prop(3), prop(4, dataset="urn:d:1")), street=STREET)
    document = data((None, both), datasetId=["urn:d:1"])
    assert document["level"] == {"type": "Property", "value": 4, "datasetId": "urn:d:1"}
    document = data((None, both), lang="ru")
    assert document["street"] == {"type": "Property", "value": "Абая", "lang": "ru"}


def test_linked_entities_come_within_or_once_beside():
    pump = entity(1, "Pump", power=prop(7))
    tanks = [entity(number, pump=link(pump.id)) for number in (1, 2)]
    given = [(None, tank) for tank in tanks]
    flat = told(*given, find=lambda _: {pump.id: pump}, notification={"join": "flat"})
    assert [one["id"] for one in flat.content["data"]] == [tanks[0].id, tanks[1].id, pump.id]
    inline = told(*given, find=lambda _: {pump.id: pump}, notification={"join": "inline"})
    assert inline.content["data"][0]["pump"]["entity"]["power"]["value"] == 7
