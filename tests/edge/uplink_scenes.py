"""Scenes for tests of the uplink: an outbox, its uplink and a hub in process, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, Self

import numpy as np

from citytwin import Batch, Command, Point
from citytwin.testing import VirtualClock
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import EntryKind, Outbox
from citytwin_edge.uplink import Uplink
from citytwin_protos.codec import pack
from citytwin_protos.session import Limits
from tests.edge.small_hub import SmallHub

POINTS = [Point(id=f"g/d/p{n}", unit="bar") for n in range(3)]
SECOND = 10**9
MB = 1 << 20


class Gateway:
    """An outbox and its uplink, and a hub in process, on one virtual clock."""

    def __init__(self, folder: Path, clock: VirtualClock, hub_limits: Limits | None) -> None:
        self.clock, self.hub = clock, SmallHub(clock, hub_limits)
        self.outbox = Outbox(folder / "outbox.db", size_bytes_max=64 * MB)
        self.numbering = Numbering(self.outbox.connect())
        self.numbers = self.numbering.numbers(POINTS)
        self.trust = ClockTrust(clock)
        self.commands: list[Command] = []
        self.disk_s = 0.0
        self.disk_calls: list[str] = []
        self.connect: Callable[[], Awaitable[Any]] = self.hub.connect
        self.uplink = Uplink(
            self.outbox, self.numbering, self.dial, self.disk,
            trust=self.trust, command=self.commands.append, random=Random(1),
        )  # fmt: skip

    async def dial(self) -> Any:
        return await self.connect()

    async def disk(self, call: Callable[..., Any], *arguments: object) -> Any:
        self.disk_calls.append(call.__name__)
        if self.disk_s:
            await asyncio.sleep(self.disk_s)
        return call(*arguments)

    def put(self, value: float, kind: EntryKind = EntryKind.TELEMETRY) -> int:
        """Append one entry of three samples; return its number."""
        batch = Batch.of(self.numbers, self.clock.now_ns(), value + np.arange(3))
        number = self.outbox.append(kind, pack(batch), 3)
        self.uplink.wake()
        return number

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        task = asyncio.create_task(self.uplink.run())
        yield self
        assert not task.done(), task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def values(self) -> list[float]:
        """The first value of each entry that became durable."""
        return [what.value[0] for _, what in self.hub.entries if isinstance(what, Batch)]

    def waiting(self) -> int:
        return self.outbox.stats().entries


def played(
    tmp_path: Path, scene: Callable[[Gateway], Awaitable[None]], hub_limits: Limits | None = None
) -> Gateway:
    """Play a scene on a virtual clock; return its gateway."""
    clock = VirtualClock()

    async def play() -> Gateway:
        gateway = Gateway(tmp_path, clock, hub_limits)
        await scene(gateway)
        gateway.outbox.close()
        return gateway

    return clock.run(play())
