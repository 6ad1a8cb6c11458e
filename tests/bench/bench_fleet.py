"""Many Modbus TCP devices on one core: is every slot kept, and what does a bad neighbour cost?

The agent is a process that has one core, all its threads included; the devices (in this process)
and the hub have the others. When a device is asked is noted by the device, on the clock that the
agent's grid stands on, so each request belongs to a slot: a slot without a request was missed, a
second request in a slot came twice. Only whole slots are counted: a window that begins in the
middle of a slot would count 61 requests in 60 s of some devices. "agent's own" are the slots that
the agent says it has missed; "reply ms" is how long the agent waits for the good devices, of the
newest 128 polls of each: the p99 of the middle device, and of the worst. The agent runs from this
checkout, with -OO as its service does, and not as it is installed: at ``gateway``'s load of 10 ×
100 registers it takes 70 MiB here and 65 there, where its files are read from the disk anew.

Goals: 200 devices × 50 registers without a missed slot; a silent or slow neighbour changes the
others' rate by less than 5 % and their p99 by less than 10 %. The C gateway stands
there by its maker's figure: 100,000 contiguous tags a second at 30 % of four cores. The loads of
blocks of 125 registers, as many as one request can read, double until a slot is missed; where
"devices and hub" have used up the other core by then, the limit is theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psutil

from tests.bench.bench_gateway import tables
from tests.bench.cores import on
from tests.edge.modbus_devices import device, tcp_server
from tests.servers import peer
from tests.site import EDGE, Gateway, Site

WARM_S = 10
MEASURE_S = 60
HEAD = ["load", "asked per s", "slots missed", "agent's own", "twice", "period ms p50",
        "period ms p99", "jitter ms p99", "reply ms p99", "worst", "% of a core",
        "devices and hub %", "memory MiB", "tags/s", "tags/s per %"]  # fmt: skip
PEER = ["C gateway (published)", *["—"] * 9, "120", "—", "—", "100000", "833"]
SLOW_S: Final = 0.45
"""So long a slow device takes for an answer; the agent's patience is half a second."""
LATE_S: Final = 2.0
"""So long one takes that answers when nobody waits any more."""
BLOCK: Final = 125
"""Registers in one request at most (Modbus Application Protocol V1.1b3, 6.3)."""


class Load(NamedTuple):
    """Devices of so many registers, asked so often; with how many bad ones beside them."""

    name: str
    devices: int
    registers: int
    silent: int = 0
    slow: int = 0
    late: int = 0
    per_s: int = 1


BAD: Final = {"silent": "silent", "slow": "slow", "late": "beyond the time-out"}
ALONE = (Load("200 devices × 50 registers", 200, 50), Load("20 devices × 50 registers", 20, 50))
LOADS = tuple(
    one
    for alone, bad in zip(ALONE, (20, 2), strict=True)
    for one in (
        alone,
        *(
            alone._replace(name=f"{alone.devices}, {bad} {words} beside them", **{how: bad})
            for how, words in BAD.items()
        ),
    )
)
BLOCKS = tuple(
    Load(
        f"{number} devices × 10 blocks of {BLOCK}, {per_s} a second", number, 10 * BLOCK,
        per_s=per_s,
    )
    for number, per_s in ((20, 1), (40, 1), (80, 1), (80, 2), (80, 4))
)  # fmt: skip


class Asked:
    """When each device was asked, in seconds of the clock on which the agent's slots begin."""

    def __init__(self, devices: int, per_s: int = 1) -> None:
        """Begin with nothing; ``per_s`` slots are a second."""
        self.per_s = per_s
        self.times: list[list[float]] = [[] for _ in range(devices)]

    def note(self, number: int) -> Any:
        """Return an action of a device's server that notes when a request begins at its start."""
        loop = asyncio.get_running_loop()

        async def act(_function: int, _start: int, address: int, *_about: Any) -> None:
            if address == 0:  # of the blocks of one reading the first
                self.times[number].append(loop.time())

        return act

    def counted(self, first: int, slots: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return how often each device was asked in each slot, shape (devices, slots).

        Slots are numbered as the clock goes: the first of second 7 is 7 · per_s.
        """
        found = np.zeros((len(self.times), slots), np.int64)
        for row, times in zip(found, self.times, strict=True):
            places = np.floor(np.array(times) * self.per_s).astype(np.int64) - first
            np.add.at(row, places[(places >= 0) & (places < slots)], 1)
        return found

    def told(self, first: int, slots: int, own: int) -> list[str]:
        """Return rate, missed slots, those the agent knows of, repeats, periods and jitter."""
        counted = self.counted(first, slots)
        missed, twice = int((counted == 0).sum()), int(np.maximum(counted - 1, 0).sum())
        begun, ended = first / self.per_s, (first + slots) / self.per_s
        every = np.concatenate(
            [np.diff([one for one in times if begun <= one < ended]) for times in self.times]
        )
        return [
            f"{counted.sum() / slots * self.per_s:.2f}", str(missed), str(own), str(twice),
            f"{np.median(every) * 1e3:.1f}", f"{np.quantile(every, 0.99) * 1e3:.1f}",
            f"{np.quantile(np.abs(every - 1 / self.per_s), 0.99) * 1e3:.1f}",
        ]  # fmt: skip


class Own(NamedTuple):
    """What the agent says of the good devices: slots missed since its start, and latencies."""

    missed: int
    latency_ms: float
    worst_ms: float


async def own(site: Site, gateway: Gateway, load: Load) -> Own:
    """Ask the agent."""
    config = str(gateway.folder / "edge.toml")
    said = await site.run(*EDGE, "status", "--json", "--config", config)
    good = said.json["devices"][: load.devices]
    latencies = [one["latency_p99_ms"] or math.nan for one in good]
    missed = sum(one["missed"] for one in good)
    return Own(missed, float(np.median(latencies)), float(np.max(latencies)))


@contextlib.asynccontextmanager
async def devices(load: Load, asked: Asked) -> AsyncIterator[list[int]]:
    """Serve the devices and the bad ones; yields their ports."""

    def after(seconds: float) -> Any:
        async def slowly(*_about: Any) -> None:
            await asyncio.sleep(seconds)

        return slowly

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass

    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for number in range(load.devices):
            values = [5000 + number + n for n in range(load.registers)]
            served = device(1, [(0, values)], action=asked.note(number))
            ports.append(await stack.enter_async_context(tcp_server(served)))
        for _ in range(load.silent):
            ports.append(await stack.enter_async_context(peer(silent)))
        for wait_s in [SLOW_S] * load.slow + [LATE_S] * load.late:
            served = device(1, [(0, [0] * load.registers)], action=after(wait_s))
            ports.append(await stack.enter_async_context(tcp_server(served)))
        yield ports


def configured(ports: list[int], load: Load) -> str:
    """Return the devices' tables; without what is usual where there are many points.

    A configuration has at most 8 MiB: 100,000 points fit only so.
    """
    text = tables(ports, load.registers)
    text = text.replace("[[device]]\n", f"[[device]]\nperiod_s = {1 / load.per_s}\n")
    return text if load.registers < BLOCK else text.replace('type = "uint16"\nscale = 0.1\n', "")


async def measure(load: Load) -> list[str]:
    """Return the table's row of one load."""
    here, *rest = sorted(os.sched_getaffinity(0))
    asked, loop = Asked(load.devices, load.per_s), asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder, on(set(rest) or {here}):
        site = Site(Path(folder))
        try:
            await site.start_hub()
            async with devices(load, asked) as ports:
                gateway = site.gateway("g-1")
                gateway.configure(site.link, configured(ports, load), flush_ms=1000)
                await site.admit(gateway)
                with on({here}):
                    await gateway.start()
                await gateway.until_said("agent.started")
                agent = psutil.Process(gateway.pid)
                await asyncio.sleep(WARM_S)
                others = [psutil.Process(), psutil.Process(site.hub.pid)]
                said = await own(site, gateway, load)
                first = math.ceil(loop.time()) * load.per_s
                begun, before, beside = loop.time(), cpu_s(agent), cpu_s(*others)
                await asyncio.sleep(MEASURE_S)
                took_s, slots = loop.time() - begun, math.floor(loop.time()) * load.per_s - first
                core = (cpu_s(agent) - before) / took_s * 100
                rest_core = (cpu_s(*others) - beside) / took_s * 100
                memory = agent.memory_info().rss / 2**20
                now = await own(site, gateway, load)
                await gateway.stop()
            await site.hub.stop()
        finally:
            await site.end()
    told = asked.told(first, slots, now.missed - said.missed)
    tags = float(told[0]) * load.registers
    return [
        load.name, *told, f"{now.latency_ms:.1f}", f"{now.worst_ms:.1f}", f"{core:.1f}",
        f"{rest_core:.1f}", f"{memory:.1f}", f"{tags:.0f}", f"{tags / core:.0f}",
    ]  # fmt: skip


def cpu_s(*processes: psutil.Process) -> float:
    """Return the processor time that these have taken, in seconds."""
    times = [one.cpu_times() for one in processes]
    return sum(one.user + one.system for one in times)


def change(alone: list[str], beside: list[str]) -> list[str]:
    """Return what bad neighbours change of the others' rate, periods and latency, in percent."""
    blank = ["—"] * len(HEAD)
    blank[0] = f"what that changes: {beside[0]}"
    for column in ("asked per s", "period ms p50", "period ms p99", "reply ms p99"):
        at = HEAD.index(column)
        blank[at] = f"{(float(beside[at]) / float(alone[at]) - 1) * 100:+.2f} %"
    return blank


def run() -> list[list[str]]:
    """Measure every load; return the table's rows."""
    table, alone = [HEAD], list[str]()
    for load in LOADS:
        row = asyncio.run(measure(load))
        alone = row if load in ALONE else alone
        table += [row] if load in ALONE else [row, change(alone, row)]
    for load in BLOCKS:
        table.append(asyncio.run(measure(load)))
        if table[-1][HEAD.index("slots missed")] != "0":
            break
    return [*table, PEER]
