"""Scenes for tests of the agent: scripted meters behind a real configuration file, a small hub."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np

from citytwin import Batch, Binding, Site
from citytwin.errors import DeviceSilent
from citytwin_edge import plugins
from citytwin_edge.agent import Agent
from citytwin_edge.config import load
from citytwin_edge.gateway import GatewayConfig
from tests.edge.small_hub import SmallHub

SECOND = 10**9


class Meter:
    """A device: its n-th reading of point p is 10 * n + p; takes what is written."""

    def __init__(self, kind: MeterType, bindings: Sequence[Binding], site: Site) -> None:
        self.kind, self.count, self.site = kind, len(bindings), site
        self.readings = 0
        self.written: list[tuple[int, float]] = []
        self.confirmed: list[int] = []

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def read(self) -> Batch:
        await asyncio.sleep(self.kind.delay_s)
        if self.kind.silent:
            raise DeviceSilent("no answer")
        self.readings += 1
        stamp = self.site.clock.now_ns() if self.kind.stamp_ns is None else self.kind.stamp_ns
        return Batch.of(range(self.count), stamp, 10 * self.readings + np.arange(self.count))

    async def write(self, point: int, value: float) -> None:
        self.written.append((point, value))

    def confirmation(self) -> Callable[[], None]:
        readings = self.readings
        return lambda: self.confirmed.append(readings)


class MeterType:
    """The adapter of meters, and what all of them shall do."""

    def __init__(self) -> None:
        self.device_settings = msgspec.defstruct("Settings", [], forbid_unknown_fields=True)
        self.point_settings = self.device_settings
        self.meters: list[Meter] = []
        self.delay_s = 0.01
        self.silent = False
        self.stamp_ns: int | None = None

    def build(self, _settings: Any, bindings: Sequence[Binding], site: Site) -> Meter:
        self.meters.append(Meter(self, bindings, site))
        return self.meters[-1]


DEVICES = """
[[device]]
name = "d1"
adapter = "meter"
[[device.point]]
name = "level"
unit = "m"
normal = [0, 10000]
[[device.point]]
name = "pump"
kind = "state"
writable = [0, 1]
[[device]]
name = "d2"
adapter = "meter"
[[device.point]]
name = "total"
kind = "counter"
unit = "m3"
counter = { flow_unit = "m3/h", factor = 3600, flow_max = 1e9 }
"""


def config_of(
    folder: Path, monkeypatch: Any, devices: str = DEVICES, flush_ms: int = 1000
) -> tuple[GatewayConfig, MeterType]:
    """Write a gateway's file and load it; its adapter ``meter`` is scripted."""
    kind = MeterType()
    monkeypatch.setattr(plugins, "adapter", lambda _name: kind)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "edge.toml"
    head = f'[gateway]\nname = "g"\nstate = "state"\n[outbox]\nflush_ms = {flush_ms}\n'
    path.write_text(head + devices)
    config = load(path)
    kind.meters.clear()
    return config, kind


class Gateway:
    """An agent, its meters and its hub."""

    def __init__(self, config: GatewayConfig, kind: MeterType, clock: Any) -> None:
        self.clock, self.kind = clock, kind
        self.hub = SmallHub(clock)
        self.agent = Agent(config, clock, self.hub.connect, Random(1))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Agent]:
        """Run the agent; stop it at the end."""
        task = asyncio.create_task(self.agent.run())
        try:
            yield self.agent
            assert not task.done()
        finally:
            self.agent.stop()
            async with asyncio.timeout(5):
                await task

    def readings(self, device: int) -> int:
        return self.kind.meters[device].readings
