"""The gateway under the peer's load: 10 and 50 Modbus TCP devices of 100 registers, every second.

Agent and hub are processes of their own; between them a relay counts every byte of the connection
(TLS and HTTP/2 included). The peer is thingsboard-gateway 3.8.5 under the same load on the same
kind of machine, measured another day. Latency is from the reply of the device to the hub's journal.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import psutil

from tests.edge.modbus_devices import device, tcp_server
from tests.faults.test_kills import EDGE, HUB, free_port

# A gateway has no `rich`, which the tests' environment has and structlog would load.
AGENT = f"import sys; sys.modules['rich'] = None; {EDGE}"

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


class Relay:
    """Passes one connection on and counts its bytes both ways."""

    def __init__(self, port: int) -> None:
        self._to, self.bytes, self.port = port, 0, 0

    async def start(self) -> None:
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(
            self._pump(reader, forth), self._pump(back, writer), return_exceptions=True
        )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.bytes += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


def edge_toml(ports: list[int], hub: int, flush_ms: int) -> str:
    """Return the configuration of a gateway over these devices."""
    points = "".join(
        f'[[device.point]]\nname = "r{n}"\ntable = "holding"\naddress = {n}\ntype = "uint16"\n'
        "scale = 0.1\n"
        for n in range(REGISTERS)
    )
    devices = "".join(
        f'[[device]]\nname = "d{n}"\nadapter = "modbus"\nhost = "127.0.0.1"\n'
        f"port = {port}\n{points}"
        for n, port in enumerate(ports)
    )
    return (
        f'[gateway]\nname = "g-1"\nstate = "state"\nhub = "127.0.0.1:{hub}"\n'
        f"[outbox]\nflush_ms = {flush_ms}\n{devices}"
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
    http, link, enrol = free_port(), free_port(), free_port()
    (folder / "hub.toml").write_text(
        f'[hub]\nstate = "{folder}/hub"\n[link]\nbind = "127.0.0.1:{link}"\n'
        f'enrol_bind = "127.0.0.1:{enrol}"\n[http]\nbind = "127.0.0.1:{http}"\n'
    )
    relay = Relay(link)
    await relay.start()
    contexts, ports = [], []
    for number in range(devices):
        start = [5000 + 10 * n for n in range(REGISTERS)]
        context = tcp_server(device(1, [(0, start)], action=walk(number)))
        ports.append(await context.__aenter__())
        contexts.append(context)
    (folder / "edge.toml").write_text(edge_toml(ports, relay.port, flush_ms))
    hub = await _start(folder, HUB, "--config", "hub.toml", "run")
    await _answers(http)
    made = await _output(folder, HUB, "--config", "hub.toml", "--json", "enrol-token",
                         "--gateway", "g-1")  # fmt: skip
    token = json.loads(made)["token"]
    await _output(folder, EDGE, "enrol", f"127.0.0.1:{enrol}", token, "--config", "edge.toml")
    agent = await _start(folder, AGENT, "run", "--config", "edge.toml")
    try:
        return await _observed(folder, agent.pid, relay, http, (devices, flush_ms))
    finally:
        for process in (agent, hub):
            process.terminate()
            await process.wait()
        for context in contexts:
            await context.__aexit__(None, None, None)


async def _observed(folder: Path, pid: int, relay: Relay, http: int, load: tuple[int, int]) -> Row:
    process = psutil.Process(pid)
    await asyncio.sleep(WARM_S)
    before, wire = process.cpu_times(), relay.bytes
    latencies: list[float] = []
    token = (folder / "hub" / "admin.token").read_text()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{http}/api/v1/", headers=headers
    ) as web:
        for _ in range(MEASURE_S):
            await asyncio.sleep(1)
            values = (await web.get("latest", params={"gateway": "g-1"})).json()["values"]
            latencies += [value["received_ms"] - value["time_ms"] for value in values]
    after = process.cpu_times()
    samples = load[0] * REGISTERS * MEASURE_S
    journal = sum(path.stat().st_size for path in (folder / "hub" / "journal").iterdir())
    lifetime = load[0] * REGISTERS * (MEASURE_S + WARM_S)
    return Row(
        *load,
        (after.user + after.system - before.user - before.system) / samples * 1e6,
        process.memory_info().rss / 2**20,
        (relay.bytes - wire) / samples,
        journal / lifetime,
        (float(np.median(latencies)), float(np.quantile(latencies, 0.99))),
    )


async def _start(folder: Path, code: str, *arguments: str) -> asyncio.subprocess.Process:
    with (folder / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *arguments, cwd=folder, stdout=log, stderr=log
        )


async def _output(folder: Path, code: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    if process.returncode:
        raise RuntimeError(f"{arguments} failed")
    return out.decode()


async def _answers(port: int) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(30):
        while True:
            try:
                await client.get(f"http://127.0.0.1:{port}/healthz")
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return


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
