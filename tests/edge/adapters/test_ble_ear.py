"""A BLE ear: bounded, and a trouble is told once."""

import asyncio
from typing import Any

import pytest

from citytwin.errors import DeviceSilent
from citytwin_edge.adapters.ble_ear import HEARD_MAX, TROUBLES_MAX, Ear, Heard


async def got(ear) -> Any:
    return await ear.get()


def heard(number):
    return Heard((), -60.0, number, number)


async def test_the_oldest_goes_when_too_much_waits():
    ear = Ear("A", frozenset())
    for number in range(HEARD_MAX + 7):
        ear.put(heard(number))
    assert (await got(ear)).time_ns == 7
    assert ear.lost() == 7
    assert ear.lost() == 0
    assert ear.in_all_lost == 7


async def test_a_trouble_is_told_once_after_what_had_come():
    ear = Ear("A", frozenset())
    ear.put(heard(1))
    ear.tell(DeviceSilent("off"))
    ear.tell(DeviceSilent("off"))
    assert (await got(ear)).time_ns == 1
    with pytest.raises(DeviceSilent, match="off"):
        await ear.get()
    ear.tell(DeviceSilent("off"))
    waiting = asyncio.create_task(ear.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    ear.well()
    ear.tell(DeviceSilent("off"))
    with pytest.raises(DeviceSilent):
        await waiting
    for number in range(2 * TROUBLES_MAX):
        ear.tell(DeviceSilent(f"off {number}"))
    assert len(ear._told) == TROUBLES_MAX


async def test_closing_ends_a_wait_and_opening_goes_on():
    ear = Ear("A", frozenset(), may_ask=False)
    waiting = asyncio.create_task(ear.get())
    await asyncio.sleep(0)
    ear.close()
    assert await waiting is None
    ear.open()
    ear.put(heard(3))
    assert (await got(ear)).time_ns == 3
