"""The gateway under the peer's load: Modbus TCP devices of 100 registers, every second.

The agent runs as a technician installs it, in an environment of its own; agent and hub are
processes, and between them a relay counts every byte of the connection (TLS and HTTP/2 included).
Beside it, in the same run and on the same devices, stands the simplest gateway that could be. The
peer is thingsboard-gateway 3.8.5 under the same load on the same kind of machine, measured another
day. Latency is from the reply of the device to the hub's journal, where the history begins.

Goals: at most 10 % of a core and 66 MiB at 1,000 samples a second, less than 1 % of a core idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from citytwin import SystemClock
from tests.clean_gateway import install, make_bundle
from tests.edge.modbus_devices import device, tcp_server
from tests.relay import Relay
from tests.site import Site

WARM_S = 8
MEASURE_S = 30
TRIVIAL = Path(__file__).with_name("trivial_gateway.py")
HEAD = ["gateway", "devices × registers", "flush ms", "CPU µs/sample", "% of a core", "memory MiB",
        "wire B/sample", "disk B/sample", "latency ms p50 / p99"]  # fmt: skip


class Load(NamedTuple):
    """Devices of so many registers each, read every second; how often the agent sends."""

    devices: int
    registers: int
    flush_ms: int


class Taken(NamedTuple):
    """What a gateway took of the machine; NaN where it has none."""

    cpu_us: float
    core_percent: float
    memory_mib: float
    wire_bytes: float
    disk_bytes: float
    latency_ms: tuple[float, float]


LOADS = (
    Load(0, 0, 1000),
    Load(1, 1, 1000),
    Load(10, 100, 1000),
    Load(10, 100, 100),
    Load(50, 100, 1000),
)
# As measured: 15–18 % of a core and 60 KiB/s to the disk at ten devices.
PEER = {
    (1, 1): ["—", "10", "—", "—", "—", "—"],
    (10, 100): ["150–180", "15–18", "66", "9.4", "61", "205 / 1010"],
    (50, 100): ["44", "22", "—", "—", "—", "—"],
}


def walk(seed: int) -> Any:
    """Return an action that lets every register walk a little at each reading."""
    rng = np.random.default_rng(seed)

    async def act(
        _function: int, _start: int, _at: int, _count: int, registers: list[int], _values: Any
    ) -> None:
        moved = np.array(registers) + rng.integers(-2, 3, len(registers))
        registers[:] = np.clip(moved, 0, 65535).tolist()

    return act


def tables(ports: list[int], registers: int) -> str:
    """Return the devices' part of a gateway's configuration."""
    points = "".join(
        f'[[device.point]]\nname = "r{n}"\ntable = "holding"\naddress = {n}\ntype = "uint16"\n'
        "scale = 0.1\n"
        for n in range(registers)
    )
    return "".join(
        f'[[device]]\nname = "d{n}"\nadapter = "modbus"\nhost = "127.0.0.1"\n'
        f"port = {port}\n{points}"
        for n, port in enumerate(ports)
    )


class Watch:
    """Observes a process while it is under load."""

    def __init__(self, pid: int, load: Load) -> None:
        """Begin now."""
        self._process, self._load = psutil.Process(pid), load
        self._cpu, self._disk = self._look()

    def _look(self) -> tuple[float, int]:
        times = self._process.cpu_times()
        return times.user + times.system, self._process.io_counters().write_bytes

    def taken(self, wire: int, latencies: list[float]) -> Taken:
        """Return what it took since the beginning, MEASURE_S ago."""
        samples = self._load.devices * self._load.registers * MEASURE_S or math.nan
        cpu_s, disk = (
            now - then for now, then in zip(self._look(), (self._cpu, self._disk), strict=True)
        )
        return Taken(
            cpu_s / samples * 1e6,
            cpu_s / MEASURE_S * 100,
            self._process.memory_info().rss / 2**20,
            wire / samples,
            disk / samples,
            (float(np.median(latencies)), float(np.quantile(latencies, 0.99)))
            if latencies
            else (math.nan, math.nan),
        )


@contextlib.asynccontextmanager
async def devices(load: Load) -> AsyncIterator[list[int]]:
    """Serve the devices; yields their ports."""
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for number in range(load.devices):
            start = [5000 + 10 * n for n in range(load.registers)]
            server = tcp_server(device(1, [(0, start)], action=walk(number)))
            ports.append(await stack.enter_async_context(server))
        yield ports


async def ours(commands: Path, load: Load) -> Taken:
    """Run an agent and a hub under the load."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            await site.start_hub()
            async with devices(load) as ports, Relay(site.link) as relay:
                gateway = site.gateway("g-1", program=(str(commands / "citytwin-edge"),))
                gateway.configure(relay.port, tables(ports, load.registers), flush_ms=load.flush_ms)
                await site.admit(gateway)
                await gateway.start()
                await asyncio.sleep(WARM_S)
                watch, before = Watch(gateway.pid, load), relay.bytes
                latencies: list[float] = []
                async with site.web() as web:
                    for _ in range(MEASURE_S):
                        await asyncio.sleep(1)
                        values = (await web.get("latest", params={"gateway": "g-1"})).json()[
                            "values"
                        ]
                        if load.devices:  # else there are the agent's own only
                            latencies += [one["received_ms"] - one["time_ms"] for one in values]
                taken = watch.taken(relay.bytes - before, latencies)
                await gateway.stop()
            await site.hub.stop()
            return taken
        finally:
            await site.end()


async def trivial(load: Load) -> Taken:
    """Run the simplest gateway under the load."""
    clock, counted, latencies = SystemClock(), 0, list[float]()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal counted
        async for line in reader:
            counted += len(line)
            latencies.append(clock.now_ns() / 1e6 - json.loads(line)["time"])
        writer.close()

    sink = await asyncio.start_server(take, "127.0.0.1", 0)
    to = sink.sockets[0].getsockname()[1]
    async with devices(load) as ports:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(TRIVIAL), str(to), str(load.registers), *map(str, ports)
        )
        try:
            await asyncio.sleep(WARM_S)
            watch, before = Watch(process.pid, load), counted
            latencies.clear()
            await asyncio.sleep(MEASURE_S)
            return watch.taken(counted - before, latencies)
        finally:
            process.kill()
            await process.wait()
            sink.close()


def cold(folder: Path) -> None:
    """Let the system forget what it holds of files, as after a restart of the machine.

    Of a library that was just written it maps larger pieces into a process than of one that was
    read from the disk: 9 MiB of resident memory that no gateway has.
    """
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def row(name: str, load: Load, flush: str, taken: Taken) -> list[str]:
    """Return a line of the table."""
    size = f"{load.devices} × {load.registers}" if load.devices else "none: idle"
    told = [
        name, size, flush, f"{taken.cpu_us:.1f}",
        f"{taken.core_percent:.1f}", f"{taken.memory_mib:.1f}", f"{taken.wire_bytes:.2f}",
        f"{taken.disk_bytes:.1f}", f"{taken.latency_ms[0]:.0f} / {taken.latency_ms[1]:.0f}",
    ]  # fmt: skip
    return ["—" if "nan" in cell else cell for cell in told]


def run() -> list[list[str]]:
    """Measure every load; return the table's rows, ours beside the simplest and the peer."""
    table = [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        commands = install(make_bundle(Path(folder)), Path(folder) / "prefix")
        cold(Path(folder) / "prefix")
        for load in LOADS:
            table.append(
                row("CityTwin", load, str(load.flush_ms), asyncio.run(ours(commands, load)))
            )
            if not load.devices:
                continue
            if load.flush_ms == 1000:
                table.append(row("simplest", load, "—", asyncio.run(trivial(load))))
            size = f"{load.devices} × {load.registers}"
            table.append(["peer", size, "—", *PEER[load.devices, load.registers]])
    return table
