"""Many Modbus TCP devices on one core: is every slot kept, and what does a bad neighbour cost?

The agent is a process pinned to one core; the devices and the hub have the other. When a device is
asked is noted by the device, so what is told is what a device sees: how often it is asked, and how
far from the period two requests are.

Goals: 200 devices × 50 registers without a missed slot; a silent or slow neighbour changes the
others' rate by less than 5 % and their p99 by less than 10 %. The C gateway stands
there by its maker's figure: 100,000 contiguous tags a second at 30 % of four cores.
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
HEAD = ["load", "asked per s", "of the slots %", "missed", "period ms p50", "period ms p99",
        "jitter ms p99", "% of a core", "memory MiB", "tags/s", "tags/s per %"]  # fmt: skip
PEER = ["C gateway (published)", *["—"] * 6, "120", "—", "100000", "833"]
SLOW_S = 0.45
"""So long a slow device takes for an answer; the agent's patience is half a second."""


class Load(NamedTuple):
    """Devices of so many registers, asked every second; with how many bad ones beside them."""

    name: str
    devices: int
    registers: int
    silent: int = 0
    slow: int = 0


LOADS = (
    Load("200 devices × 50 registers", 200, 50),
    Load("20 devices × 50 registers", 20, 50),
    Load("the same, 2 silent beside them", 20, 50, silent=2),
    Load("the same, 2 slow beside them", 20, 50, slow=2),
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
        """Return rate, part of the slots, missed slots, periods and jitter in the window."""
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
            f"{np.median(every) * 1e3:.1f}", f"{np.quantile(every, 0.99) * 1e3:.1f}",
            f"{np.quantile(np.abs(every - 1.0), 0.99) * 1e3:.1f}",
        ]  # fmt: skip


@contextlib.asynccontextmanager
async def devices(load: Load, asked: Asked) -> AsyncIterator[list[int]]:
    """Serve the devices and the bad ones; yields their ports."""

    async def slowly(*_about: Any) -> None:
        await asyncio.sleep(SLOW_S)

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
        for _ in range(load.slow):
            served = device(1, [(0, [0] * load.registers)], action=slowly)
            ports.append(await stack.enter_async_context(tcp_server(served)))
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
    core = cpu_s / MEASURE_S * 100
    return [load.name, *told, f"{core:.1f}", f"{memory:.1f}", f"{tags:.0f}", f"{tags / core:.0f}"]


def change(table: list[list[str]], alone: str, beside: str) -> list[str]:
    """Return what bad neighbours change of the others' rate and periods, in percent."""
    rows = {row[0]: row for row in table}

    def by(column: str) -> str:
        one, other = (float(rows[name][HEAD.index(column)]) for name in (alone, beside))
        return f"{(other / one - 1) * 100:+.2f} %"

    blank = ["—"] * len(HEAD)
    blank[0] = f"what that changes: {beside}"
    for column in ("asked per s", "period ms p50", "period ms p99"):
        blank[HEAD.index(column)] = by(column)
    return blank


def run() -> list[list[str]]:
    """Measure every load; return the table's rows."""
    table = [HEAD, *(asyncio.run(measure(load)) for load in LOADS)]
    alone = LOADS[1].name
    table += [change(table, alone, load.name) for load in LOADS[2:]]
    return [*table, PEER]
