"""Subscribers are told of every change, whatever fails meanwhile."""

import asyncio
import contextlib
import random

import pytest

from citytwin.batch import SECOND_NS
from citytwin.testing import VirtualClock
from citytwin_hub.entities import mailbox
from citytwin_hub.entities.subscriptions import Trigger
from tests.hub.entities.samples import entity, prop
from tests.hub.entities.subscribing import Receiver, subscription, tenant
from tests.waiting import cancelled

TANK = entity(1, level=prop(1))


@contextlib.asynccontextmanager
async def running(city):
    """Run the notifier of a tenant; when this is left it stops as a hub does."""
    task = asyncio.create_task(city.notifier.run())
    await asyncio.sleep(0.001)
    try:
        yield city
    finally:
        await cancelled(task)


@pytest.fixture
def clock():
    return VirtualClock(10**18)


@pytest.fixture
def receiver():
    return Receiver()


def in_city(folder, clock, receiver, play):
    """Play something in a tenant whose notifier runs."""

    async def main():
        with tenant(folder, clock, receiver.deliver) as city:
            async with running(city):
                return await play(city)

    return clock.run(main())


def test_a_subscriber_is_told_of_what_he_subscribed_to(tmp_path, clock, receiver):
    async def play(city):
        city.subscribers.create(subscription())
        city.entities.create(TANK)
        city.entities.create(entity(1, "Pump", level=prop(7)))
        city.update(TANK.id, level=prop(2))
        await asyncio.sleep(0.1)
        progress = city.subscribers.get(subscription().id).progress
        assert (progress.times_sent, progress.times_failed) == (2, 0)
        assert progress.last_success_ns is not None
        assert city.notifier.lag(subscription().id).records == 0

    in_city(tmp_path, clock, receiver, play)
    assert receiver.told() == [(TANK.id, 1), (TANK.id, 2)]


def test_what_was_before_the_subscription_is_not_told(tmp_path, clock, receiver):
    async def play(city):
        city.entities.create(TANK)
        city.subscribers.create(subscription())
        await asyncio.sleep(10)

    in_city(tmp_path, clock, receiver, play)
    assert receiver.told() == []


def test_one_write_is_one_notification(tmp_path, clock, receiver):
    async def play(city):
        city.subscribers.create(subscription())
        with city.entities.batch() as batch:
            for number in range(5):
                batch.create(entity(number, level=prop(number)))
        await asyncio.sleep(0.1)

    in_city(tmp_path, clock, receiver, play)
    assert len(receiver.notices) == 1
    assert len(receiver.told()) == 5


def test_a_receiver_that_fails_is_tried_again_and_gets_everything(tmp_path, clock, receiver):
    async def play(city):
        receiver.down = True
        city.subscribers.create(subscription())
        city.entities.create(TANK)
        for level in range(2, 5):
            city.update(TANK.id, level=prop(level))
        await asyncio.sleep(100)
        progress = city.subscribers.get(subscription().id).progress
        assert progress.failure == "nobody is there"
        assert progress.times_failed == receiver.tried > 3
        lag = city.notifier.lag(subscription().id)
        assert (lag.pending, lag.records) == (4, city.replay.head())
        assert lag.since_ns is not None
        tried = receiver.tried
        await asyncio.sleep(3600)
        assert 10 < receiver.tried - tried < 20, "once in five minutes"
        receiver.down = False
        await asyncio.sleep(mailbox.BACKOFF_S_MAX)
        assert city.subscribers.get(subscription().id).progress.failure == ""

    in_city(tmp_path, clock, receiver, play)
    assert receiver.told() == [(TANK.id, level) for level in range(1, 5)]


def test_what_does_not_fit_waits_in_the_evolution(tmp_path, clock, receiver, monkeypatch):
    monkeypatch.setattr(mailbox, "PENDING_MAX", 10)

    async def play(city):
        receiver.down = True
        city.subscribers.create(subscription())
        for number in range(50):
            clock.advance(1_000)
            city.entities.create(entity(number, level=prop(number)))
        await asyncio.sleep(2)
        lag = city.notifier.lag(subscription().id)
        assert (lag.pending, lag.records) == (0, city.replay.head())
        receiver.down = False
        await asyncio.sleep(mailbox.BACKOFF_S_MAX)
        city.update(entity(7).id, level=prop(700))
        await asyncio.sleep(1)
        assert city.notifier.lag(subscription().id).records == 0

    in_city(tmp_path, clock, receiver, play)
    assert sorted(receiver.told()) == sorted(
        [*((entity(number).id, number) for number in range(50)), (entity(7).id, 700)]
    )


def test_after_a_restart_it_goes_on_where_it_was(tmp_path, clock, receiver):
    async def before(city):
        city.subscribers.create(subscription())
        city.entities.create(TANK)
        await asyncio.sleep(5)
        receiver.down = True
        city.update(TANK.id, level=prop(2))
        await asyncio.sleep(5)

    async def after(city):
        await asyncio.sleep(1)

    in_city(tmp_path, clock, receiver, before)
    receiver.down = False
    with tenant(tmp_path, clock, receiver.deliver) as city:
        city.update(TANK.id, level=prop(3))  # written while nobody told anybody
    in_city(tmp_path, clock, receiver, after)
    assert receiver.told() == [(TANK.id, 1), (TANK.id, 3)]
    in_city(tmp_path, clock, receiver, after)
    assert len(receiver.told()) == 2


def test_throttling_brings_the_latest_when_its_time_has_come(tmp_path, clock, receiver):
    async def play(city):
        city.subscribers.create(subscription(throttling_s=30))
        city.entities.create(TANK)
        await asyncio.sleep(1)
        for level in range(2, 20):
            city.update(TANK.id, level=prop(level))
        await asyncio.sleep(20)
        assert receiver.told() == [(TANK.id, 1)]
        await asyncio.sleep(20)

    in_city(tmp_path, clock, receiver, play)
    assert receiver.told() == [(TANK.id, 1), (TANK.id, 19)]
    change = receiver.notices[-1][1].changes[0]
    assert change.before.attributes == receiver.notices[0][1].changes[0].after.attributes


def test_by_the_clock_comes_what_there_is(tmp_path, clock, receiver):
    async def play(city):
        city.entities.create(TANK)
        city.entities.create(entity(1, "Pump", level=prop(7)))
        city.subscribers.create(subscription(interval_s=10))
        await asyncio.sleep(25)
        assert receiver.told() == [(TANK.id, 1)] * 2
        city.subscribers.update(subscription().id, lambda one: subscription(is_active=False))
        await asyncio.sleep(100)

    in_city(tmp_path, clock, receiver, play)
    assert len(receiver.told()) == 2


def test_while_it_is_paused_nothing_is_told_nor_afterwards(tmp_path, clock, receiver):
    async def play(city):
        city.subscribers.create(subscription(is_active=False))
        city.entities.create(TANK)
        await asyncio.sleep(5)
        city.subscribers.update(subscription().id, lambda _: subscription(is_active=True))
        city.update(TANK.id, level=prop(2))
        await asyncio.sleep(5)

    in_city(tmp_path, clock, receiver, play)
    assert receiver.told() == [(TANK.id, 2)]


def test_paused_while_its_receiver_is_away_it_forgets_what_waited(tmp_path, clock, receiver):
    async def play(city):
        receiver.down = True
        city.subscribers.create(subscription())
        city.entities.create(TANK)
        await asyncio.sleep(5)
        city.subscribers.update(subscription().id, lambda _: subscription(is_active=False))
        receiver.down = False
        await asyncio.sleep(5)
        city.subscribers.update(subscription().id, lambda _: subscription())
        await asyncio.sleep(5)

    in_city(tmp_path, clock, receiver, play)
    assert receiver.told() == []


def test_an_expired_and_a_deleted_one_are_told_nothing(tmp_path, clock, receiver):
    async def play(city):
        city.subscribers.create(subscription(1, expires_ns=clock.now_ns() + 5 * SECOND_NS))
        city.subscribers.create(subscription(2))
        await asyncio.sleep(6)
        city.subscribers.delete(subscription(2).id)
        city.entities.create(TANK)
        await asyncio.sleep(5)

    in_city(tmp_path, clock, receiver, play)
    assert receiver.told() == []


def test_a_subscriber_can_be_told_again_from_a_record_on(tmp_path, clock, receiver):
    async def play(city):
        city.subscribers.create(subscription())
        city.entities.create(TANK)
        await asyncio.sleep(1)
        start = city.replay.head()
        clock.advance(1_000)
        city.entities.create(entity(2, level=prop(2)))
        await asyncio.sleep(1)
        receiver.notices.clear()
        city.subscribers.rewind(subscription().id, start)
        await asyncio.sleep(1)

    in_city(tmp_path, clock, receiver, play)
    assert receiver.told() == [(entity(2).id, 2)]


def test_a_deletion_is_told_with_what_was_there(tmp_path, clock, receiver):
    async def play(city):
        city.subscribers.create(subscription(triggers=(Trigger.ENTITY_DELETED,)))
        city.entities.create(TANK)
        city.entities.delete(TANK.id)
        await asyncio.sleep(1)

    in_city(tmp_path, clock, receiver, play)
    ((_, notice),) = receiver.notices
    assert notice.changes[0].after is None
    assert notice.changes[0].before.id == TANK.id


@pytest.mark.parametrize("seed", range(6))
def test_whatever_fails_everybody_knows_the_last_state_in_the_end(
    tmp_path, clock, receiver, seed, monkeypatch
):
    monkeypatch.setattr(mailbox, "PENDING_MAX", 5)
    chance = random.Random(seed)
    values = {}

    async def play(city):
        for step in range(40):
            receiver.down = chance.random() < 0.4
            one = entity(chance.randrange(6), level=prop((seed, step)))
            clock.advance(1_000)
            with city.entities.batch() as batch:
                batch.upsert(one, update=True)
            values[one.id] = [seed, step]
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 20)

    async def finish(city):
        receiver.down = False
        await asyncio.sleep(2 * mailbox.BACKOFF_S_MAX)
        assert city.notifier.lag(subscription().id).records == 0

    async def begin(city):
        city.subscribers.create(subscription())

    in_city(tmp_path, clock, receiver, begin)
    for _ in range(3):
        in_city(tmp_path, clock, receiver, play)
    in_city(tmp_path, clock, receiver, finish)
    last = {entity_id: list(value) for entity_id, value in receiver.told()}
    assert last == values
