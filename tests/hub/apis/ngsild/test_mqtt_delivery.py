"""Notifications over a real mosquitto."""

import asyncio
import json

import aiomqtt
import pytest

from citytwin_hub.apis.ngsild import mqtt_delivery
from citytwin_hub.apis.ngsild.mqtt_delivery import MqttDelivery
from citytwin_hub.apis.ngsild.notifications import Message
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities.notices import Undelivered
from tests.servers import broker, mosquitto

MESSAGE = Message({"type": "Notification"}, "application/json", {"Link": "<x>", "key": "value"})
WAIT_S = 30


def receiver(port, user="", topic="city/tanks"):
    """Return an address on this machine."""
    return Receivers().read(f"mqtt://{user}127.0.0.1:{port}/{topic}")


@pytest.mark.parametrize("version", ["", "mqtt3.1.1", "mqtt5.0"])
@pytest.mark.parametrize("qos", ["", "0", "1", "2"])
async def test_every_version_and_quality(tmp_path, version, qos):
    info = tuple(
        (key, value) for key, value in (("MQTT-Version", version), ("MQTT-QoS", qos)) if value
    )
    async with (
        broker(tmp_path) as running,
        aiomqtt.Client("127.0.0.1", running.port, identifier="reader") as reader,
    ):
        await reader.subscribe("city/#", qos=2)
        sending = MqttDelivery()
        for _ in range(2):
            await sending.send(receiver(running.port), info, MESSAGE)
        async with asyncio.timeout(WAIT_S):
            got = [message async for message in _some(reader, 2)]
        await sending.close()
        assert len(running.clients()) == 2, "one connection for both"
        words = running.log.read_text()
    assert [message.qos for message in got] == [int(qos or 0)] * 2
    assert json.loads(got[0].payload) == {
        "metadata": {"Content-Type": "application/json", "Link": "<x>", "key": "value"},
        "body": {"type": "Notification"},
    }
    protocol = "p2" if version == "mqtt3.1.1" else "p5"
    assert any(f"({protocol}," in line for line in words.splitlines() if "connected" in line), words


async def _some(reader, count):
    async for message in reader.messages:
        yield message
        count -= 1
        if not count:
            return


async def test_a_user_is_known_by_his_password(tmp_path):
    passwords = tmp_path / "passwords"
    process = await asyncio.create_subprocess_exec(
        "mosquitto_passwd", "-b", "-c", str(passwords), "hub", "secret"
    )
    assert await process.wait() == 0
    demands = ("allow_anonymous false", f"password_file {passwords}", "user root")
    async with mosquitto(tmp_path, *demands) as port:
        sending = MqttDelivery()
        await sending.send(receiver(port, "hub:secret@"), (("MQTT-QoS", "1"),), MESSAGE)
        with pytest.raises(Undelivered, match="does not take it"):
            await sending.send(receiver(port, "hub:wrong@"), (), MESSAGE)
        await sending.close()


async def test_after_a_restart_of_the_server_it_connects_again(tmp_path):
    sending = MqttDelivery()
    async with mosquitto(tmp_path) as port:
        await sending.send(receiver(port), (("MQTT-QoS", "1"),), MESSAGE)
    with pytest.raises(Undelivered, match="does not take it"):
        await sending.send(receiver(port), (("MQTT-QoS", "1"),), MESSAGE)
    async with mosquitto(tmp_path, port=port):
        await sending.send(receiver(port), (("MQTT-QoS", "1"),), MESSAGE)
        await sending.close()


async def test_connections_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt_delivery, "CONNECTIONS_MAX", 1)
    async with mosquitto(tmp_path) as first, mosquitto(tmp_path) as second:
        sending = MqttDelivery()
        for port in (first, second, first):
            await sending.send(receiver(port), (("MQTT-QoS", "1"),), MESSAGE)
        assert len(sending._clients) == 1
        await sending.close()
