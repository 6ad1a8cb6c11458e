"""The gateway under the peer's load: 10 and 50 Modbus TCP devices of 100 registers, every second.

Agent and hub are processes of their own; between them a relay counts every byte of the connection
(TLS and HTTP/2 included). The peer is thingsboard-gateway 3.8.5 under the same load on the same
kind of machine, measured another day. Latency is from the reply of the device to the hub's journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from tests.edge.modbus_devices import device, tcp_server
from tests.relay import Relay
from tests.site import Gateway, Site

WARM_S = 8
MEASURE_S = 30
REGISTERS = 100
PEER = {10: ("150–180", "66", "9.4", "205 / 1010"), 50: ("44", "—", "—", "—")}


class Row(NamedTuple):
    """One load and what it took."""

    devices: int
    flush_ms: int
    cpu_us: float
    memory_mib: float
    wire_bytes: float
    disk_bytes: float
    latency_ms: tuple[float, float]


def tables(ports: list[int]) -> str:
    """Return the tables of these devices in a gateway's configuration."""
    points = "".join(
        f'[[device.point]]\nname = "r{n}"\ntable = "holding"\naddress = {n}\ntype = "uint16"\n'
        "scale = 0.1\n"
        for n in range(REGISTERS)
    )
    return "".join(
        f'[[device]]\nname = "d{n}"\nadapter = "modbus"\nhost = "127.0.0.1"\n'
        f"port = {port}\n{points}"
        for n, port in enumerate(ports)
    )


def walk(seed: int) -> Any:
    """Return an action that lets every register walk a little at each reading."""
    rng = np.random.default_rng(seed)

    async def act(
        _function: int, _start: int, _at: int, _count: int, registers: list[int], _values: Any
    ) -> None:
        moved = np.array(registers) + rng.integers(-2, 3, len(registers))
        registers[:] = np.clip(moved, 0, 65535).tolist()

    return act


async def measure(devices: int, flush_ms: int) -> Row:
    """Run the load; return what the agent took."""
    with tempfile.TemporaryDirectory() as folder:
        return await _measure(Path(folder), devices, flush_ms)


async def _measure(folder: Path, devices: int, flush_ms: int) -> Row:
    site = Site(folder, flush_s=60.0)
    async with contextlib.AsyncExitStack() as stack:
        relay = await stack.enter_async_context(Relay(site.link))
        ports = []
        for number in range(devices):
            start = [5000 + 10 * n for n in range(REGISTERS)]
            meter = device(1, [(0, start)], action=walk(number))
            ports.append(await stack.enter_async_context(tcp_server(meter)))
        stack.push_async_callback(site.end)
        gateway = site.gateway("g-1")
        gateway.configure(relay.port, tables(ports), flush_ms=flush_ms)
        await site.start_hub()
        await site.admit(gateway)
        await gateway.start()
        row = await _observed(site, gateway, relay, (devices, flush_ms))
        await gateway.stop()
        await site.hub.stop()
    return row


async def _observed(site: Site, gateway: Gateway, relay: Relay, load: tuple[int, int]) -> Row:
    process = psutil.Process(gateway.pid)
    await asyncio.sleep(WARM_S)
    before, wire = process.cpu_times(), relay.bytes
    latencies: list[float] = []
    async with site.web() as web:
        for _ in range(MEASURE_S):
            await asyncio.sleep(1)
            values = (await web.get("latest", params={"gateway": "g-1"})).json()["values"]
            latencies += [value["received_ms"] - value["time_ms"] for value in values]
    after = process.cpu_times()
    samples = load[0] * REGISTERS * MEASURE_S
    journal = sum(path.stat().st_size for path in (site.state / "journal").iterdir())
    lifetime = load[0] * REGISTERS * (MEASURE_S + WARM_S)
    return Row(
        *load,
        (after.user + after.system - before.user - before.system) / samples * 1e6,
        process.memory_info().rss / 2**20,
        (relay.bytes - wire) / samples,
        journal / lifetime,
        (float(np.median(latencies)), float(np.quantile(latencies, 0.99))),
    )


def run() -> list[list[str]]:
    """Measure every load; return the table's rows, the peer's beside ours."""
    table = [["gateway", "devices", "flush ms", "CPU µs/sample", "memory MiB", "wire B/sample",
              "journal B/sample", "latency ms p50 / p99"]]  # fmt: skip
    for devices, flush_ms in ((10, 1000), (10, 100), (50, 1000)):
        row = asyncio.run(measure(devices, flush_ms))
        latency = f"{row.latency_ms[0]:.0f} / {row.latency_ms[1]:.0f}"
        table.append(
            ["CityTwin", str(row.devices), str(row.flush_ms), f"{row.cpu_us:.1f}",
             f"{row.memory_mib:.1f}", f"{row.wire_bytes:.2f}", f"{row.disk_bytes:.2f}", latency]
        )  # fmt: skip
        cpu, memory, wire, peer_latency = PEER[devices]
        table.append(["peer", str(devices), "—", cpu, memory, wire, "—", peer_latency])
    return table
