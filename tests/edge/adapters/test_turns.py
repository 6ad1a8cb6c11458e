"""Turns on a shared line, on a virtual clock: order, cancellation, the allowance of the silent."""

from __future__ import annotations

import asyncio

import pytest

from citytwin.testing import VirtualClock
from citytwin_edge.adapters.turns import Rank, Turns, Unit, has_living


class Line:
    """Serves requests one at a time and writes down who was served when."""

    def __init__(self, *, contended: bool = True) -> None:
        self.contended = contended
        self.turns = Turns(lambda: self.contended)
        self.served: list[tuple[str, float]] = []

    async def use(self, name: str, rank: Rank, for_s: float = 0.0, *, wasted: bool = False) -> None:
        await self.turns.take(rank)
        self.served.append((name, round(asyncio.get_running_loop().time(), 3)))
        try:
            await asyncio.sleep(for_s)
        finally:
            self.turns.give_back(wasted_s=for_s if wasted else 0.0)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.served]


def test_commands_first_then_polls_in_order() -> None:
    async def scene() -> list[str]:
        line = Line()
        async with asyncio.TaskGroup() as group:
            group.create_task(line.use("holder", Rank.POLL, 1))
            await asyncio.sleep(0.1)
            for name in ("a", "b", "c"):
                group.create_task(line.use(name, Rank.POLL, 1))
            await asyncio.sleep(0.1)
            group.create_task(line.use("command", Rank.COMMAND, 1))
        return line.names

    assert VirtualClock().run(scene()) == ["holder", "command", "a", "b", "c"]


def test_a_saturated_line_gives_each_its_share() -> None:
    async def scene() -> dict[str, int]:
        line = Line()

        async def greedy(name: str) -> None:
            while True:
                await line.use(name, Rank.POLL, 0.1)

        tasks = [asyncio.create_task(greedy(name)) for name in "abcde"]
        await asyncio.sleep(100)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return {name: line.names.count(name) for name in "abcde"}

    counts = VirtualClock().run(scene())
    assert max(counts.values()) - min(counts.values()) <= 1
    assert sum(counts.values()) >= 999


@pytest.mark.parametrize("dead", [1, 5, 50])
def test_however_many_are_dead_the_living_keep_nine_tenths(dead: int) -> None:
    async def scene() -> tuple[int, int]:
        line = Line()

        async def living() -> None:
            while True:
                await line.use("living", Rank.POLL, 0.1)

        async def silent() -> None:
            while True:
                await line.use("silent", Rank.SILENT, 0.5, wasted=True)

        tasks = [asyncio.create_task(living())]
        tasks += [asyncio.create_task(silent()) for _ in range(dead)]
        await asyncio.sleep(1000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return line.names.count("living"), line.names.count("silent")

    living, silent = VirtualClock().run(scene())
    assert living >= 0.89 * 10_000
    assert 180 <= silent <= 210, "they are not given up either"


def test_without_living_units_nobody_waits() -> None:
    async def scene() -> list[tuple[str, float]]:
        line = Line(contended=False)
        for _ in range(4):
            await line.use("silent", Rank.SILENT, 5, wasted=True)
        return line.served

    assert [when for _, when in VirtualClock().run(scene())] == [0, 5, 10, 15]


def test_a_silent_unit_waits_for_its_allowance_on_an_idle_line() -> None:
    async def scene() -> list[float]:
        line = Line()
        await line.use("silent", Rank.SILENT, 3, wasted=True)
        await line.use("silent", Rank.SILENT)
        return [when for _, when in line.served]

    # Of the 3 s it had saved up 0.5; the rest is earned back in 25 s.
    assert VirtualClock().run(scene()) == pytest.approx([0, 28], abs=0.1)


def test_a_cancelled_wait_leaves_no_trace() -> None:
    async def scene() -> tuple[list[str], int]:
        line = Line()
        holder = asyncio.create_task(line.use("holder", Rank.POLL, 1))
        await asyncio.sleep(0.1)
        quitter = asyncio.create_task(line.use("quitter", Rank.POLL))
        heir = asyncio.create_task(line.use("heir", Rank.POLL))
        await asyncio.sleep(0.1)
        quitter.cancel()
        await asyncio.gather(holder, heir)
        # Cancelled in the very moment in which the turn was granted.
        await line.turns.take(Rank.POLL)
        unlucky = asyncio.create_task(line.use("unlucky", Rank.POLL))
        heir = asyncio.create_task(line.use("last", Rank.POLL))
        await asyncio.sleep(0.1)
        line.turns.give_back()
        unlucky.cancel()
        await heir
        await asyncio.gather(quitter, unlucky, return_exceptions=True)
        return line.names, line.turns.waiting

    assert VirtualClock().run(scene()) == (["holder", "heir", "last"], 0)


def test_closing_stops_the_timer_only() -> None:
    async def scene() -> list[str]:
        line = Line()
        await line.use("silent", Rank.SILENT, 10, wasted=True)
        waiting = asyncio.create_task(line.use("silent", Rank.SILENT))
        await asyncio.sleep(1)
        line.turns.close()
        await asyncio.sleep(1000)
        assert line.turns.waiting == 1
        await line.use("living", Rank.POLL)
        await waiting
        return line.names

    assert VirtualClock().run(scene()) == ["silent", "living", "silent"]


def test_who_may_still_answer_late_waits_and_who_was_silent_comes_last() -> None:
    async def scene() -> list[tuple[Rank, float]]:
        turns, loop = Turns(lambda: True), asyncio.get_running_loop()
        begun = loop.time()
        late, silent = Unit(late_until=begun + 3), Unit(is_silent=True)
        taken = []
        for unit, command in ((late, False), (silent, False), (silent, True)):
            rank = await turns.take_for(unit, command=command)
            taken.append((rank, round(loop.time() - begun, 3)))
            turns.give_back()
        return taken

    assert VirtualClock().run(scene()) == [(Rank.POLL, 3), (Rank.SILENT, 3), (Rank.COMMAND, 3)]


def test_a_unit_that_answers_is_to_be_protected() -> None:
    new, dead = Unit(), Unit(answered=True, is_silent=True)
    assert not has_living([new, dead])
    assert has_living([new, dead, Unit(answered=True)])
