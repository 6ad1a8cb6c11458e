"""MQTT through a real broker: how many messages of ten values a gateway takes without loss.

The same load goes to four listeners, one after the other: a socket that counts packets (what the
broker can), the client library alone (what aiomqtt can), the gateway's client, which cuts messages
from the stream before that library sees them, and the agent with outbox and hub. The
load is written to the broker as ready-made packets at a fixed pace, by a process of its own, with
QoS 0; each message has values that were not sent before. The agent has one core, which it shares
with whoever else runs there: broker, sender and hub may use them all.

Goal: 20,000 messages a second for a minute without a loss; where it is missed, the rows of the
socket and of the library alone say whose limit it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import aiomqtt
import psutil

from citytwin import Label
from citytwin_edge import health
from citytwin_edge.adapters.mqtt_client import Client
from citytwin_edge.adapters.mqtt_settings import MqttDevice
from citytwin_edge.agent import HEALTH_S
from citytwin_edge.wire.mqtt_publish import Message
from tests.bench.cores import on
from tests.servers import mosquitto
from tests.site import Site

DEVICES: Final = 100
VALUES: Final = 10
SLICE_S: Final = 0.05
WARM_S: Final = 3.0
DRAIN_S_MAX: Final = 20.0
HEAD = [
    "listener",
    "messages/s sent",
    "for s",
    "arrived %",
    "values/s",
    "µs/message",
    "% of a core",
]


class Load(NamedTuple):
    """So many messages a second, for so long."""

    rate: int
    seconds: float


LOADS = (Load(2_000, 20), Load(5_000, 20), Load(10_000, 60), Load(20_000, 60))


class Took(NamedTuple):
    """What arrived at a listener, and the processor time it took."""

    arrived: int
    cpu_s: float


def remaining(size: int) -> bytes:
    """Return a remaining length as MQTT writes it (MQTT 3.1.1, 2.2.3)."""
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (128 if size else 0))
        if not size:
            return bytes(out)


def packet(kind: int, body: bytes) -> bytes:
    """Return a control packet."""
    return bytes([kind]) + remaining(len(body)) + body


def text(value: str) -> bytes:
    """Return a text as MQTT writes it."""
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def connect(name: str) -> bytes:
    """Return a CONNECT with a clean session (MQTT 3.1.1, 3.1)."""
    return packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text(name))


def publish(number: int) -> bytes:
    """Return the PUBLISH (QoS 0) of the message with that number."""
    values = ",".join(f'"v{n}":{number + n / 16}' for n in range(VALUES))
    return packet(0x30, text(f"bench/d{number % DEVICES}") + f"{{{values}}}".encode())


async def send(port: int, load: Load) -> int:
    """Publish at a fixed pace; return how many messages were sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(connect("bench-sender"))
    await reader.readexactly(4)
    loop, sent = asyncio.get_running_loop(), 0
    start, total = loop.time(), int(load.rate * load.seconds)
    while sent < total:
        due = min(total, int((loop.time() - start + SLICE_S) * load.rate))
        writer.write(b"".join(map(publish, range(sent, due))))
        sent = due
        await writer.drain()
        await asyncio.sleep(SLICE_S)
    writer.close()
    await writer.wait_closed()
    return sent


@contextlib.asynccontextmanager
async def counting(port: int) -> AsyncIterator[list[int]]:
    """Count PUBLISH packets at a bare socket; yields a list with the count."""
    count = [0]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(connect("bench-counter"))
    await reader.readexactly(4)
    writer.write(packet(0x82, b"\0\1" + text("bench/#") + b"\0"))
    await reader.readexactly(5)

    async def read() -> None:
        while True:
            await reader.readexactly(1)
            size, shift = 0, 0
            while True:
                (digit,) = await reader.readexactly(1)
                size |= (digit & 127) << shift
                shift += 7
                if digit < 128:
                    break
            await reader.readexactly(size)
            count[0] += 1

    task = asyncio.create_task(read())
    try:
        yield count
    finally:
        task.cancel()
        writer.close()


@contextlib.asynccontextmanager
async def library(port: int) -> AsyncIterator[list[int]]:
    """Count messages with aiomqtt alone; yields a list with the count."""
    count = [0]
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("bench/#")

        async def read() -> None:
            async for _message in client.messages:
                count[0] += 1

        task = asyncio.create_task(read())
        try:
            yield count
        finally:
            task.cancel()


@contextlib.asynccontextmanager
async def own_client(port: int) -> AsyncIterator[list[int]]:
    """Count messages with the gateway's client; yields a list with the count."""
    count = [0]

    def arrived(_message: Message) -> None:
        count[0] += 1

    client = Client(MqttDevice(host="127.0.0.1", port=port).connection(), arrived, "")
    why = await client.enter() or await client.ask_for("bench/#", 0)
    assert not why, why
    try:
        yield count
    finally:
        await client.leave()


LISTENING: Final = {
    "socket alone": counting,
    "aiomqtt alone": library,
    "gateway's client": own_client,
}


async def settled(count: list[int], wanted: int) -> None:
    """Wait until everything arrived, or until nothing more does."""
    loop = asyncio.get_running_loop()
    last, end = -1, loop.time() + DRAIN_S_MAX
    while count[0] < wanted and loop.time() < end and count[0] != last:
        last = count[0]
        await asyncio.sleep(1.0)


async def beside(listener: str, port: int, load: Load) -> Took:
    """Return what a listener in this process took; the sender is another process."""
    me = psutil.Process()
    async with LISTENING[listener](port) as count:
        before = me.cpu_times()
        sent = await sending(port, load)
        await settled(count, sent)
        after = me.cpu_times()
        return Took(count[0], after.user + after.system - before.user - before.system)


async def sending(port: int, load: Load) -> int:
    """Send from a process of its own; return how many messages."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.bench_mqtt", str(port), str(load.rate),
        str(load.seconds), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return int(out)


def tables(port: int) -> str:
    """Return the devices' part of a gateway's configuration."""
    points = "".join(
        f'[[device.point]]\nname = "v{n}"\ntopic = "bench/{{device}}"\npath = "$.v{n}"\n'
        for n in range(VALUES)
    )
    return "".join(
        f'[[device]]\nname = "d{n}"\nadapter = "mqtt"\nhost = "127.0.0.1"\nport = {port}\n{points}'
        for n in range(DEVICES)
    )


async def agent(port: int, load: Load) -> Took:
    """Return what an agent took, counted by the samples of its values that its hub has."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            await site.start_hub()
            gateway = site.gateway("g-1")
            gateway.configure(site.link, tables(port), flush_ms=1000)
            await site.admit(gateway)
            with on({min(os.sched_getaffinity(0))}):
                await gateway.start()
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await asyncio.sleep(WARM_S)
            process = psutil.Process(gateway.pid)
            before = process.cpu_times()
            sent = await sending(port, load)
            count = [0]

            async def look() -> None:
                while True:
                    count[0] = await arrived(site, loop.time() - begun)
                    await asyncio.sleep(0.5)

            looking = asyncio.create_task(look())
            await settled(count, sent)
            looking.cancel()
            after = process.cpu_times()
            await gateway.stop()
            await site.hub.stop()
            return Took(count[0], after.user + after.system - before.user - before.system)
        finally:
            await site.end()


async def arrived(site: Site, seconds: float) -> int:
    """Return how many messages' values the hub has, what the agent says of itself left out.

    Health is told at the start and every HEALTH_S; a tick more or less is ten messages.
    """
    of_itself = len(health.points("g-1", Label(), None, [f"d{n}" for n in range(DEVICES)]))
    total = (await site.metrics()).get('citytwin_gateway_samples_total{gateway="g-1"}', 0.0)
    return max(0, int(total) - of_itself * (int(seconds / HEALTH_S) + 1)) // VALUES


async def measure(listener: str, load: Load) -> list[str]:
    """Return the table's row of one listener under one load."""
    with tempfile.TemporaryDirectory() as folder:
        async with mosquitto(Path(folder)) as port:
            if listener == "agent and hub":
                took = await agent(port, load)
            else:
                took = await beside(listener, port, load)
    sent = int(load.rate * load.seconds)
    return [
        listener, str(load.rate), f"{load.seconds:g}", f"{took.arrived / sent * 100:.2f}",
        f"{took.arrived * VALUES / load.seconds:.0f}",
        f"{took.cpu_s / max(took.arrived, 1) * 1e6:.1f}", f"{took.cpu_s / load.seconds * 100:.1f}",
    ]  # fmt: skip


def run() -> list[list[str]]:
    """Measure each listener under each load; return the table's rows."""
    listeners = (*LISTENING, "agent and hub")
    return [
        HEAD,
        *(asyncio.run(measure(listener, load)) for load in LOADS for listener in listeners),
    ]


def main(port: str, rate: str, seconds: str) -> None:
    """Be the process that sends."""
    print(asyncio.run(send(int(port), Load(int(rate), float(seconds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
