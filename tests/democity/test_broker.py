"""The broker: a process that carries messages and ends when told."""

import asyncio
import contextlib
import os
import signal
import socket
import sys

import aiomqtt

from tests.servers import free_port, listens
from tests.waiting import answered


@contextlib.asynccontextmanager
async def broker(port):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "democity.broker", str(port),
        env={**os.environ, "PYTHONPATH": "deploy"},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:

        async def serves():
            assert process.returncode is None
            return await listens(port)

        await answered(serves, "the broker to listen")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_message_reaches_its_subscriber_and_sigterm_ends_it():
    port = free_port()
    async with broker(port) as process:
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe("city/+/one")
            await client.publish("city/air/one", b'{"pm25": 12.5}', qos=1)
            async with asyncio.timeout(20):
                message = await anext(client.messages)
        assert (str(message.topic), message.payload) == ("city/air/one", b'{"pm25": 12.5}')
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_on_a_taken_port_it_fails():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "democity.broker", str(other.getsockname()[1]),
            env={**os.environ, "PYTHONPATH": "deploy"},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"address already in use" in err
