"""A bounded queue: who is slow loses the oldest and is told how many."""

import asyncio

from citytwin_edge.console.backlog import Backlog


async def test_everything_comes_in_order_to_whoever_keeps_up():
    backlog = Backlog[int](3)
    taking = asyncio.ensure_future(backlog.take())
    await asyncio.sleep(0)
    assert not taking.done()
    backlog.put(1)
    backlog.put(2)
    assert await taking == ([1, 2], 0)
    backlog.put(3)
    assert await backlog.take() == ([3], 0)


async def test_the_oldest_go_and_are_counted_once():
    backlog = Backlog[int](3)
    for number in range(10):
        backlog.put(number)
    assert await backlog.take() == ([7, 8, 9], 7)
    backlog.put(10)
    assert await backlog.take() == ([10], 0)
