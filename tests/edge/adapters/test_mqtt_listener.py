"""A listener: bounded in messages and bytes, counts what it loses, tells each trouble once."""

import asyncio

import pytest

from citytwin.errors import DeviceRefused, DeviceSilent
from citytwin_edge.adapters.mqtt_listener import (
    QUEUE_BYTES_MAX,
    QUEUE_MAX,
    TROUBLES_MAX,
    Arrival,
    Heard,
    Listener,
)


def heard(number, payload=b"", marks=(0,)):
    return Heard(Arrival("t", payload, number, False, message_id=number, owed=1), marks)


def quiet():
    return Listener("d", lambda: None)


async def test_messages_come_in_order():
    listener = quiet()
    waiting = asyncio.ensure_future(listener.get())
    await asyncio.sleep(0)
    for number in (1, 2):
        listener.put(heard(number))
    first, second = await waiting, await listener.get()
    assert first is not None
    assert second is not None
    assert (first.arrival.time_ns, second.arrival.time_ns) == (1, 2)
    assert listener.lost() is None


async def test_when_too_many_wait_the_oldest_go_counted():
    listener = quiet()
    messages = [heard(number, marks=(number % 3,)) for number in range(1, QUEUE_MAX + 6)]
    for message in messages:
        listener.put(message)
    lost = listener.lost()
    assert lost is not None
    assert (lost.messages, lost.marks, lost.time_ns) == (5, {0, 1, 2}, 5)
    assert [one.arrival.owed for one in messages[:6]] == [0, 0, 0, 0, 0, 1]
    assert (listener.in_all_lost, listener.lost()) == (5, None)
    first = await listener.get()
    assert first is not None
    assert first.arrival.time_ns == 6


async def test_large_messages_count_by_their_bytes():
    listener = quiet()
    large = b"x" * (QUEUE_BYTES_MAX // 4)
    for number in range(1, 7):
        listener.put(heard(number, large))
    lost = listener.lost()
    assert lost is not None
    assert lost.messages == 2
    for _ in range(4):
        await listener.get()
    for number in range(4):
        listener.put(heard(number, large))
    assert listener.lost() is None, "what was taken no longer counts"


async def test_trouble_is_told_once_after_what_had_come():
    listener = quiet()
    listener.put(heard(1))
    listener.tell(DeviceSilent("gone"))
    assert await listener.get() is not None
    with pytest.raises(DeviceSilent, match="gone"):
        await listener.get()
    listener.tell(DeviceSilent("gone"))
    listener.tell(DeviceRefused("no"))
    with pytest.raises(DeviceRefused):
        await listener.get()
    listener.tell(DeviceSilent("gone"))
    waiting = asyncio.ensure_future(listener.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    listener.well()
    listener.tell(DeviceSilent("gone"))
    with pytest.raises(DeviceSilent):
        await waiting


async def test_troubles_that_never_end_are_not_told_for_ever():
    listener, told = quiet(), 0
    for number in range(3 * TROUBLES_MAX):
        listener.tell(DeviceSilent(f"trouble {number}"))
        if listener._trouble is not None:
            with pytest.raises(DeviceSilent, match=f"trouble {number}"):
                await listener.get()
            told += 1
    assert told == TROUBLES_MAX


async def test_a_closed_listener_gives_what_came_and_ends():
    listener = quiet()
    waiting = asyncio.ensure_future(listener.get())
    await asyncio.sleep(0)
    listener.close()
    assert await waiting is None
    listener.put(heard(1))
    assert await listener.get() is not None
    assert await listener.get() is None


def test_confirmations_cover_those_before_them():
    settled: list[int] = []
    listener = Listener("d", lambda: settled.append(1))
    arrivals = [heard(number).arrival for number in range(1, 5)]
    assert listener.confirmation() is None
    listener.taken(arrivals[0])
    listener.taken(arrivals[1])
    first = listener.confirmation()
    listener.taken(arrivals[2])
    second = listener.confirmation()
    listener.taken(arrivals[3])
    assert first is not None
    assert second is not None
    second()
    assert [one.owed for one in arrivals] == [0, 0, 0, 1]
    first()
    assert [one.owed for one in arrivals] == [0, 0, 0, 1], "a later one has said it already"
    assert settled == [1, 1]
    assert listener.confirmation() is not None
    listener.taken(Arrival("t", b"", 9, False))
    assert len(listener._taken) == 1, "no receipt is owed for it"
