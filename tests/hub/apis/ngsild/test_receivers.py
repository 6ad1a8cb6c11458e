"""Which addresses may be notified."""

import pytest

from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities.errors import BadRequestData

RECEIVERS = Receivers(["alarms.example.org", "scada.example.org:8443"])


@pytest.mark.parametrize(
    ("uri", "host", "port", "topic"),
    [
        ("http://localhost:1111/notify", "localhost", 1111, ""),
        ("http://127.0.0.1/notify", "127.0.0.1", 80, ""),
        ("https://[::1]/", "::1", 443, ""),
        ("https://Alarms.example.org/a?b=c", "alarms.example.org", 443, ""),
        ("https://scada.example.org:8443/", "scada.example.org", 8443, ""),
        ("mqtt://localhost/city/tanks", "localhost", 1883, "city/tanks"),
        ("mqtts://alarms.example.org/a%20b", "alarms.example.org", 8883, "a b"),
    ],
)
def test_this_machine_and_hosts_that_are_listed_may_be_called(uri, host, port, topic):
    found = RECEIVERS.read(uri)
    assert (found.host, found.port, found.topic) == (host, port, topic)


def test_an_mqtt_address_can_have_a_user():
    found = RECEIVERS.read("mqtt://hub:s%40cret@localhost:1884/t")
    assert (found.user, found.password, found.is_mqtt) == ("hub", "s@cret", True)


@pytest.mark.parametrize(
    "uri",
    [
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "http://example.org/",
        "https://scada.example.org/",
        "http://localhost.example.org/",
        "http://127.0.0.1.example.org/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "mqtt://broker.example.org/topic",
        "http://user@10.0.0.1@localhost.evil.org/",
    ],
)
def test_others_are_refused_with_what_to_do(uri):
    with pytest.raises(BadRequestData, match="notify_hosts"):
        RECEIVERS.read(uri)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("ftp://localhost/", "endpoint.uri is"),
        ("localhost/notify", "endpoint.uri is"),
        ("http:///notify", "endpoint.uri is"),
        ("http://localhost:99999/", "endpoint.uri is"),
        ("http://localhost/\r\nX: y", "endpoint.uri is"),
        ("mqtt://localhost", "no topic"),
        ("mqtt://localhost/a/+/b", "no topic"),
        ("mqtt://localhost/a%23", "no topic"),
        ("http://localhost/" + "a" * 3000, "endpoint.uri is"),
    ],
)
def test_what_is_no_address_is_refused(uri, reason):
    with pytest.raises(BadRequestData, match=reason):
        RECEIVERS.read(uri)
