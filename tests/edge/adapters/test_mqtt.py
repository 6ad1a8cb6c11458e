"""MQTT devices on a real mosquitto: what becomes of messages, commands, probes and settings."""

import asyncio
import json
import math
from pathlib import Path

import aiomqtt
import pytest

from citytwin import Kind, Quality
from citytwin.adapter import Confirms, Listens, Probes, Writes
from citytwin.errors import ConfigError, DeviceRefused, DeviceSilent, StoreFull
from citytwin.testing import check_adapter
from citytwin_edge.adapters import mqtt
from citytwin_edge.adapters.mqtt_listener import Arrival, Heard, Lost
from citytwin_edge.config import load
from tests.edge.mqtt_devices import bound, device, hearing, new_site
from tests.servers import free_port, mosquitto
from tests.waiting import until

NOON = 1_767_268_800 * 10**9
POINTS = {
    "pm25": {"topic": "air/+/state", "path": "$.pm25", "time": {"path": "$.time"}, "unit": "ug/m3"},
    "mode": {"topic": "air/27/mode", "kind": "text"},
    "fan": {"topic": "air/27/fan", "command_topic": "air/27/fan/set", "kind": "state"},
}
STATE = '{"pm25": 35.5, "time": "2026-01-01T12:00:00Z"}'


def air(port, site=None, **settings):
    return device(site or new_site(), port, "air", POINTS, **settings)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_messages_become_samples(tmp_path, version):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(air(port, version=version)) as (ear,):
            await ear.connected()
            await client.publish("air/27/state", STATE, qos=1)
            await client.publish("air/27/mode", "1", qos=1)
            await client.publish("air/27/fan", "ON", qos=1)
            await client.publish("air/27/nothing", "5", qos=1)
            await ear.until(lambda ear: len(ear.samples) == 3)
    assert [sample[:3] for sample in ear.samples] == [
        (0, 35.5, Quality.GOOD),
        (1, 1.0, Quality.GOOD),  # the number of the text "1"
        (2, 1.0, Quality.GOOD),
    ]
    assert ear.samples[0][3] == NOON
    assert ear.samples[1][3] > NOON
    assert not ear.errors


async def test_garbage_is_bad_and_the_next_message_counts(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(air(port)) as (ear,):
            await ear.connected()
            bombs = ("{", "x" * 70_000, "[" * 60_000, '{"pm25": 1' + "0" * 4000 + "}", b"\xff\xfe")
            for payload in (*bombs, '{"pm25": NaN, "time": 1767268800}', STATE):
                await client.publish("air/1/state", payload, qos=1)
            await ear.until(lambda ear: len(ear.samples) == 7)
    assert ear.qualities() == [
        *[Quality.BAD_MALFORMED] * 5, Quality.BAD_NOT_A_NUMBER, Quality.GOOD,
    ]  # fmt: skip
    assert all(math.isnan(value) for value in ear.values()[:-1])
    assert not ear.errors


async def test_one_wildcard_for_several_devices(tmp_path):
    """The level that names the device is written once, as ``{device}``."""
    point = {"pm25": {"topic": "air/{device}/state", "path": "$.pm25"}}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        site = new_site()
        posts = [device(site, port, name, point) for name in ("27", "30")]
        posts.append(device(site, port, "skat-1", point, topic_name="SKAT_1"))
        async with hearing(*posts) as ears:
            for ear in ears:
                await ear.connected()
            for number, level in enumerate(("27", "30", "SKAT_1", "31")):
                await client.publish(f"air/{level}/state", json.dumps({"pm25": number}), qos=1)
            for number, ear in enumerate(ears):
                await ear.until(lambda ear: ear.samples)
                assert ear.values() == [number]


# ---- late data never looks live


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_what_was_retained_never_looks_live(tmp_path, version):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish("air/27/state", STATE, qos=1, retain=True)
        await client.publish("air/27/fan", "1", qos=1, retain=True)  # the broker has both
        async with hearing(air(port, version=version)) as (ear,):
            await ear.until(lambda ear: len(ear.samples) == 2)
            await client.publish("air/27/fan", "0", retain=True)
            await ear.until(lambda ear: len(ear.samples) == 3)
    retained = {point: (value, code) for point, value, code, _ in ear.samples[:2]}
    assert retained == {0: (35.5, Quality.GOOD), 2: (1.0, Quality.UNCERTAIN_STALE)}
    assert ear.samples[0][3] == NOON or ear.samples[1][3] == NOON
    assert ear.samples[2][:3] == (2, 0.0, Quality.GOOD), "published now, so it is live"


async def test_a_last_will_silences_the_device_at_once(tmp_path):
    point = {"v": {"topic": "d/{device}/v"}, "t": {"topic": "d/{device}/t"}}
    own = {"online_topic": "d/{device}/state", "online_path": "$.state"}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish("d/d1/v", "3", retain=True)
        async with hearing(device(new_site(), port, "d1", point, **own)) as (ear,):
            await ear.until(lambda ear: ear.qualities() == [Quality.UNCERTAIN_STALE])
            will = aiomqtt.Will("d/d1/state", '{"state": "offline"}', qos=1, retain=True)
            async with aiomqtt.Client("127.0.0.1", port, will=will) as thing:
                await thing.publish("d/d1/state", '{"state": "online"}', qos=1)
                await thing.publish("d/d1/v", "4", qos=1)
                await ear.until(lambda ear: ear.qualities()[1:] == [Quality.GOOD])
                cable = thing._client.socket()
                assert cable is not None
                cable.close()  # cut: no farewell
                await ear.until(lambda ear: len(ear.samples) == 4)
                thing._disconnected.set_result(None)
            assert ear.qualities()[2:] == ear.qualities(1) == [Quality.BAD_SILENT]
        async with hearing(device(new_site(), port, "d1", point, **own)) as (ear,):
            # All that is retained says: offline; so an old value says nothing of now.
            await ear.until(lambda ear: Quality.BAD_SILENT in ear.qualities(1))
            await client.publish("d/d1/v", "5", qos=1)
            await ear.until(lambda ear: ear.values()[-1:] == [5.0])
            assert ear.qualities()[-1] == Quality.GOOD
            await client.publish("d/d1/state", "not JSON", qos=1)
            await client.publish("d/d1/v", "6", qos=1)
            await ear.until(lambda ear: ear.values()[-1:] == [6.0])
    assert not ear.errors


# ---- commands, probes


async def test_commands_are_published(tmp_path):
    valve = {
        "valve": {
            "topic": "v/1", "words": {"open": 1, "closed": 0}, "kind": "state",
            "command_topic": "v/{device}/set", "command": r'\{"state": "{word}"\}',
        }
    }  # fmt: skip
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("#")
        site = new_site()
        adapter, valves = air(port, site), device(site, port, "v1", valve)
        with pytest.raises(DeviceSilent, match="not connected"):
            await adapter.write(2, 1.0)
        async with hearing(adapter, valves) as (ear, _):
            await ear.connected()
            await adapter.write(2, 1.0)
            await valves.write(0, 0.0)
            said = [await anext(client.messages) for _ in range(2)]
            assert [(str(one.topic), one.payload) for one in said] == [
                ("air/27/fan/set", b"1"),
                ("v/v1/set", b'{"state": "closed"}'),
            ]
            with pytest.raises(DeviceRefused, match="no command_topic"):
                await adapter.write(0, 1.0)
            with pytest.raises(DeviceRefused, match=r"none of the point's words is 0\.5"):
                await valves.write(0, 0.5)


async def test_who_looks_sees_messages_with_their_topics(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        site, seen = new_site(), []
        site.taps.append(seen.append)
        adapter = air(port, site)
        async with hearing(adapter) as (ear,):
            await ear.connected()
            await client.publish("air/27/mode", "auto")
            await ear.until(lambda ear: ear.values(1))
            await adapter.write(2, 1.0)
    shown = [(one.line, one.device, f"{one.direction}", one.note, one.data) for one in seen]
    line = f"127.0.0.1:{port}"
    assert shown == [
        (line, "air", "rx", "air/27/mode", b"auto"),
        (line, "air", "tx", "air/27/fan/set", b"1"),
    ]


async def test_conformance(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        for topic, payload in (("27/state", STATE), ("27/mode", "auto"), ("27/fan", "1")):
            await client.publish(f"air/{topic}", payload, retain=True)
        adapter = air(port)
        report = await check_adapter(lambda: air(port), bound("air", POINTS))
        batch = report.batch
        assert len(batch)
        for capability in (Listens, Writes, Probes, Confirms):
            assert isinstance(adapter, capability)


async def test_a_probe_shows_bytes_and_leaves_the_session_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt, "PROBE_S", 1.0)
    kept = {"client_id": "gw-1", "session_s": 60}
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish("air/27/state", STATE, retain=True)
        async with hearing(air(port, **kept)) as (ear,):
            await ear.connected()
            probed = await air(port, **kept).probe()
            assert not ear.errors, "the running agent was thrown out"
        assert [(one.point, one.raw, one.value, one.quality) for one in probed[:1]] == [
            (0, STATE.encode(), 35.5, Quality.GOOD)
        ]
        assert probed[0].note == STATE, "what people can read is not in hexadecimal only"
        assert [(one.quality, one.note) for one in probed[1:]] == [
            (Quality.BAD_SILENT, "no message within 1 s")
        ] * 2
    nobody = await air(free_port()).probe()
    assert [(one.quality, one.note) for one in nobody] == [
        (Quality.BAD_SILENT, "Connection refused")
    ] * 3


async def test_a_full_dictionary_of_texts_ends_nothing(tmp_path):
    def full(text):
        raise StoreFull("no more texts")

    site = new_site()
    full_site = type(site)(site.clock, full)
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        async with hearing(air(port, full_site)) as (ear,):
            await ear.connected()
            await client.publish("air/27/mode", "auto", qos=1)
            await client.publish("air/27/fan", "1", qos=1)
            await ear.until(lambda ear: len(ear.samples) == 2)
    assert ear.qualities(1) == [Quality.BAD_OUT_OF_RANGE]
    assert not ear.errors


# ---- configuration


def test_what_the_guide_shows_is_a_configuration(tmp_path):
    guide = Path(__file__).parents[3] / "docs/guides/mqtt.md"
    shown = guide.read_text(encoding="utf-8").partition("```toml")[2].partition("```")[0]
    (tmp_path / "edge.toml").write_text(f'[gateway]\nname = "g"\n{shown}', encoding="utf-8")
    config = load(tmp_path / "edge.toml")
    assert [one.point.name for one in config.points] == ["pm25", "valve", "battery"]


def test_a_word_without_a_number_is_shown(tmp_path):
    (tmp_path / "edge.toml").write_text(
        '[gateway]\nname = "g"\n[[device]]\nname = "d"\nadapter = "mqtt"\nhost = "b"\n'
        '[[device.point]]\nname = "p"\ntopic = "t"\nwords = { open = 1, shut = "0" }\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "edge.toml")
    assert str(caught.value).endswith(
        'edge.toml:10: device "d", point "p", table "words": expected a table '
        '{ name = a number, … }, got { open = 1, shut = the text "0" }'
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"keep_alive_s": 60}, "differ in keep_alive_s; one connection has one set"),
        ({"version": "3.1.1", "connect_timeout_s": 1}, "differ in version, connect_timeout_s"),
    ],
)
def test_devices_of_one_broker_must_agree(settings, says):
    site = new_site()
    air(1883, site)
    with pytest.raises(ConfigError, match=rf"device air .*its user, but {says}"):
        air(1883, site, **settings)


def test_devices_of_one_client_id_must_agree_even_about_the_user():
    site = new_site()
    air(1883, site, client_id="gw-1", user="a")
    with pytest.raises(ConfigError, match='client_id "gw-1", but differ in user'):
        air(1883, site, client_id="gw-1", user="b")


def test_devices_of_different_users_have_their_own_connections():
    site = new_site()
    first, second = air(1883, site, user="a"), air(1883, site, user="b")
    third = air(1883, site, user="a", qos=0)
    assert first._line is third._line is not second._line


def test_a_point_that_does_not_fit_is_named():
    with pytest.raises(ConfigError, match="point g/d/p: words make numbers of texts"):
        device(new_site(), 1883, "d", {"p": {"topic": "t", "kind": Kind.TEXT, "words": {"a": 1}}})


async def test_closing_ends_a_listener_that_waits(tmp_path):
    async with mosquitto(tmp_path) as port:
        adapter = air(port)
        listening = asyncio.ensure_future(anext(aiter(adapter.listen()), None))
        await until(lambda: adapter._line.client is not None, "the line to be subscribed")
        await adapter.close()
        async with asyncio.timeout(10):
            assert await listening is None
        assert adapter._line.client is None


async def test_a_device_that_speaks_without_a_pause_is_told_of_in_handfuls(tmp_path):
    async with mosquitto(tmp_path) as port, aiomqtt.Client("127.0.0.1", port) as client:
        adapter = device(new_site(), port, "d", {"v": {"topic": "d/v"}})
        batches = []

        async def listen():
            async for batch in adapter.listen():
                batches.append(batch)

        listening = asyncio.create_task(listen())
        await until(lambda: adapter._line.client is not None, "the broker to be there")
        for number in range(300):
            await client.publish("d/v", str(number), qos=1)
        await until(lambda: sum(map(len, batches)) == 300, "every message to be told")
        values = [value for batch in batches for value in batch.value.tolist()]
        assert values == list(range(300)), "each once, in order"
        stamps = [time for batch in batches for time in batch.time_ns.tolist()]
        assert stamps == sorted(stamps)
        assert len(set(stamps)) > len(batches), "each has the time at which it came"
        await adapter.close()
        await listening


def test_that_a_device_is_gone_is_told_by_itself():
    settings = {"online_topic": "d/state", "offline": "off"}
    adapter = device(new_site(), 1, "d", {"v": {"topic": "d/v"}}, **settings)
    value, state = sorted(adapter._line._filters, reverse=True)
    assert (value, state) == ("d/v", "d/state")

    def heard(payload, mark, *, is_late=False):
        return Heard(Arrival("", payload, 5, is_late=is_late), (mark,))

    adapter._listener._lost = Lost(3, {0}, 4)
    handful = [heard(b"1", 0), heard(b"2", 0), heard(b"off", -1), heard(b"3", 0, is_late=True),
               heard(b"on", -1), heard(b"4", 0), heard(b"no number", 0)]  # fmt: skip
    told = list(adapter._told(handful))
    assert [batch.quality.tolist() for batch in told] == [
        [Quality.BAD_OVERFLOW, Quality.GOOD, Quality.GOOD], [Quality.BAD_SILENT],
        [Quality.BAD_SILENT], [Quality.GOOD, Quality.BAD_MALFORMED],
    ]  # fmt: skip
    assert [batch.time_ns.tolist() for batch in told] == [[4, 5, 5], [5], [5], [5, 5]]
    assert told[0].value.tolist()[1:] == [1, 2]
    assert told[-1].value.tolist()[0] == 4
    assert list(adapter._told([])) == []
