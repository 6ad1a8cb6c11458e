"""Servers for tests: a real mosquitto on a free port, with whatever it is told to demand."""

import asyncio
import contextlib
import socket
from random import SystemRandom

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


@contextlib.asynccontextmanager
async def mosquitto(folder, *settings, port=0):
    """Run a broker; yields its port. Without settings everybody may do everything."""
    port = port or free_port()
    config = folder / f"mosquitto-{port}.conf"
    lines = [f"listener {port} 127.0.0.1", *(settings or ("allow_anonymous true",))]
    config.write_text("\n".join([*lines, ""]))
    process = await asyncio.create_subprocess_exec(
        "mosquitto", "-c", str(config), stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield port
    finally:
        process.terminate()
        await process.wait()
