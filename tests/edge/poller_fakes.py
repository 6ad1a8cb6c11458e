"""Adapters for tests of the poller that do what the test says, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

import numpy as np

from citytwin.adapter import Adapter
from citytwin.batch import Batch
from citytwin.point import Point, Span
from citytwin.testing import VirtualClock
from citytwin_edge.poller import DeviceSpec, Poller


class Fake:
    """Stands for any adapter; does what the test says at each read."""

    def __init__(self, count: int = 2) -> None:
        self.count = count
        self.calls: list[tuple[str, float]] = []
        self.script: Callable[[int], Awaitable[Batch]] | None = None
        self.reads = 0
        self.inside = 0

    def note(self, what: str) -> None:
        self.calls.append((what, round(asyncio.get_running_loop().time(), 6)))

    def at(self, what: str) -> list[float]:
        return [when for name, when in self.calls if name == what]

    async def open(self) -> None:
        self.note("open")

    async def close(self) -> None:
        self.note("close")


class FakePolled(Fake):
    async def read(self) -> Batch:
        self.note("read")
        self.reads += 1
        self.inside += 1
        assert self.inside == 1, "calls to one adapter never overlap"
        try:
            if self.script is not None:
                return await self.script(self.reads)
            return self.batch()
        finally:
            self.inside -= 1

    def batch(self) -> Batch:
        return Batch.of(np.arange(self.count), 1, np.full(self.count, 10.0))

    async def write(self, point: int, value: float) -> None:
        self.note(f"write {point} {value:g}")
        assert self.inside == 0, "calls to one adapter never overlap"


class FakePicking(FakePolled):
    async def read_some(self, points: Sequence[int]) -> Batch:
        self.note(f"read {list(points)}")
        return Batch.of(points, 1, np.full(len(points), 10.0))


class FakeListening(Fake):
    def __init__(self, count: int = 2) -> None:
        super().__init__(count)
        self.plan: list[tuple[float, Any]] = []
        """(seconds to wait, batch to give or error to raise); then silence."""

    async def listen(self) -> AsyncIterator[Batch]:
        self.note("listen")
        while self.plan:
            pause_s, what = self.plan.pop(0)
            await asyncio.sleep(pause_s)
            if isinstance(what, BaseException):
                raise what
            if what is None:
                return
            yield what
        await asyncio.get_running_loop().create_future()


def spec_of(adapter: Adapter, count: int = 2, **more: Any) -> DeviceSpec:
    columns: dict[str, Any] = {
        "points": tuple(Point(id=f"gw/dev/p{i}", valid=Span(-1e9, 1e9)) for i in range(count)),
        "numbers": np.arange(100, 100 + count, dtype=np.int32),
        "scale": np.ones(count),
        "offset": np.zeros(count),
    }
    return DeviceSpec(name="dev", adapter=adapter, **(columns | more))


def play(
    adapter: Fake,
    seconds: float,
    beside: Callable[[Poller], Coroutine[Any, Any, None]] | None = None,
    **more: Any,
) -> tuple[Poller, list[tuple[float, Batch]]]:
    """Run a poller, and something beside it, for so long on a virtual clock.

    Returns the poller and what it emitted when.
    """
    clock = VirtualClock()
    heard: list[tuple[float, Batch]] = []

    def emit(batch: Batch) -> None:
        heard.append((round(asyncio.get_running_loop().time(), 6), batch))

    async def scene() -> Poller:
        poller = Poller(spec_of(adapter, adapter.count, **more), clock, emit)
        async with asyncio.TaskGroup() as group:
            if beside is not None:
                group.create_task(beside(poller))
            await run_for(poller, seconds)
        return poller

    return clock.run(scene()), heard


async def run_for(poller: Poller, seconds: float) -> None:
    task = asyncio.create_task(poller.run())
    await asyncio.sleep(seconds)
    assert not task.done(), "a poller never dies"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def said(heard: Sequence[tuple[float, Batch]]) -> list[tuple[float, int]]:
    """When something was emitted, and of which quality (one for all its samples)."""
    out = []
    for when, batch in heard:
        (quality,) = set(batch.quality.tolist())
        out.append((when, quality))
    return out
