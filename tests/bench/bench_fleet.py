"""Many Modbus TCP devices on one core: is every slot kept, and what does a bad neighbour cost?

The agent is a process pinned to one core; the devices and the hub have the other. When a device is
asked is noted by the device, so what is told is what a device sees: how often it is asked, and how
far from the period two requests are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from tests.bench.bench_gateway import tables
from tests.edge.modbus_devices import device, tcp_server
from tests.servers import peer
from tests.site import Site

WARM_S = 10
MEASURE_S = 60
HEAD = ["load", "asked per s", "of the slots %", "missed", "period ms p50", "jitter ms p99",
        "% of a core", "memory MiB", "tags/s"]  # fmt: skip
PEER = ["C gateway (published)", "—", "—", "—", "—", "—", "120 (30 % of 4)", "—", "100000"]


class Load(NamedTuple):
    """Devices of so many registers, asked every second; with how many that never answer."""

    name: str
    devices: int
    registers: int
    silent: int = 0


LOADS = (
    Load("200 devices × 50 registers", 200, 50),
    Load("20 devices × 50 registers", 20, 50),
    Load("the same, 2 silent beside them", 20, 50, 2),
)


class Asked:
    """When each device was asked, in seconds."""

    def __init__(self, devices: int) -> None:
        """Begin with nothing."""
        self.times: list[list[float]] = [[] for _ in range(devices)]

    def note(self, number: int) -> Any:
        """Return an action of a device's server that notes the time."""
        loop = asyncio.get_running_loop()

        async def act(*_about: Any) -> None:
            self.times[number].append(loop.time())

        return act

    def told(self, begun: float, seconds: float) -> list[str]:
        """Return rate, part of the slots, missed slots, period and jitter in the window."""
        gaps, count = [], 0
        for times in self.times:
            mine = np.array([one for one in times if begun <= one < begun + seconds])
            count += len(mine)
            gaps.append(np.diff(mine))
        every = np.concatenate(gaps)
        expected = len(self.times) * seconds
        missed = int(np.sum(np.rint(every) - 1))
        return [
            f"{count / seconds:.1f}", f"{count / expected * 100:.2f}", str(missed),
            f"{np.median(every) * 1e3:.1f}",
            f"{np.quantile(np.abs(every - 1.0), 0.99) * 1e3:.1f}",
        ]  # fmt: skip


@contextlib.asynccontextmanager
async def devices(load: Load, asked: Asked) -> AsyncIterator[list[int]]:
    """Serve the devices and those that say nothing; yields their ports."""

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass

    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for number in range(load.devices):
            values = [5000 + number + 10 * n for n in range(load.registers)]
            served = device(1, [(0, values)], action=asked.note(number))
            ports.append(await stack.enter_async_context(tcp_server(served)))
        for _ in range(load.silent):
            ports.append(await stack.enter_async_context(peer(silent)))
        yield ports


async def measure(load: Load) -> list[str]:
    """Return the table's row of one load."""
    asked, cores = Asked(load.devices), sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            await site.start_hub()
            async with devices(load, asked) as ports:
                gateway = site.gateway("g-1")
                gateway.configure(site.link, tables(ports, load.registers), flush_ms=1000)
                await site.admit(gateway)
                await gateway.start()
                agent = psutil.Process(gateway.pid)
                agent.cpu_affinity(cores[:1])
                await asyncio.sleep(WARM_S)
                begun, before = asyncio.get_running_loop().time(), agent.cpu_times()
                await asyncio.sleep(MEASURE_S)
                after, memory = agent.cpu_times(), agent.memory_info().rss / 2**20
                await gateway.stop()
            await site.hub.stop()
        finally:
            await site.end()
    cpu_s = after.user + after.system - before.user - before.system
    told = asked.told(begun, MEASURE_S)
    tags = float(told[0]) * load.registers
    return [load.name, *told, f"{cpu_s / MEASURE_S * 100:.1f}", f"{memory:.1f}", f"{tags:.0f}"]


def run() -> list[list[str]]:
    """Measure every load; return the table's rows."""
    return [HEAD, *(asyncio.run(measure(load)) for load in LOADS), PEER]
