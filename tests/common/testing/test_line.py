"""Lines in process: order, bounds and closing; faults that are counted and can be repeated."""

import asyncio
from random import Random

import pytest

from citytwin.errors import LineClosed
from citytwin.testing import Faults, FaultyLink, NullLine, VirtualClock


async def test_frames_arrive_in_order_and_survive_the_closing():
    here, there = NullLine.pair()
    await here.send(b"1")
    await here.send(b"2")
    await here.close()
    assert [await there.receive(), await there.receive()] == [b"1", b"2"]
    with pytest.raises(LineClosed):
        await there.receive()
    with pytest.raises(LineClosed):
        await there.send(b"3")


async def test_a_full_line_waits_for_its_reader():
    here, there = NullLine.pair(frames_max=1)
    await here.send(b"1")
    blocked = asyncio.ensure_future(here.send(b"2"))
    await asyncio.sleep(0)
    assert not blocked.done()
    assert await there.receive() == b"1"
    await blocked
    assert await there.receive() == b"2"


async def test_closing_wakes_both_sides():
    here, there = NullLine.pair(frames_max=1)
    await here.send(b"1")
    waiting = [asyncio.ensure_future(here.send(b"2")), asyncio.ensure_future(here.receive())]
    await asyncio.sleep(0)
    await there.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [LineClosed, LineClosed]


def run_link(seed, faults, frames=200):
    """Send frames through a faulty link until it breaks; return what arrived and the counts."""
    arrived = []
    clock = VirtualClock()

    async def main():
        here, there = NullLine.pair()
        link = FaultyLink(here, faults, Random(seed))

        async def read():
            try:
                while True:
                    arrived.append(await there.receive())
            except LineClosed:
                return

        reader = asyncio.ensure_future(read())
        try:
            for number in range(frames):
                await link.send(number.to_bytes(2, "big"))
            await link.receive()
        except LineClosed:
            pass
        await link.close()
        await reader
        return link.counts

    return arrived, clock.run(asyncio.wait_for(main(), 1000))


def test_a_cut_loses_a_tail_and_nothing_else():
    arrived, counts = run_link(1, Faults(cut=0.02, delay_s_max=0.1))
    assert 0 < len(arrived) < 200
    assert counts["cut"] == 1
    assert arrived == [number.to_bytes(2, "big") for number in range(len(arrived))]
    assert run_link(1, Faults(cut=0.02, delay_s_max=0.1))[0] == arrived


def test_a_stall_swallows_and_then_breaks():
    arrived, counts = run_link(2, Faults(stall=0.05, stall_s=30))
    assert counts["stalled"] == 1
    assert len(arrived) < 200
    assert counts["frames"] == 200


def test_mutation_changes_one_byte():
    here, there = NullLine.pair()
    link = FaultyLink(here, Faults(mutate=1.0), Random(3))

    async def main():
        await link.send(b"abcd")
        return await there.receive()

    seen = VirtualClock().run(main())
    assert sum(a != b for a, b in zip(seen, b"abcd", strict=True)) == 1
