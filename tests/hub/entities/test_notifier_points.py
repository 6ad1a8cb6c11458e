"""Subscribers are told of what points give, whatever fails meanwhile."""

import asyncio

import pytest

from citytwin.batch import SECOND_NS
from citytwin.testing import VirtualClock
from citytwin_hub.entities import mailbox
from tests.hub.entities.measuring import measuring, point
from tests.hub.entities.samples import entity, name, prop
from tests.hub.entities.subscribing import Receiver, subscription, tenant
from tests.hub.entities.test_notifier import running

TANK = entity(1, volume=prop(1))


@pytest.fixture
def clock():
    return VirtualClock(10**18)


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def points(tmp_path):
    with measuring(tmp_path) as opened:
        (opened.of,) = opened.bind(point(1, feeds=TANK.id))
        yield opened


def in_city(folder, clock, receiver, points, play):
    """Play something in a tenant whose notifier runs; the next one is the hub after a restart."""

    async def main():
        with tenant(folder, clock, receiver.deliver, points) as city:
            async with running(city):
                return await play(city)

    return clock.run(main())


def give(points, clock, value, *, row=None):
    clock.advance(1_000)
    points.give(points.of if row is None else row, clock.now_ns(), value)


def test_a_subscriber_is_told_of_what_a_point_gives(tmp_path, clock, receiver, points):
    async def play(city):
        city.entities.create(TANK)
        give(points, clock, 0.5)
        await asyncio.sleep(1)
        city.subscribers.create(subscription(watched=(name("level"),)))
        city.subscribers.create(subscription(2, kind="Pump"))
        for value in (1.0, 2.0):
            give(points, clock, value)
            await asyncio.sleep(1)

    in_city(tmp_path, clock, receiver, points, play)
    assert receiver.told() == [(TANK.id, 1), (TANK.id, 2)]
    (_, first), _ = receiver.notices
    assert first.changes[0].before.attribute(name("level")).value == 0.5


def test_a_query_over_what_points_give_decides(tmp_path, clock, receiver, points):
    async def play(city):
        city.entities.create(TANK)
        terms = {"level": name("level")}
        city.subscribers.create(subscription(q="level>10", terms=terms))
        for value in (9.0, 11.0, 8.0):
            give(points, clock, value)
            await asyncio.sleep(1)
        city.update(TANK.id, volume=prop(2))  # not above ten any more
        await asyncio.sleep(1)
        give(points, clock, 12.0)
        await asyncio.sleep(1)
        city.update(TANK.id, volume=prop(3))
        await asyncio.sleep(1)

    in_city(tmp_path, clock, receiver, points, play)
    assert receiver.told() == [(TANK.id, 11), (TANK.id, 12), (TANK.id, 12)]
    assert receiver.told("volume") == [(TANK.id, 1), (TANK.id, 2), (TANK.id, 3)]


def test_who_was_away_is_told_the_newest(tmp_path, clock, receiver, points):
    async def play(city):
        city.entities.create(TANK)
        city.subscribers.create(subscription())
        receiver.down = True
        for value in (1.0, 2.0, 3.0):
            give(points, clock, value)
            await asyncio.sleep(20)
        lag = city.notifier.lag(subscription().id)
        assert lag.since_ns is not None
        receiver.down = False
        await asyncio.sleep(400)
        assert city.notifier.lag(subscription().id).since_ns is None

    in_city(tmp_path, clock, receiver, points, play)
    assert receiver.told() == [(TANK.id, 3)]


def test_a_stopped_hub_tells_what_it_had_not(tmp_path, clock, receiver, points):
    async def fails(city):
        city.entities.create(TANK)
        city.subscribers.create(subscription())
        receiver.down = True
        give(points, clock, 1.0)
        await asyncio.sleep(5)

    async def nothing(_city):
        await asyncio.sleep(400)

    in_city(tmp_path, clock, receiver, points, fails)
    receiver.down = False
    in_city(tmp_path, clock, receiver, points, nothing)
    assert receiver.told() == [(TANK.id, 1)]
    give(points, clock, 2.0)  # while the hub is down: its journal brings it to the twin
    in_city(tmp_path, clock, receiver, points, nothing)
    in_city(tmp_path, clock, receiver, points, nothing)
    assert receiver.told() == [(TANK.id, 1), (TANK.id, 2)]


def test_more_than_a_mailbox_holds_is_told_all_the_same(
    tmp_path, clock, receiver, points, monkeypatch
):
    monkeypatch.setattr(mailbox, "PENDING_MAX", 3)
    tanks = [entity(number, volume=prop(1)) for number in range(20, 28)]
    rows = points.bind(*(point(20 + at, feeds=one.id) for at, one in enumerate(tanks)))

    async def play(city):
        for one in tanks:
            city.entities.create(one)
        city.subscribers.create(subscription())
        await asyncio.sleep(1)
        receiver.down = True
        for number, row in enumerate(rows):
            give(points, clock, float(number), row=row)
        await asyncio.sleep(5)
        receiver.down = False
        await asyncio.sleep(400)

    in_city(tmp_path, clock, receiver, points, play)
    assert sorted(receiver.told()) == [(one.id, at) for at, one in enumerate(tanks)]


def test_who_is_paused_or_wants_the_clock_is_not_told_of_samples(tmp_path, clock, receiver, points):
    async def play(city):
        city.entities.create(TANK)
        city.subscribers.create(subscription(is_active=False))
        city.subscribers.create(subscription(2, interval_s=10.0))
        for value in (1.0, 2.0):
            give(points, clock, value)
            await asyncio.sleep(6)

    in_city(tmp_path, clock, receiver, points, play)
    assert receiver.told() == [(TANK.id, 2)]


def test_throttling_holds_for_samples_too(tmp_path, clock, receiver, points):
    async def play(city):
        city.entities.create(TANK)
        city.subscribers.create(subscription(throttling_s=60.0))
        began_ns = clock.now_ns()
        for value in range(120):
            give(points, clock, float(value))
            await asyncio.sleep(1)
        assert clock.now_ns() - began_ns < 125 * SECOND_NS
        await asyncio.sleep(61)

    in_city(tmp_path, clock, receiver, points, play)
    values = [value for _, value in receiver.told()]
    assert values[0] == 0
    assert values[-1] == 119
    assert len(values) in {3, 4}
