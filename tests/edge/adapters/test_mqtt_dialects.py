"""Dialects on a real mosquitto: messages as the projects' documents show them, and commands."""

import base64
import json
import math
import random

import aiomqtt
import msgspec
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError, DeviceRefused
from citytwin.testing import check_adapter
from citytwin_edge.adapters import mqtt
from citytwin_edge.adapters.mqtt_dialects import DIALECTS, filled
from citytwin_edge.adapters.mqtt_listener import Arrival
from citytwin_edge.adapters.mqtt_settings import MqttDevice
from tests.edge.mqtt_devices import bound, hearing, new_site
from tests.edge.mqtt_devices import device as made_on
from tests.servers import mosquitto

NOON_MS = 1_767_268_800_000
NOON = NOON_MS * 1_000_000


def convert(fields, kind):
    return msgspec.convert(fields, kind)


def device(port, name, points, **settings):
    return made_on(new_site(), port, name, points, **settings)


async def said(client, topics):
    """Subscribe, and return what the next message is."""
    await client.subscribe(topics, qos=1)

    async def following():
        message = await anext(client.messages)
        return str(message.topic), message.payload.decode()

    return following


def good(ear):
    return [(point, value) for point, value, code, _ in ear.samples if code == Quality.GOOD]


# ---- Zigbee2MQTT

PLUG = {
    "power": {"path": "$.power", "unit": "W"},
    "state": {"path": "$.state", "kind": "state", "words": {"ON": 1, "OFF": 0}, "writable": [0, 1]},
    "limit": {"path": "$.overload.max_watt", "unit": "W", "writable": [0, 4000]},
}


async def test_zigbee2mqtt(tmp_path):
    own = {"dialect": "zigbee2mqtt", "topic_name": "hall/plug 1"}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(device(port, "plug", PLUG, **own)) as (ear,):
            await ear.connected()

            async def tell(payload, under="zigbee2mqtt/hall/plug 1"):
                text = payload if isinstance(payload, str) else json.dumps(payload)
                await client.publish(under, text, qos=1)

            await tell(
                {"power": 20.4, "state": "ON", "overload": {"max_watt": 2300}, "linkquality": 9}
            )
            await ear.until(lambda ear: len(ear.samples) == 3)
            assert good(ear) == [(0, 20.4), (1, 1.0), (2, 2300.0)]
            # A part of it, with the time that it was; and null, which is no value.
            await tell({"state": "OFF", "last_seen": "2026-01-01T17:00:00+05:00"})
            await tell({"power": None, "last_seen": NOON_MS})
            await ear.until(lambda ear: len(ear.samples) == 5)
            assert ear.samples[3] == (1, 0.0, Quality.GOOD, NOON)
            assert ear.samples[4][2:] == (Quality.BAD_NOT_A_NUMBER, NOON)
            # Gone: by itself, in either of the two ways there have been, and with the bridge.
            for text in ('{"state": "offline"}', "offline"):
                await tell(text, "zigbee2mqtt/hall/plug 1/availability")
                await ear.until(lambda ear: ear.qualities(2)[-1] == Quality.BAD_SILENT)
                await tell('{"state": "online"}', "zigbee2mqtt/hall/plug 1/availability")
                await tell({"overload": {"max_watt": 2300}})
                await ear.until(lambda ear: ear.qualities(2)[-1] == Quality.GOOD)
            await tell('{"state": "offline"}', "zigbee2mqtt/bridge/state")
            await ear.until(lambda ear: ear.qualities(2)[-1] == Quality.BAD_SILENT)

            following = await said(client, "zigbee2mqtt/+/+/set")
            await ear.adapter.write(1, 1.0)
            assert await following() == ("zigbee2mqtt/hall/plug 1/set", '{"state": "ON"}')
            await ear.adapter.write(2, 1500.0)
            assert (await following())[1] == '{"overload": {"max_watt": 1500}}'
            with pytest.raises(DeviceRefused, match="no command_topic"):
                await ear.adapter.write(0, 1.0)
    assert not ear.errors


# ---- Tasmota

POW = {
    "power": {"path": "$.ENERGY.Power", "unit": "W"},
    "relay": {
        "topic": ["{tele}/STATE", "{stat}/RESULT"], "path": "$.POWER", "kind": "state",
        "words": {"ON": 1, "OFF": 0}, "writable": [0, 1],
    },
    "dimmer": {"topic": "{stat}/RESULT", "path": "$.Dimmer", "writable": [0, 100]},
}  # fmt: skip
SENSOR = '{"Time": "2026-01-01T17:00:00", "ENERGY": {"Power": 196, "Factor": 0.98}}'


@pytest.mark.parametrize(
    ("base", "at"),
    [({}, "{}/pow-1"), ({"base": "{device}/{prefix}"}, "pow-1/{}"),
     ({"base": "almaty/{prefix}/{device}"}, "almaty/{}/pow-1")],
)  # fmt: skip
async def test_tasmota(tmp_path, base, at):
    own = {"dialect": "tasmota", "time": {"utc_offset_h": 5}, **base}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:

        async def tell(prefix, what, text, **how):
            await client.publish(f"{at.format(prefix)}/{what}", text, qos=1, **how)

        async with hearing(device(port, "pow-1", POW, **own)) as (ear,):
            await ear.connected()
            await tell("tele", "SENSOR", SENSOR)
            await tell("tele", "STATE", '{"Time": "2026-01-01T17:00:00", "POWER": "ON"}')
            await tell("stat", "RESULT", '{"POWER": "OFF"}')
            await tell("stat", "RESULT", '{"Dimmer": 40}')
            await ear.until(lambda ear: len(ear.samples) == 4)
            assert good(ear) == [(0, 196.0), (1, 1.0), (1, 0.0), (2, 40.0)]
            assert ear.samples[0][3] == ear.samples[1][3] == NOON
            assert ear.samples[2][3] > NOON, "a result has no time but that it comes"
            await tell("tele", "LWT", "Offline", retain=True)
            await ear.until(lambda ear: len(ear.samples) == 7)
            assert {ear.qualities(point)[-1] for point in range(3)} == {Quality.BAD_SILENT}

            following = await said(client, at.format("cmnd") + "/#")
            await ear.adapter.write(1, 0.0)
            assert await following() == (at.format("cmnd") + "/POWER", "OFF")
            await ear.adapter.write(2, 55.0)
            assert await following() == (at.format("cmnd") + "/Dimmer", "55")


async def test_tasmota_without_an_offset_is_stamped_when_it_comes(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(device(port, "pow-1", POW, dialect="tasmota")) as (ear,):
            await ear.connected()
            await client.publish("tele/pow-1/SENSOR", SENSOR, qos=1)
            await ear.until(lambda ear: ear.samples)
    assert ear.samples[0][:3] == (0, 196.0, Quality.GOOD)
    assert ear.samples[0][3] > NOON


# ---- The Things Stack

LORA = {
    "decoded": {"path": "{decoded}.temperature", "unit": "Cel"},
    "lpp": {"lpp": "temperature_3", "unit": "Cel", "f_port": 2},
    "place": {"at": 2, "type": "int16", "f_port": [2, 5]},
    "rssi": {"path": "{radio}.rssi", "unit": "dB[mW]"},
    "snr": {"path": "{radio}.snr", "unit": "dB"},
    "valve": {
        "path": "{decoded}.valve", "kind": "state", "writable": [0, 1],
        "command": r"\x01{value:uint8}", "command_port": 10,
    },
}  # fmt: skip


def uplink(data, f_cnt=7, f_port=2, **decoded):
    """Return an uplink message as The Things Stack publishes it."""
    return json.dumps({
        "end_device_ids": {"device_id": "lht-1", "application_ids": {"application_id": "water"}},
        "received_at": "2026-01-01T12:00:00.123456789Z",
        "uplink_message": {
            "session_key_id": "AYfgh", "f_port": f_port, "f_cnt": f_cnt,
            "frm_payload": base64.b64encode(bytes.fromhex(data)).decode(),
            "decoded_payload": decoded,
            "rx_metadata": [{"gateway_ids": {"gateway_id": "gw"}, "rssi": -57, "snr": 9.2}],
        },
    })  # fmt: skip


async def test_the_things_stack(tmp_path):
    own = {"dialect": "thethingsstack", "base": "water@city"}
    topic = "v3/water@city/devices/lht-1/up"
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(device(port, "lht-1", LORA, **own)) as (ear,):
            await ear.connected()
            for text in (
                uplink("03 67 01 10", temperature=21.5), uplink("03 67 01 10", temperature=21.5),
                uplink("01 01", f_cnt=8, f_port=3, valve=1), uplink("FF FF 00 05", 9, f_port=5),
            ):  # fmt: skip
                await client.publish(topic, text, qos=1)
            await ear.until(lambda ear: len(ear.samples) == 11)
            found = good(ear)
            assert found[:5] == [(0, 21.5), (1, 27.2), (2, 272.0), (3, -57.0), (4, 9.2)]
            assert found[5:8] == [(3, -57.0), (4, 9.2), (5, 1.0)], "the same once, and by port"
            assert found[8:] == [(2, 5.0), (3, -57.0), (4, 9.2)]
            assert {sample[3] for sample in ear.samples} == {NOON + 123_456_000}

            following = await said(client, "v3/#")
            await ear.adapter.write(5, 1.0)
            where, text = await following()
            assert where == "v3/water@city/devices/lht-1/down/push"
            assert json.loads(text) == {
                "downlinks": [{"f_port": 10, "frm_payload": "AQE=", "priority": "NORMAL"}]
            }
    assert not ear.errors


async def test_an_application_is_the_user_unless_it_is_said(tmp_path):
    own = convert({"host": "b", "dialect": "thethingsstack", "user": "water@ttn"}, MqttDevice)
    _, points = filled(own, bound("d", {"t": {"path": "{decoded}.t"}}), "d")
    assert points[0].topic == ("v3/water@ttn/devices/d/up",)
    assert points[0].path == "$.uplink_message.decoded_payload.t"


# ---- ThingsBoard's gateway API

METER = {
    "temperature": {"path": "{values}.temperature", "unit": "Cel"},
    "setpoint": {"path": "{values}.setpoint", "unit": "Cel", "writable": [0, 40]},
}


async def test_thingsboard(tmp_path):
    own = {"dialect": "thingsboard", "topic_name": "Meter's \\ A"}
    name = own["topic_name"]
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:

        async def tell(what, said):
            text = said if isinstance(said, str) else json.dumps(said)
            await client.publish(f"v1/gateway/{what}", text, qos=1)

        async with hearing(device(port, "meter", METER, **own)) as (ear,):
            await ear.connected()
            await tell("telemetry", {
                "Device B": [{"ts": NOON_MS, "values": {"temperature": 99}}],
                name: [
                    {"ts": NOON_MS, "values": {"temperature": 42, "setpoint": 20}},
                    {"ts": NOON_MS + 60_000, "values": {"temperature": 43}},
                ],
            })  # fmt: skip
            await ear.until(lambda ear: len(ear.samples) == 3)
            assert ear.samples == [
                (0, 42.0, Quality.GOOD, NOON), (1, 20.0, Quality.GOOD, NOON),
                (0, 43.0, Quality.GOOD, NOON + 60 * 10**9),
            ]  # fmt: skip
            await tell("telemetry", "garbage of somebody")
            await tell("telemetry", {name: [{"ts": "never", "values": {"temperature": 1}}]})
            await ear.until(lambda ear: len(ear.samples) == 4)
            assert ear.samples[3][2] == Quality.BAD_MALFORMED
            await tell("disconnect", {"device": "Device B"})
            await tell("disconnect", {"device": name})
            await ear.until(lambda ear: len(ear.samples) == 6)
            assert ear.qualities()[-1] == ear.qualities(1)[-1] == Quality.BAD_SILENT

            following = await said(client, "v1/gateway/attributes")
            await ear.adapter.write(1, 21.5)
            assert json.loads((await following())[1]) == {
                "device": name, "data": {"setpoint": 21.5}
            }  # fmt: skip
    assert not ear.errors


async def test_a_device_of_thingsboard_by_itself(tmp_path):
    """v1/devices/me/telemetry: with a time or without, one record or a list of them."""
    point = {"t": {"topic": "v1/devices/me/telemetry", "path": "$.values.t"}}
    plain = {"t": {"topic": "v1/devices/me/telemetry", "path": "$.t"}}
    own = {"partial": True, "records": "$", "time": {"path": "$.ts", "optional": True}}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        stamped, bare = device(port, "a", point, **own), device(port, "b", plain, **own)
        async with hearing(stamped, bare) as (ear, other):
            await ear.connected()
            await other.connected()
            for text in (
                [{"ts": NOON_MS, "values": {"t": 1}}, {"ts": NOON_MS + 1, "values": {"t": 2}}],
                {"ts": NOON_MS + 2, "values": {"t": 3}}, {"t": 4},
            ):  # fmt: skip
                await client.publish("v1/devices/me/telemetry", json.dumps(text), qos=1)
            await ear.until(lambda ear: len(ear.samples) == 3)
            await other.until(lambda ear: len(ear.samples) == 1)
    assert ear.values() == [1, 2, 3]
    assert [sample[3] - NOON for sample in ear.samples] == [0, 1_000_000, 2_000_000]
    assert other.values() == [4]


# ---- all of them

EXAMPLES = {
    "zigbee2mqtt": (PLUG, "zigbee2mqtt/d", b'{"power": 1.5, "state": "ON"}'),
    "tasmota": (POW, "tele/d/SENSOR", SENSOR.encode()),
    "thethingsstack": (LORA, "v3/u/devices/d/up", uplink("03 67 01 10", temperature=1.5).encode()),
    "thingsboard": (
        METER, "v1/gateway/telemetry",
        b'{"d": [{"ts": 1767268800000, "values": {"temperature": 5}}]}',
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_conformance(tmp_path, dialect, monkeypatch):
    monkeypatch.setattr(mqtt, "PROBE_S", 0.5)  # not every point is in the one message
    points, topic, payload = EXAMPLES[dialect]
    own = {"dialect": dialect, "user": "u"}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish(topic, payload, qos=1, retain=True)
        report = await check_adapter(
            lambda: device(port, "d", points, **own), bound("d", points), timeout_s=5
        )
        batch = report.batch
        assert len(batch)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_mutated_messages_never_invent_a_value(dialect):
    """10,000 of them: a number is good, or none at all; never infinite, never beside a failure."""
    points, topic, payload = EXAMPLES[dialect]
    adapter = device(1, "d", points, dialect=dialect, user="u")
    rng, marks = random.Random(3), adapter._points(topic)
    assert [row for row in rows_of(adapter, marks, topic, payload) if not row[3]]
    adapter._reader._once = []
    for _ in range(10_000):
        broken = bytearray(payload)
        for _ in range(rng.randrange(1, 4)):
            how, place = rng.randrange(3), rng.randrange(len(broken) + 1)
            if how == 0:
                del broken[place : place + rng.randrange(1, 30)]
            elif how == 1:
                broken[place:place] = rng.randbytes(rng.randrange(1, 9))
            elif place < len(broken):
                broken[place] = rng.randrange(256)
        for _, _, value, code, _ in rows_of(adapter, marks, topic, bytes(broken)):
            assert math.isnan(value) == (code >= 0x80)
            assert not math.isinf(value)


def rows_of(adapter, points, topic, payload):
    return list(adapter._reader.rows(points, Arrival(topic, payload, NOON, is_late=False)))


# ---- what is left out


@pytest.mark.parametrize(
    ("settings", "point", "says"),
    [
        ({}, {"path": "$.a"}, "there is no topic; the point or its device must name one"),
        ({}, {"topic": "t", "f_port": 1}, "goes with dialect thethingsstack"),
        ({}, {"topic": "t", "path": "{decoded}.a"}, "is not a JSON path"),
        ({}, {"topic": "t", "tag": "01", "at": 0}, "tag '01' is not in the device's tags"),
        (
            {"dialect": "zigbee2mqtt"}, {"path": "$.a[0]", "writable": [0, 1]},
            r"command must say how it is set: '\$.a\[0\]' is no plain path",
        ),
        (
            {"dialect": "tasmota"}, {"path": "", "writable": [0, 1]},
            "command_topic must say where it is set",
        ),
        (
            {"dialect": "thethingsstack"}, {"path": "{decoded}.v", "writable": [0, 1]},
            "command must say the bytes of the downlink",
        ),
    ],
)  # fmt: skip
def test_what_nothing_fills_in_is_asked_for(settings, point, says):
    with pytest.raises(ConfigError, match=f"point g/d/p: .*{says}"):
        device(1, "d", {"p": point}, **settings)


def test_what_is_said_comes_before_the_dialect():
    own = {
        "host": "b", "dialect": "zigbee2mqtt", "base": "z2m", "online_topic": "x/{device}",
        "online_path": "$.on", "offline": "no", "partial": False, "time": {"path": "$.t"},
    }  # fmt: skip
    point = {
        "topic": "other/{device}", "path": "$.a", "writable": [0, 1], "command_topic": "{base}/do",
        "command": "{value}",
    }  # fmt: skip
    made, (address,) = filled(convert(own, MqttDevice), bound("d", {"p": point}), "d")
    assert (made.online_topic, made.online_path, made.offline) == (("x/d",), "$.on", "no")
    assert (made.partial, made.time.path, made.time.optional) == (False, "$.t", True)
    assert (address.topic, address.command_topic, address.command) == (
        ("other/d",), "z2m/do", "{value}",
    )  # fmt: skip


def test_without_a_dialect_nothing_is_filled_in():
    given = convert({"host": "b", "topic": "air/{device}"}, MqttDevice)
    made, (address,) = filled(given, bound("d", {"p": {"path": "$.a"}}), "d")
    assert (address.topic, made.offline, made.partial) == (("air/d",), "offline", False)
