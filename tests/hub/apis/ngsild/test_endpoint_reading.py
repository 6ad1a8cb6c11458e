"""What a subscription says of its notifications."""

import pytest

from citytwin_hub.apis.ngsild.endpoint_reading import read_notify, renamed
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.subscriptions import Format
from tests.hub.naming import BASE, Vocabulary

HTTP, MQTT = "http://localhost:9000/notify", "mqtt://localhost/topic"


def read(uri=HTTP, endpoint=(), **more):
    """Read a notification."""
    document = {"endpoint": {"uri": uri} | dict(endpoint)} | more
    return read_notify(document, Vocabulary(), Receivers())


def test_all_of_it():
    one = read(
        endpoint={
            "accept": "application/ld+json",
            "receiverInfo": [{"key": "Authorization", "value": "Bearer abc"}],
            "notifierInfo": [{"key": "Prefer", "value": "body=json"}],
            "timeout": 500,
            "cooldown": 1000,
        },
        format="concise",
        pick=["id", "level", "pump{flow,id}"],
        omit=["scope"],
        sysAttrs=True,
        showChanges=True,
        join="inline",
        joinLevel=2,
    )
    assert one.receiver_info == (("Authorization", "Bearer abc"),)
    assert (one.timeout_ms, one.cooldown_ms, one.join_level) == (500, 1000, 2)
    assert one.form is Format.CONCISE
    assert one.pick == ("id", f"{BASE}level", f"{BASE}pump{{{BASE}flow,id}}")
    names = Vocabulary()
    assert [renamed(each, names.compact) for each in one.pick] == ["id", "level", "pump{flow,id}"]


def test_attributes_become_iris():
    assert read(attributes=["level"]).attributes == (f"{BASE}level",)
    assert read().attributes is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"uri": "http://10.0.0.1/"}, "notify_hosts"),
        ({"uri": 7}, "needs a uri"),
        ({"endpoint": {"accept": "text/plain"}}, "accept is"),
        ({"endpoint": {"timeout": -1}}, "timeout is -1"),
        ({"endpoint": {"cooldown": True}}, "cooldown is True"),
        ({"endpoint": {"receiverInfo": [{"key": "K", "value": 42}]}}, "a pair of receiverInfo"),
        ({"endpoint": {"receiverInfo": [{"key": "K"}]}}, "a pair of receiverInfo"),
        ({"endpoint": {"receiverInfo": {"K": "v"}}}, "receiverInfo is not an array"),
        ({"endpoint": {"receiverInfo": [{"key": "K", "value": "a\r\nX: b"}]}}, "header field"),
        ({"endpoint": {"receiverInfo": [{"key": "K:", "value": "a"}]}}, "header field"),
        ({"endpoint": {"receiverInfo": [{"key": "Host", "value": "a"}]}}, "the hub itself sets"),
        ({"uri": MQTT, "endpoint": {"notifierInfo": [{"key": "MQTT-QoS", "value": "3"}]}}, "QoS"),
        (
            {"uri": MQTT, "endpoint": {"notifierInfo": [{"key": "MQTT-Version", "value": "4"}]}},
            "MQTT-Version",
        ),
        ({"format": "csv"}, "format is"),
        ({"format": "keyValues", "showChanges": True}, "showChanges needs another format"),
        ({"format": "simplified", "showChanges": True}, "showChanges needs another format"),
        ({"attributes": []}, "attributes is not an array"),
        ({"pick": []}, "pick is not an array"),
        ({"omit": []}, "omit is not an array"),
        ({"pick": ["id"], "attributes": ["level"]}, "beside pick or omit"),
        ({"omit": ["id"], "attributes": ["level"]}, "beside pick or omit"),
        ({"omit": ["id"], "pick": ["id"]}, "both in pick and in omit"),
        ({"join": "outer"}, "join is"),
        ({"joinLevel": 0}, "joinLevel is 0"),
        ({"sysAttrs": 1}, "sysAttrs"),
    ],
)
def test_what_is_wrong_is_named(given, reason):
    with pytest.raises(BadRequestData, match=reason):
        read(**given)


def test_an_endpoint_must_be_there():
    with pytest.raises(BadRequestData, match=r"notification\.endpoint is not there"):
        read_notify({}, Vocabulary(), Receivers())
