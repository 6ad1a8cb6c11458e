"""Servers for tests: a real mosquitto on a free port, with whatever it is told to demand."""

import asyncio
import contextlib
import socket


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
