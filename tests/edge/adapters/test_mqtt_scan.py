"""A look around a real broker, and what a probe is told of a bridge's devices."""

import json

import aiomqtt
import msgspec
import pytest

from citytwin import Quality
from citytwin.adapter import Scans
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters import mqtt, mqtt_scan
from citytwin_edge.adapters.mqtt import MQTT
from citytwin_edge.adapters.mqtt_settings import MqttDevice
from tests.edge.mqtt_devices import device, new_site
from tests.edge.wire.test_announcements import BRIDGE
from tests.servers import free_port, mosquitto


async def scanned(port, **settings):
    """Return what a scan finds, with no points configured."""
    own = msgspec.convert({"host": "127.0.0.1", "port": port, **settings}, MqttDevice)
    adapter = MQTT.build(own, [], new_site())
    assert isinstance(adapter, Scans)
    return {found.address: found.description async for found in adapter.scan()}


@pytest.mark.parametrize(
    ("dialect", "told", "found"),
    [
        (
            "", {"air/27/state": b'{"pm25": 3}', "raw": b"\0\xff"},
            {'topic = "air/27/state"': '{"pm25": 3}', 'topic = "raw"': "2 bytes"},
        ),
        (
            "zigbee2mqtt", {"zigbee2mqtt/bridge/devices": json.dumps(BRIDGE).encode()},
            {
                'topic_name = "hall/climate"': "Aqara WSDCGQ11LM Temperature sensor: "
                "$.temperature (°C, read), $.battery (%, read)",
                'topic_name = "plug"': "Tuya TS011F_plug_1 Smart plug: $.state (read+set), "
                "$.overload.max_watt (W, set)",
                'topic_name = "0x03"': "not supported by Zigbee2MQTT",
            },
        ),
        (
            "tasmota",
            {
                "tasmota/discovery/AA/config": b'{"t": "pow-1", "md": "POW", '
                b'"ft": "%prefix%/%topic%/"}',
                "tasmota/discovery/BB/config": b'{"t": "pow-2", "ft": "%topic%/%prefix%/"}',
            },
            {
                'topic_name = "pow-1"': "POW",
                'topic_name = "pow-2"\nbase = "{device}/{prefix}"': "",
            },
        ),
        (
            "thethingsstack", {"v3/water@city/devices/lht-1/up": b'{"received_at": "now"}'},
            {'base = "water@city"\ntopic_name = "lht-1"': '{"received_at": "now"}'},
        ),
        (
            "thingsboard",
            {
                "v1/gateway/telemetry": b'{"A": [{"ts": 1, "values": {"t": 1, "p": 2}}], "B": 5}',
                "v1/gateway/connect": b'{"device": "C"}',
            },
            {
                'topic_name = "A"': "t, p", 'topic_name = "B"': "",
                'topic_name = "C"': "has connected",
            },
        ),
    ],
)  # fmt: skip
async def test_what_is_there(tmp_path, monkeypatch, dialect, told, found):
    monkeypatch.setattr(mqtt_scan, "SCAN_S", 0.5)
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        for topic, payload in told.items():
            await client.publish(topic, payload, qos=1, retain=True)
        assert await scanned(port, dialect=dialect) == found


async def test_nobody_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt_scan, "SCAN_S", 0.2)
    with pytest.raises(DeviceSilent, match="Connection refused"):
        await scanned(free_port())
    async with mosquitto(tmp_path) as port:
        assert await scanned(port) == {}


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff", b'{"device": 5}'])
def test_what_tells_of_nobody(payload):
    for dialect in ("zigbee2mqtt", "tasmota", "thingsboard"):
        assert [one for one in mqtt_scan.told(dialect, "t", payload) if one.description] == []


async def test_a_probe_knows_what_a_zigbee_device_has(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt, "PROBE_S", 0.5)
    points = {"t": {"path": "$.temperature"}, "h": {"path": "$.humidty"}}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        bridge = json.dumps(BRIDGE).replace('"battery"', '"humidity"')
        await client.publish("zigbee2mqtt/bridge/devices", bridge, qos=1, retain=True)
        await client.publish("zigbee2mqtt/hall/climate", '{"temperature": 2}', qos=1, retain=True)
        own = {"dialect": "zigbee2mqtt"}

        def called(name):
            return device(new_site(), port, "c", points, topic_name=name, **own)

        seen, typo = await called("hall/climate").probe()
        lost, _ = await called("hall/climat").probe()
    assert (seen.value, seen.quality) == (2.0, Quality.UNCERTAIN_STALE)
    assert typo.quality == Quality.BAD_SILENT
    assert typo.note.endswith("has nothing at $.humidty; it has $.humidity")
    assert lost.note == "Zigbee2MQTT has no device 'hall/climat'; it has hall/climate"


async def test_a_probe_says_what_the_messages_leave_out(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt, "PROBE_S", 0.5)
    point = {"v": {"topic": "d/state", "path": "$.v"}}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish("d/state", '{"w": 1}', qos=1, retain=True)
        (one,) = await device(new_site(), port, "d", point, partial=True).probe()
    assert (one.quality, one.note) == (Quality.BAD_SILENT, "the payload has nothing at $['v']")
