"""A poller that comes to rest: what was asked for is emitted, nothing more is asked."""

import asyncio

import pytest

from citytwin.errors import DeviceRefused
from citytwin.testing import VirtualClock
from citytwin_edge import poller as module
from citytwin_edge.poller import Poller
from tests.edge.poller_fakes import FakePolled, spec_of


class Parting(FakePolled):
    def part(self):
        self.note("part")


def rested(adapter, after_s, scene=None):
    """Let a poller run so long, rest and end; return what it emitted when, and when it rested."""
    clock, heard = VirtualClock(), []

    async def play():
        loop = asyncio.get_running_loop()
        poller = Poller(spec_of(adapter), clock, lambda _: heard.append(round(loop.time(), 6)))
        task = asyncio.create_task(poller.run())
        await asyncio.sleep(after_s)
        await poller.rest()
        at = round(loop.time(), 6)
        if scene is not None:
            await scene(poller)
        await asyncio.sleep(5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        poller.part()
        return at

    return heard, clock.run(play())


def test_between_reads_it_rests_at_once():
    adapter = Parting()
    heard, at = rested(adapter, 2.5)
    assert (heard, at) == ([0.0, 1.0, 2.0], 2.5)
    assert adapter.calls[-2:] == [("close", 7.5), ("part", 7.5)]


def test_a_read_under_way_comes_to_its_end():
    adapter = FakePolled()

    async def slow(_n):
        await asyncio.sleep(0.7)
        return adapter.batch()

    adapter.script = slow
    heard, at = rested(adapter, 2.5)
    assert (heard, at) == ([0.7, 1.7, 2.7], 2.7)
    assert adapter.at("read") == [0.0, 1.0, 2.0]


def test_one_that_never_answers_is_not_waited_for_longer_than_the_limit(monkeypatch):
    monkeypatch.setattr(module, "REST_S_MAX", 3.0)
    adapter = FakePolled()

    async def never(_n):
        await asyncio.get_running_loop().create_future()
        return adapter.batch()

    adapter.script = never
    assert rested(adapter, 1.0) == ([], 4.0)


def test_no_command_reaches_a_device_that_rests():
    adapter = FakePolled()

    async def order(poller):
        with pytest.raises(DeviceRefused, match="being configured anew; order it again"):
            await poller.write(100, 1.0)

    rested(adapter, 1.5, order)
    assert not [name for name, _ in adapter.calls if name.startswith("write")]
