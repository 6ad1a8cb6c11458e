"""Subscriptions as documents."""

from citytwin_hub.apis.ngsild import subscription_reading as reading
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.apis.ngsild.subscription_writing import write
from citytwin_hub.entities.subscriptions import Progress
from tests.hub.naming import Vocabulary

NAMES = Vocabulary()
ALL = {
    "id": "urn:ngsi-ld:Subscription:7",
    "type": "Subscription",
    "subscriptionName": "levels",
    "description": "what happens to tanks",
    "entities": [
        {"type": "(Tank;Building),Pump", "idPattern": "^urn:.*"},
        {"type": "*", "id": ["urn:ngsi-ld:Pipe:1", "urn:ngsi-ld:Pipe:2"]},
        {"type": "Pipe", "id": "urn:ngsi-ld:Pipe:3"},
    ],
    "watchedAttributes": ["level", "flow"],
    "notificationTrigger": ["entityCreated"],
    "q": 'level>3;kind=="a"',
    "scopeQ": "/Almaty/#",
    "csf": "a==1",
    "lang": "kk",
    "geoQ": {
        "georel": "near;maxDistance==10",
        "geometry": "Point",
        "coordinates": [76, 43],
        "geoproperty": "place",
    },
    "datasetId": ["@none", "urn:d:1"],
    "throttling": 0.5,
    "expiresAt": "2030-01-01T00:00:00Z",
    "isActive": True,
    "notification": {
        "endpoint": {
            "uri": "http://localhost:9000/notify",
            "accept": "application/geo+json",
            "timeout": 100,
            "cooldown": 200,
            "receiverInfo": [{"key": "A", "value": "b"}],
            "notifierInfo": [{"key": "Prefer", "value": "body=json"}],
        },
        "format": "concise",
        "pick": ["id", "level", "pump{flow,id}"],
        "omit": ["scope"],
        "sysAttrs": False,
        "showChanges": True,
        "join": "inline",
        "joinLevel": 2,
    },
}


def test_what_was_given_comes_back():
    one = reading.create(ALL, NAMES, Receivers())
    assert write(one, Progress(), NAMES, now_ns=0) == ALL | {"status": "active"}


def test_the_hub_says_how_far_a_subscriber_was_told():
    one = reading.create(ALL, NAMES, Receivers())
    progress = Progress(
        times_sent=3,
        times_failed=1,
        last_sent_ns=3_000_000_000,
        last_success_ns=2_000_000_000,
        last_failure_ns=3_000_000_000,
        failure="nobody was there",
    )
    told = write(one, progress, NAMES, now_ns=0)["notification"]
    assert {name: told[name] for name in told.keys() - ALL["notification"].keys()} == {
        "status": "failed",
        "timesSent": 3,
        "timesFailed": 1,
        "lastNotification": "1970-01-01T00:00:03Z",
        "lastSuccess": "1970-01-01T00:00:02Z",
        "lastFailure": "1970-01-01T00:00:03Z",
    }


def test_what_was_not_given_has_its_default_or_nothing():
    plain = {name: ALL[name] for name in ("id", "type", "entities")}
    plain["notification"] = {"endpoint": {"uri": "http://localhost/"}}
    plain["timeInterval"] = 5
    one = reading.create(plain, NAMES, Receivers())
    document = write(one, Progress(), NAMES, now_ns=0, sys_attrs=True)
    assert document == plain | {
        "notificationTrigger": ["attributeCreated", "attributeUpdated"],
        "status": "active",
        "createdAt": "1970-01-01T00:00:00Z",
        "modifiedAt": "1970-01-01T00:00:00Z",
    }
