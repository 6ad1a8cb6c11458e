"""Devices that come, change and go while a line to a real mosquitto lives."""

import asyncio

import aiomqtt

from citytwin import Quality
from tests.edge.mqtt_devices import PATIENCE_S, device, hearing, new_site
from tests.servers import broker
from tests.waiting import until

KEPT = {"client_id": "gw-1", "session_s": 3600}
COMMON = {"v": {"topic": "common/v"}}
OWN = {"v": {"topic": "{device}/v"}, "w": {"topic": "common/v"}}


async def publish(client, *pairs, retain=False):
    for topic, payload in pairs:
        await client.publish(topic, payload, qos=1, retain=retain)


async def test_one_that_joins_a_living_line_hears_what_was_kept_and_the_others_do_not(tmp_path):
    site = new_site()
    async with broker(tmp_path) as running, aiomqtt.Client("127.0.0.1", running.port) as client:
        await publish(client, ("common/v", "1"), ("d2/v", "2"), retain=True)
        first = device(site, running.port, "d1", COMMON, client_id="gw-1")
        async with hearing(first) as (ear,):
            await ear.until(lambda ear: ear.samples)
            second = device(site, running.port, "d2", OWN, client_id="gw-1")
            async with hearing(second) as (late,):
                await late.until(lambda ear: len(ear.samples) == 2)
                assert late.values(0) + late.values(1) == [2.0, 1.0]
                assert set(late.qualities()) == {Quality.UNCERTAIN_STALE}
                await publish(client, ("common/v", "3"))
                await late.until(lambda ear: ear.values(1)[-1:] == [3.0])
                await ear.until(lambda ear: ear.values()[-1:] == [3.0])
                assert ear.values() == [1.0, 3.0], "it was not told again what it knew"
            second.part()
            topics = set(first._line._filters)
            assert topics == {"common/v"}
            await publish(client, ("d2/v", "4"), ("common/v", "5"))
            await ear.until(lambda ear: ear.values()[-1:] == [5.0])
        assert running.clients().count("gw-1") == 1, "one connection all the time"
        await until(
            lambda: "gw-1 d2/v" in running.log.read_text().partition("UNSUB")[2],
            "the broker to be told that d2 is gone",
        )


async def test_a_device_that_is_built_anew_takes_over_without_losing_a_message(tmp_path):
    site = new_site()
    async with broker(tmp_path) as running, aiomqtt.Client("127.0.0.1", running.port) as client:
        lives, heard = 0, []
        other = device(site, running.port, "d0", {"v": {"topic": "d0/v"}}, **KEPT)
        async with hearing(other) as (steady,):
            await steady.connected()
            present = device(site, running.port, "d1", {"v": {"topic": "{device}/v"}}, **KEPT)
            messages = [(f"d{n % 2}/v", str(n // 2)) for n in range(2000)]
            async with hearing(present):
                await until(lambda: "d1/v (QoS" in running.log.read_text(), "d1 to be asked for")

            async def publish_all():
                """Publish some during each life, so that none ends after the last message."""
                for begin in range(0, len(messages), 500):
                    slices = begin // 500
                    await until(lambda slices=slices: lives >= slices, "a successor")
                    await publish(client, *messages[begin : begin + 500])

            publishing = asyncio.create_task(publish_all())
            while not publishing.done():
                async with hearing(present) as (ear,):
                    await ear.until(lambda ear: len(ear.samples) >= 50 or publishing.done())
                    # Built while the one before listens, as the gateway does.
                    lives += 1
                    following = device(
                        site, running.port, "d1", {"v": {"topic": "{device}/v"}}, **KEPT
                    )
                heard += ear.values()
                present.part()
                present = following
            async with hearing(present) as (ear,):
                async with asyncio.timeout(PATIENCE_S):
                    while len(heard) + len(ear.samples) < 1000:
                        await asyncio.sleep(0.02)
                heard += ear.values()
                await until(lambda: not other._line._owing, "every receipt")
            await steady.until(lambda ear: len(ear.samples) == 1000)
        assert lives > 2
        assert heard == [float(n) for n in range(1000)]
        assert steady.values() == [float(n) for n in range(1000)]


async def test_one_that_is_given_up_before_it_listened_leaves_nothing(tmp_path):
    site = new_site()
    async with broker(tmp_path) as running, aiomqtt.Client("127.0.0.1", running.port) as client:
        first = device(site, running.port, "d1", COMMON, **KEPT)
        async with hearing(first) as (ear,):
            await ear.connected()
            device(site, running.port, "d2", OWN, **KEPT).part()
            await publish(client, *(("common/v", str(n)) for n in range(20)))
            await ear.until(lambda ear: len(ear.samples) == 20)
            await until(lambda: not first._line._owing, "every receipt")
            assert len(first._line._listeners) == 1
