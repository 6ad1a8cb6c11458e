"""Wireless M-Bus settings: what a technician writes, mistakes in it, keys that stay secret."""

from __future__ import annotations

import msgspec
import pytest

from citytwin_edge.adapters.wmbus_settings import WmbusDevice

KEY = "28F64A24988064A079AA2C807D6102AE"
BROKER = {"host": "10.0.0.7", "topic": "wmbus/+"}


def device(**fields):
    return msgspec.convert(fields, WmbusDevice)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "a receiver needs serial"),
        ({"serial": "/dev/x", "host": "y"}, "a receiver needs serial"),
        ({"serial": "/dev/x", "mqtt": BROKER}, "a receiver needs serial"),
        ({"mqtt": BROKER, "receiver": "im871a"}, "belong to a receiver on a port"),
        ({"serial": "/dev/x", "rssi": True}, 'goes with receiver = "amb8465"'),
        ({"serial": "/dev/x", "id": "7634879"}, "not 8 digits"),
        ({"serial": "/dev/x", "id": "7634879F"}, "without F"),
        ({"serial": "/dev/x", "time": "meter"}, "needs utc_offset_h"),
        ({"serial": "/dev/x", "key": KEY[1:]}, "key must be 32 hexadecimal digits"),
        ({"serial": "/dev/x", "start": "{value}"}, "value"),
        ({"mqtt": BROKER | {"topic": ""}}, "not a topic"),
        ({"mqtt": BROKER | {"topic": "$share/g/a"}}, "not a topic"),
        ({"mqtt": BROKER | {"path": "$["}}, "is not a JSON path"),
        ({"mqtt": BROKER | {"ca_file": "x"}}, "need tls = true"),
    ],
)
def test_mistakes(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words) as caught:
        device(**fields)
    assert str(fields.get("key", "no key")) not in str(caught.value)


def test_a_key_is_not_shown():
    assert KEY not in repr(device(serial="/dev/x", id="76348799", key=KEY))


def test_receivers_have_their_usual_baud_rates():
    assert device(serial="/dev/x").endpoint().baud == 38_400
    assert device(serial="/dev/x", receiver="im871a").endpoint().baud == 57_600
    assert device(serial="/dev/x", receiver="amb8465").endpoint().baud == 9600
    assert device(serial="/dev/x", baud=115_200).endpoint().baud == 115_200
    assert device(host="10.0.0.7").endpoint().port == 4001


def test_where_a_meter_is_heard():
    one = device(serial="/dev/x", id="76348799", manufacturer="KAM")
    assert one.where() == "meter 76348799 KAM heard at /dev/x"
    assert device(mqtt=BROKER, id="76348799").where().endswith("heard at the broker 10.0.0.7:1883")
    assert device(serial="/dev/x", start=r"X21\r\nbrc\r\n").start_bytes() == b"X21\r\nbrc\r\n"
