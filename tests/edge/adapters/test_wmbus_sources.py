"""Sources of telegrams: a receiver on a pty that several meters share, a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import aiomqtt
import msgspec
import pytest

from citytwin.errors import ConfigError, DeviceSilent
from citytwin_edge.adapters.mqtt_settings import MqttDevice
from citytwin_edge.adapters.wmbus_settings import WmbusDevice
from citytwin_edge.adapters.wmbus_sources import BrokerSource, PortSource, source_of
from tests.edge import mqtt_devices
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import instrument
from tests.edge.wire.test_wmbus_frames import FORMAT_A, FORMAT_B
from tests.servers import mosquitto
from tests.waiting import until

LINE = b"b" + FORMAT_A.hex().encode() + b"\r\n"


def settings(**fields):
    return msgspec.convert(fields, WmbusDevice)


async def heard(source, count):
    """Return the next telegrams of a source."""
    found = []
    async with asyncio.timeout(20), contextlib.aclosing(source.telegrams()) as stream:
        async for arrived in stream:
            found.append(arrived)
            if len(found) == count:
                return found
    return found


async def test_meters_share_a_receiver(tmp_path):
    port, site = str(tmp_path / "port"), new_site()
    sources: list[Any] = [source_of(settings(serial=port), f"meter-{n}", site) for n in range(3)]
    async with instrument(port, lambda _: [b"ok\r\n"]) as receiver:
        for source in sources:
            source.open()
        tasks = [asyncio.ensure_future(heard(source, 2)) for source in sources]
        ears = sources[0]._port._ears
        await until(lambda: len(ears) == 3 and sources[0]._port._connection.is_open, "all listen")
        receiver.say(LINE[:20], 0.01, LINE[20:] + b"noise\n" + LINE)
        for task in tasks:
            assert [one.received.frame for one in await task] == [FORMAT_A] * 2
        for source in sources:
            await source.close()


async def test_a_receiver_is_told_how_to_start(tmp_path):
    port = str(tmp_path / "port")
    source = PortSource(settings(serial=port, start=r"X21\r\nbrc\r\n"), "meter", new_site())
    async with instrument(port, lambda _: [LINE], b"brc\r\n") as receiver:
        source.open()
        task = asyncio.ensure_future(heard(source, 1))
        await until(lambda: receiver.asked, "the receiver is told")
        receiver.say(LINE)
        assert (await task)[0].received.frame == FORMAT_A
        assert receiver.asked == [b"X21\r\nbrc\r\n"]
        await source.close()


async def test_a_receiver_that_is_unplugged(tmp_path):
    port = str(tmp_path / "port")
    source = PortSource(settings(serial=port), "meter", new_site())
    source.open()
    with pytest.raises(DeviceSilent, match="not reachable"):
        await heard(source, 1)
    await source.close()


async def test_a_broker_brings_digits_lines_and_json(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        site = mqtt_devices.new_site()
        broker = {"host": "127.0.0.1", "port": port, "topic": "wmbus/#"}
        plain = source_of(settings(mqtt=broker | {"topic": "wmbus/raw"}), "one", site)
        inside = source_of(
            settings(mqtt=broker | {"topic": "wmbus/json", "path": "$.telegram.hex"}), "two", site
        )
        assert isinstance(plain, BrokerSource)
        tasks = [asyncio.ensure_future(heard(plain, 3)), asyncio.ensure_future(heard(inside, 1))]
        await until(lambda: plain._line.client is not None, "the broker is there")
        for payload in (FORMAT_A.hex(), LINE.decode(), "0x" + FORMAT_B.hex(), "something else"):
            await client.publish("wmbus/raw", payload, qos=1)
        await client.publish("wmbus/json", json.dumps({"telegram": {"hex": FORMAT_B.hex()}}), qos=1)
        assert [one.received.frame for one in await tasks[0]] == [FORMAT_A, FORMAT_A, FORMAT_B]
        assert [one.received.frame for one in await tasks[1]] == [FORMAT_B]
        await plain.close()
        await inside.close()
        plain.part()
        assert list(plain._line._filters) == ["wmbus/json"], "the other is still there"
        inside.part()
        assert not plain._line._filters


async def test_a_retained_telegram_may_be_old(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish("wmbus", FORMAT_A.hex(), qos=1, retain=True)
        broker = {"host": "127.0.0.1", "port": port, "topic": "wmbus"}
        source = source_of(settings(mqtt=broker), "one", mqtt_devices.new_site())
        (one,) = await heard(source, 1)
        assert one.is_late
        await source.close()


async def test_a_payload_that_is_none_is_told(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        broker = {"host": "127.0.0.1", "port": port, "topic": "wmbus", "path": "$.hex"}
        source: Any = source_of(settings(mqtt=broker), "one", mqtt_devices.new_site())
        task = asyncio.ensure_future(heard(source, 1))
        await until(lambda: source._line.client is not None, "the broker is there")
        await client.publish("wmbus", "no json", qos=1)
        assert "is not JSON" in (await task)[0].received.broken
        await source.close()


def test_one_broker_has_one_set_of_settings():
    site = mqtt_devices.new_site()
    broker = {"host": "10.0.0.7", "topic": "wmbus"}
    source_of(settings(mqtt=broker), "one", site)
    with pytest.raises(ConfigError, match=r"device two and another device .* differ in version"):
        source_of(settings(mqtt=broker | {"version": "3.1.1"}), "two", site)
    one = settings(mqtt=broker).mqtt
    assert one is not None
    assert MqttDevice(host="10.0.0.7").connection() == one.connection()
