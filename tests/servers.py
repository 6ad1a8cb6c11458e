"""Servers for tests: a real mosquitto on a free port, with whatever it is told to demand."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from tests.waiting import answered

PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to outgoing connections: while a server is down, or not yet
up, no connection of another test may sit on its port."""


def free_port() -> int:
    """Return a port of this machine on which nothing listens."""
    while True:
        port = SystemRandom().choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def listens(port: int) -> bool:
    """Return whether a port of this machine takes connections."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@contextlib.asynccontextmanager
async def peer(serve):
    """Run ``serve(reader, writer)`` for every connection; yields the port, ends what is left."""
    tasks = set()

    async def one(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Broker:
    """A running mosquitto."""

    port: int
    process: asyncio.subprocess.Process
    log: Path

    def clients(self):
        """Return the ids of all clients that ever connected, in order."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [
            line.partition(" as ")[2].split()[0] for line in lines if "New client connected" in line
        ]


@contextlib.asynccontextmanager
async def broker(folder, *settings, port=0):
    """Run a broker; yields it. Without settings everybody may do everything."""
    port = port or free_port()
    config, log = folder / f"mosquitto-{port}.conf", folder / f"mosquitto-{port}.log"
    lines = [f"listener {port} 127.0.0.1", *(settings or ("allow_anonymous true",))]
    config.write_text("\n".join([*lines, "log_dest stderr", "log_type all", ""]))
    with log.open("a") as written:
        process = await asyncio.create_subprocess_exec(
            "mosquitto", "-c", str(config), stdout=asyncio.subprocess.DEVNULL, stderr=written
        )
    try:
        await answered(lambda: listens(port), f"mosquitto to listen, see {log}", 10)
        yield Broker(port, process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def mosquitto(folder, *settings, port=0):
    """Run a broker; yields its port."""
    async with broker(folder, *settings, port=port) as running:
        yield running.port
