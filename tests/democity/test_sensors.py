"""Sensors: what they publish arrives through a real broker, and looks like Almaty."""

import asyncio
import json
from random import Random

import aiomqtt
import pytest

from citytwin.clock import SystemClock
from democity.sensors import FREE_KMH, JAM_VEH_KM, SENSORS, publish, reading
from democity.truth import ALMATY_UTC_OFFSET_S, SECOND_NS
from tests.servers import free_port, mosquitto


def at(hour):
    """Return a moment at which it is that hour in Almaty."""
    return int((hour * 3600 - ALMATY_UTC_OFFSET_S + 86_400) * SECOND_NS)


def mean(kind, hour, name):
    sensor = next(one for one in SENSORS if one.kind == kind)
    random = Random(3)
    return sum(reading(sensor, at(hour), random)[name] for _ in range(50)) / 50


def test_air_is_worst_at_night_and_roads_are_full_twice_a_day():
    assert mean("air", 2, "pm25") > mean("air", 14, "pm25") + 40
    assert mean("air", 14, "temperature") > mean("air", 2, "temperature")
    for peak in (8.5, 18.5):
        assert mean("road", peak, "speed") < mean("road", 3, "speed") - 15
        assert mean("road", peak, "flow") > mean("road", 3, "flow") + 500


@pytest.mark.parametrize("hour", range(24))
def test_a_road_never_carries_more_than_its_law_allows(hour):
    random = Random(hour)
    for sensor in (one for one in SENSORS if one.kind == "road"):
        found = reading(sensor, at(hour), random)
        assert 0 <= found["speed"] <= FREE_KMH
        # Greenshields: the largest flow is a quarter of free speed times jam density.
        assert 0 <= found["flow"] <= FREE_KMH * JAM_VEH_KM / 4 + 1
        assert found["time"] == at(hour) // 1_000_000


async def collected(port, names):
    """Subscribe until a message of every sensor has come; return the last of each."""
    found = {}
    async with asyncio.timeout(30), aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("city/#")
        async for message in client.messages:
            found[str(message.topic)] = json.loads(message.payload)
            if set(found) >= names:
                return found
    raise AssertionError("the messages ended")


async def test_every_sensor_is_published_and_after_the_broker_was_away_again(tmp_path):
    port, names = free_port(), {f"city/{one.kind}/{one.name}" for one in SENSORS}
    assert len(names) >= 10
    publishing = asyncio.ensure_future(publish(port, SystemClock()))
    try:
        for _ in range(2):
            async with mosquitto(tmp_path, port=port):
                found = await collected(port, names)
                assert set(found) == names
                now_ms = SystemClock().now_ns() // 1_000_000
                assert all(abs(now_ms - one["time"]) < 60_000 for one in found.values())
    finally:
        publishing.cancel()
