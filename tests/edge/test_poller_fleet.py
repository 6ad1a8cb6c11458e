"""Many pollers on real sockets: a slow or dead device never delays another."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from citytwin.adapter import Adapter
from citytwin.batch import SECOND_NS, Batch
from citytwin.clock import Clock, SystemClock
from citytwin.quality import Quality
from citytwin_edge.poller import Poller
from tests.edge.modbus_devices import (
    Peer,
    build,
    holding,
    mbap,
    new_site,
    plug,
    pty_line,
    registers,
    rtu,
)
from tests.edge.poller_fakes import spec_of
from tests.waiting import until

PERIOD_NS = SECOND_NS // 5
WINDOW_S = 4.0
LEAST = 0.95
"""Of the polls that the pace asks for: of twenty in the window, the first may not fall into it."""
BACKOFF = {"backoff_step_ns": 2 * PERIOD_NS, "backoff_max_ns": 60 * SECOND_NS}


class Fleet:
    """Many pollers at once, and how many polls of each were answered in a window of time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pollers: list[Poller] = []
        self.bad: list[set[int]] = []

    def add(self, adapter: Adapter, **more: Any) -> None:
        index = len(self.pollers)
        self.bad.append(set())

        def emit(batch: Batch) -> None:
            self.bad[index] |= set(batch.quality.tolist()) - {0}

        spec = spec_of(adapter, 1, period_ns=PERIOD_NS, **(BACKOFF | more))
        self.pollers.append(Poller(spec, self._clock, emit))

    async def ratios(self, window_s: float = WINDOW_S) -> list[float]:
        """Return for each the answered polls over those that its pace asks for."""
        tasks = [asyncio.create_task(poller.run()) for poller in self.pollers]
        await asyncio.sleep(window_s)
        counts = [poller.stats.answered for poller in self.pollers]
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [count / (window_s * SECOND_NS / PERIOD_NS) for count in counts]


async def test_one_of_fifty_that_answers_after_five_seconds_delays_nobody() -> None:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        await asyncio.sleep(5 if unit == 13 else 0)
        return [mbap(transaction, unit, registers(pdu))]

    fleet = Fleet(SystemClock())
    async with contextlib.AsyncExitStack() as stack:
        for unit in range(50):
            port = await stack.enter_async_context(Peer(respond).on_tcp())
            # It waits as long as it takes: the slow one is asked, and answers, all the time.
            settings = {"host": "127.0.0.1", "port": port, "unit": unit, "reply_timeout_s": 6.0}
            fleet.add(build(new_site(), holding(0), **settings))
        ratios = await fleet.ratios()
    assert ratios.pop(13) == 0
    assert min(ratios) >= LEAST
    assert not any(fleet.bad)


def dead_among_ten(framing: str) -> Peer:
    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        if unit == 4:
            return []
        answer = registers(pdu, unit)
        return [mbap(transaction, unit, answer) if framing == "tcp" else rtu(unit, answer)]

    return Peer(respond, framing=framing)


async def check_dead_unit(there: dict[str, Any]) -> None:
    site = new_site()
    fleet = Fleet(site.clock)
    for unit in range(1, 11):
        fleet.add(build(site, holding(0), unit=unit, reply_timeout_s=0.1, **there))
    ratios = await fleet.ratios()
    assert ratios.pop(3) == 0
    assert min(ratios) >= LEAST
    assert fleet.bad.pop(3) == {Quality.BAD_SILENT}
    assert not any(fleet.bad)
    assert 3 <= fleet.pollers[3].stats.polls <= 8, "it is still asked, less and less"


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_a_dead_unit_behind_one_endpoint_leaves_the_others_their_pace(
    framing: str,
) -> None:
    async with dead_among_ten(framing).on_tcp() as port:
        transport = "tcp" if framing == "tcp" else "rtu-over-tcp"
        await check_dead_unit({"transport": transport, "host": "127.0.0.1", "port": port})


async def test_a_dead_unit_on_a_serial_line_leaves_the_others_their_pace(
    tmp_path: Path,
) -> None:
    with pty_line() as line:
        async with dead_among_ten("rtu").on_pty(line.ends[1]):
            port = plug(line, tmp_path / "port")
            await check_dead_unit({"transport": "rtu", "serial": port, "baud": 115200})


async def test_a_unit_that_comes_back_is_at_full_pace() -> None:
    mute = [True]

    async def respond(transaction: int, unit: int, pdu: bytes) -> list[bytes]:
        return [] if mute[0] and unit == 1 else [mbap(transaction, unit, registers(pdu))]

    async with Peer(respond).on_tcp() as port:
        fleet = Fleet(SystemClock())
        there = {"host": "127.0.0.1", "port": port, "reply_timeout_s": 0.05}
        site = new_site()
        for unit in (1, 2):
            fleet.add(build(site, holding(0), unit=unit, **there))
        poller, neighbour = fleet.pollers
        task = asyncio.create_task(fleet.ratios(60))
        # A poller has no event for what it counts.
        await until(lambda: poller.stats.failures["silent"] >= 2, "two time-outs", 5)
        mute[0] = False
        await until(lambda: poller.stats.answered > 0, "an answer", 5)
        back, beside = poller.stats.answered, neighbour.stats.answered
        await until(lambda: neighbour.stats.answered >= beside + 10, "ten answers beside it", 30)
        assert poller.stats.answered - back >= 9
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
