"""The crew: pollers come and go; one that ends by itself ends the agent."""

import asyncio

import pytest

from citytwin.testing import VirtualClock
from citytwin_edge.crew import Crew, part
from citytwin_edge.poller import Poller
from tests.edge.poller_fakes import FakePolled, spec_of


def test_who_is_dismissed_has_ended_and_the_others_go_on():
    clock = VirtualClock()
    adapters = [FakePolled() for _ in range(3)]

    async def play():
        pollers = [Poller(spec_of(adapter), clock, lambda _: None) for adapter in adapters]
        async with asyncio.TaskGroup() as group:
            crew = Crew(group)
            crew.engage(pollers[:2])
            await asyncio.sleep(1.5)
            await crew.dismiss([pollers[0], pollers[2]])
            assert adapters[0].at("close") == [1.5]
            crew.engage(pollers[2:])
            await asyncio.sleep(1)
            crew.end()

    clock.run(play())
    assert [adapter.reads for adapter in adapters] == [2, 3, 1]
    assert adapters[1].at("open") == [0.0]


async def test_a_part_that_ends_or_fails_says_so():
    async def ends():
        pass

    async def fails():
        raise LookupError("a mistake")

    with pytest.raises(RuntimeError, match="clock has ended by itself"):
        await part("clock", ends())
    with pytest.raises(LookupError):
        await part("clock", fails())
