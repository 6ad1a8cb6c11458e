"""Lines to a real mosquitto: shared, lost and found, stalled, resumed; receipts and routes."""

import asyncio
import contextlib
import json
import signal
from random import Random
from typing import Any

import aiomqtt
import pytest

from citytwin import Quality, SystemClock
from citytwin.errors import DeviceError, DeviceRefused, DeviceSilent
from citytwin_edge.adapters import mqtt_line
from citytwin_edge.adapters.mqtt_line import PAUSE_S_MAX, Line
from citytwin_edge.adapters.mqtt_listener import QUEUE_MAX
from citytwin_edge.adapters.mqtt_settings import MqttDevice
from tests.edge.mqtt_devices import PATIENCE_S, device, hearing, new_site
from tests.servers import broker, free_port, mosquitto, peer
from tests.waiting import until

ONE = {"v": {"topic": "{device}/v"}}
KEPT = {"client_id": "gw-1", "session_s": 3600}


def devices(port, count, site=None, **settings):
    site = site or new_site()
    return [device(site, port, f"d{n}", ONE, **settings) for n in range(count)]


async def publish(client, *pairs):
    for topic, payload in pairs:
        await client.publish(topic, payload, qos=1)


# ---- one connection for all


async def test_ten_devices_share_one_connection(tmp_path):
    async with broker(tmp_path) as running, aiomqtt.Client("127.0.0.1", running.port) as client:
        async with hearing(*devices(running.port, 10, client_id="gw-1")) as ears:
            await ears[0].connected()
            await publish(client, *((f"d{n}/v", str(n)) for n in range(10)))
            for n, ear in enumerate(ears):
                await ear.until(lambda ear: ear.samples)
                assert [sample[:3] for sample in ear.samples] == [(0, n, Quality.GOOD)]
            assert [name for name in running.clients() if name == "gw-1"] == ["gw-1"]
            assert len(running.clients()) == 2, "the gateway and the publisher"


async def test_the_last_device_to_go_ends_the_connection(tmp_path):
    async with broker(tmp_path) as running:
        first, second = devices(running.port, 2, client_id="gw-1")
        line = first._line
        async with hearing(first) as (ear,):
            async with hearing(second) as (other,):
                await other.connected()
            assert line.client is not None
            await ear.connected()
        await until(lambda: line.client is None, "the line to be closed")
        await until(
            lambda: "gw-1 disconnected" in running.log.read_text(), "a farewell to the broker"
        )
        assert running.clients() == ["gw-1"]


async def test_a_cancellation_that_comes_with_the_brokers_answer_counts(tmp_path, monkeypatch):
    """``asyncio.wait_for`` of Python 3.11 swallows it, and aiomqtt with it."""
    asked, ask_for = asyncio.Event(), mqtt_line.Client.ask_for

    async def swallowing(self, topic, qos):
        await ask_for(self, topic, qos)
        asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        return ""

    monkeypatch.setattr(mqtt_line.Client, "ask_for", swallowing)
    async with mosquitto(tmp_path) as port:
        (adapter,) = devices(port, 1)
        listening = asyncio.ensure_future(anext(adapter.listen()))
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
        keeping = adapter._line._task
        assert keeping is not None
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await adapter.close()
        assert keeping.cancelled(), "the connection is kept for nobody"


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_filters_that_overlap_give_each_point_its_message_once(tmp_path, version):
    site = new_site()
    points = {"any": {"topic": "a/+/v"}, "same": {"topic": "a/+/v"}, "one": {"topic": "a/1/v"}}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        both = device(site, port, "d1", points, version=version)
        every = device(site, port, "d2", {"all": {"topic": "#"}}, version=version)
        async with hearing(both, every) as (ear, other):
            await ear.connected()
            await publish(client, ("a/1/v", "1"), ("a/2/v", "2"), ("end", "9"))
            await other.until(lambda ear: ear.values()[-1:] == [9.0])
            await ear.until(lambda ear: len(ear.samples) >= 5)
    assert sorted(sample[:2] for sample in ear.samples) == [
        (0, 1.0), (0, 2.0), (1, 1.0), (1, 2.0), (2, 1.0),
    ]  # fmt: skip
    assert other.values() == [1.0, 2.0, 9.0]


async def test_a_device_that_is_not_attended_to_costs_the_others_nothing(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        slow, quick = devices(port, 2)
        listening: Any = slow.listen()
        begun = asyncio.ensure_future(anext(listening))
        async with hearing(quick) as (ear,):
            await ear.connected()
            extra = 50
            for number in range(1, QUEUE_MAX + extra + 2):
                await publish(client, ("d0/v", str(number)), ("d1/v", str(number)))
            await ear.until(lambda ear: len(ear.samples) == QUEUE_MAX + extra + 1)
            assert set(ear.qualities()) == {Quality.GOOD}
            assert (await begun).value.tolist() == [1.0]
            batch = await anext(listening)
        assert [Quality(int(code)) for code in batch.quality] == [
            Quality.BAD_OVERFLOW, *[Quality.GOOD] * QUEUE_MAX,
        ]  # fmt: skip
        assert batch.value[1] == extra + 2, "the oldest went"
        assert batch.time_ns[0] <= batch.time_ns[1]
        assert slow._listener.in_all_lost == extra
        await listening.aclose()


# ---- lost and found


async def test_a_broker_that_goes_and_comes_back_is_one_reconnect_for_all(tmp_path):
    port = free_port()
    adapters = devices(port, 5, client_id="gw-1")
    async with hearing(*adapters) as ears:
        for ear in ears:
            await ear.until(lambda ear: ear.errors)
            assert isinstance(ear.errors[0], DeviceSilent)
            assert f"the broker 127.0.0.1:{port}: Connection refused" in str(ear.errors[0])
        for round_number in (1, 2):
            async with broker(tmp_path, port=port) as running:
                await ears[0].connected()
                async with aiomqtt.Client("127.0.0.1", port) as client:
                    await publish(client, *((f"d{n}/v", str(round_number)) for n in range(5)))
                    for ear in ears:
                        await ear.until(lambda ear: len(ear.samples) == round_number)  # noqa: B023
                        assert ear.values()[-1:] == [float(round_number)]
                assert running.clients().count("gw-1") == round_number
            for ear in ears:
                told = len(ear.errors)
                await ear.until(lambda ear: isinstance(ear.errors[-1], DeviceSilent))
                assert told
    for ear in ears:
        assert len(ear.errors) < 10, "a trouble that goes on is told once"


async def test_a_broker_that_stalls_is_found_out(tmp_path):
    async with broker(tmp_path) as running:
        async with hearing(*devices(running.port, 2, keep_alive_s=5)) as ears:
            await ears[0].connected()
            running.process.send_signal(signal.SIGSTOP)
            try:
                for ear in ears:
                    await ear.until(lambda ear: ear.errors)
                    assert isinstance(ear.errors[0], DeviceSilent)
                    assert "Keep alive timeout" in str(ear.errors[0])
            finally:
                running.process.send_signal(signal.SIGCONT)
            await ears[0].connected()


async def test_a_broker_that_accepts_and_never_answers_is_told(tmp_path):
    connections = 0

    async def stall(reader, writer):
        nonlocal connections
        connections += 1
        while await reader.read(1000):
            pass

    async with peer(stall) as port:
        async with hearing(*devices(port, 3, connect_timeout_s=0.2)) as ears:
            for ear in ears:
                await ear.until(lambda ear: ear.errors)
                assert "timed out" in str(ear.errors[0])
            await until(lambda: connections >= 2, "a second attempt")
        assert [len(ear.errors) for ear in ears] == [1, 1, 1]


def test_pauses_grow_to_half_a_minute():
    line = Line(MqttDevice(host="b").connection(), SystemClock(), Random(1))
    assert line._pause_s() == 0
    pauses = []
    for failures in range(1, 40):
        line._failures = failures
        pauses.append(line._pause_s())
    assert 0.5 <= pauses[0] <= 1
    assert all(PAUSE_S_MAX / 2 <= pause <= PAUSE_S_MAX for pause in pauses[6:])


async def test_a_topic_that_the_broker_refuses_is_told_and_the_others_are_heard():
    async with asyncio.timeout(PATIENCE_S):
        async with peer(refuse_b) as port:
            site = new_site()
            allowed = device(site, port, "a", ONE, version="3.1.1")
            refused = device(site, port, "b", ONE, version="3.1.1")
            async with hearing(allowed, refused) as (ear, other):
                await other.until(lambda ear: ear.errors)
                assert isinstance(other.errors[0], DeviceRefused)
                assert "refuses the topic b/v" in str(other.errors[0])
                await ear.until(lambda ear: ear.values() == [7.0])
                assert not ear.errors


async def refuse_b(reader, writer):
    """Be a broker that lets nobody hear of ``b`` and says 7 of ``a``."""
    writer.write(bytes.fromhex("20 02 00 00"))
    await reader.readuntil(b"MQTT")
    buffer = b""
    while data := await reader.read(1000):
        buffer += data
        for topic, code in ((b"a/v", 1), (b"b/v", 0x80)):
            if topic in buffer:
                at = buffer.index(topic)
                message_id = buffer[at - 4 : at - 2]
                buffer = buffer[at + 3 :]
                writer.write(b"\x90\x03" + message_id + bytes([code]))
                if code == 1:
                    writer.write(b"\x30\x06\x00\x03a/v7")


async def test_an_error_that_nobody_foresaw_reaches_the_devices(tmp_path, monkeypatch):
    def broken(self, client):
        raise RuntimeError("a bug")

    monkeypatch.setattr(mqtt_line.Line, "_subscribe", broken)
    async with mosquitto(tmp_path) as port:
        async with hearing(*devices(port, 2)) as ears:
            for ear in ears:
                await ear.until(lambda ear: ear.errors)
                assert type(ear.errors[0]) is DeviceError
                assert "a bug" in str(ear.errors[0])


# ---- sessions


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_what_was_sent_while_away_comes_and_is_not_shown_as_live(tmp_path, version):
    points = {**ONE, "t": {"topic": "{device}/t", "path": "$.v", "time": {"path": "$.t"}}}
    moment = 1_767_268_800

    def build():
        return device(new_site(), port, "d0", points, version=version, **KEPT)

    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(build()) as (ear,):
            await ear.connected()
            await publish(client, ("d0/v", "0"))
            await ear.until(lambda ear: ear.samples)
            assert ear.qualities() == [Quality.GOOD]
            await until(lambda: not ear.adapter._line._owing, "the receipt")  # the receipt is given
        for number in range(1, 101):
            stamped = json.dumps({"v": number, "t": moment + number})
            await publish(client, ("d0/v", str(number)), ("d0/t", stamped))
        async with hearing(build()) as (ear,):
            await ear.until(lambda ear: len(ear.samples) == 200)
            await until(lambda: not ear.adapter._line._is_catching_up, "the session to catch up")
            await publish(client, ("d0/v", "101"))
            await ear.until(lambda ear: len(ear.samples) == 201)
    assert ear.values(0) == [float(number) for number in range(1, 102)]
    assert ear.qualities(0) == [*[Quality.UNCERTAIN_STALE] * 100, Quality.GOOD]
    assert [(value, time_ns // 10**9) for point, value, _, time_ns in ear.samples if point] == [
        (float(number), moment + number) for number in range(1, 101)
    ]
    assert set(ear.qualities(1)) == {Quality.GOOD}, "they say themselves how old they are"


async def test_without_a_session_what_was_sent_while_away_is_gone(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        for number in (1, 2):
            async with hearing(*devices(port, 1, client_id="gw-1")) as (ear,):
                await ear.connected()
                await publish(client, ("d0/v", str(number)))
                await ear.until(lambda ear: ear.samples)
                assert ear.values() == [float(number)]
            await publish(client, ("d0/v", "9"))


async def test_what_was_not_confirmed_comes_again_to_the_next_process(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(*devices(port, 2, **KEPT), confirms=False) as ears:
            await ears[0].connected()
            await publish(client, *((f"d{n % 2}/v", str(n)) for n in range(20)))
            for ear in ears:
                await ear.until(lambda ear: len(ear.samples) == 10)
            # Ten are safe of the first device; of the second, none: so the first alone is.
            confirm = ears[0].adapter.confirmation()
            confirm()
            assert ears[0].adapter.confirmation() is None
        async with hearing(*devices(port, 2, **KEPT)) as ears:
            for n, count in ((1, 10), (0, 9)):
                await ears[n].until(lambda ear, count=count: len(ear.samples) == count)
            assert ears[1].values() == [float(n) for n in range(1, 20, 2)]
            assert ears[0].values() == [float(n) for n in range(2, 20, 2)]
            assert set(ears[0].qualities()) == {Quality.UNCERTAIN_STALE}
            await until(lambda: not ears[0].adapter._line._owing, "every receipt")
        async with hearing(*devices(port, 2, **KEPT)) as ears:
            await until(
                lambda: ears[0].adapter._line.client is not None, "the line to be subscribed again"
            )
            await until(
                lambda: not ears[0].adapter._line._is_catching_up, "the session to catch up"
            )
            assert [ear.samples for ear in ears] == [[], []], "all was safe"


async def test_what_is_sent_again_within_one_process_is_taken_once(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(*devices(port, 1, **KEPT), confirms=False) as (ear,):
            await ear.connected()
            await publish(client, *(("d0/v", str(n)) for n in range(10)))
            await ear.until(lambda ear: len(ear.samples) == 10)
            thief = aiomqtt.Client(
                "127.0.0.1", port, identifier="gw-1", clean_session=False,
                protocol=aiomqtt.ProtocolVersion.V311,
            )  # fmt: skip
            async with thief:  # takes the connection away, and the session with it
                await ear.until(lambda ear: ear.errors)
            await ear.connected()
            await publish(client, ("d0/v", "10"))
            await ear.until(lambda ear: 10.0 in ear.values())
            assert ear.values() == [float(n) for n in range(11)]
            ear.adapter.confirmation()()
            await until(lambda: not ear.adapter._line._owing, "the receipt")


async def test_topics_of_an_old_configuration_are_named_and_hinder_nothing(tmp_path, capsys):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(*devices(port, 1, **KEPT)) as (ear,):
            await ear.connected()
        renamed = {"v": {"topic": "new/v"}}
        async with hearing(device(new_site(), port, "d0", renamed, **KEPT)) as (ear,):
            await ear.connected()
            await publish(client, ("d0/v", "1"), ("new/v", "2"))
            await ear.until(lambda ear: ear.samples)
            assert ear.values() == [2.0]
        said = capsys.readouterr()
        assert "d0/v" in said.out + said.err
