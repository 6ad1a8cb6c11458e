"""A broker is described once, for all adapters; who needs none loads nothing of MQTT."""

import subprocess
import sys

import msgspec
import pytest

from citytwin_edge.adapters.mqtt_broker import Broker, Connection
from citytwin_edge.adapters.mqtt_settings import MqttDevice
from citytwin_edge.adapters.sparkplug_settings import SparkplugDevice
from citytwin_edge.adapters.wmbus_settings import BrokerSettings

OWN = {
    MqttDevice: {},
    SparkplugDevice: {"host_id": "gw", "group_id": "plant", "edge_node_id": "ps-1"},
    BrokerSettings: {"topic": "wmbus/+"},
}


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": ""}, "must name the broker"),
        ({"host": "b", "key_file": "k"}, "go together"),
        ({"host": "b", "ca_file": "k"}, "tls = true"),
        ({"host": "b", "password_file": "k"}, "needs user"),
        ({"host": "b", "keep_alive_s": 1}, "keep_alive_s"),
    ],
)
def test_every_adapter_refuses_the_same(kind, fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({**OWN[kind], **fields}, kind)


def test_what_makes_two_devices_share_a_connection():
    def connection(**settings) -> Connection:
        return msgspec.convert({"host": "b", **settings}, MqttDevice).connection()

    assert connection().key == connection(qos=2, topic_name="x", keep_alive_s=60).key
    assert connection().key != connection(user="u").key
    assert connection().key != connection(port=1884).key
    assert connection(client_id="g", user="u").key == connection(client_id="g").key
    assert connection().differences(connection(tls=True, keep_alive_s=9)) == "tls, keep_alive_s"
    assert str(connection()) == "the broker b:1883"


def test_what_is_written_alike_is_one_connection_whoever_listens():
    written = {
        "host": "b", "port": 8883, "version": "3.1.1", "user": "u", "password_file": "p",
        "tls": True, "ca_file": "a", "certificate_file": "c", "key_file": "k", "client_id": "g",
        "keep_alive_s": 60, "connect_timeout_s": 5.0,
    }  # fmt: skip
    assert written.keys() == set(Broker.__struct_fields__)
    made = {msgspec.convert({**own, **written}, kind).connection() for kind, own in OWN.items()}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("adapter", "others"),
    [
        ("wmbus", ("aiomqtt", "paho", "citytwin_edge.adapters.mqtt_settings")),
        ("mbus", ("aiomqtt", "citytwin_edge.adapters.mqtt_broker")),
        ("mqtt", ("serial", "citytwin_edge.adapters.mbus", "citytwin_edge.adapters.wmbus")),
        ("sparkplug", ("serial", "citytwin_edge.adapters.mbus", "citytwin_edge.adapters.wmbus")),
    ],
)
def test_an_adapter_loads_nothing_of_the_others(adapter, others):
    code = f"import sys, citytwin_edge.adapters.{adapter}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = done.stdout.split()
    assert f"citytwin_edge.adapters.{adapter}" in loaded
    assert [name for name in loaded if name.startswith(others)] == []
