"""Scenes for tests of the console: real agents as processes, with devices that answer or do not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from citytwin import SystemClock
from citytwin_edge.agent import Agent
from citytwin_edge.console.lastlines import LastLines
from citytwin_edge.console.operations import Operations
from citytwin_hub.authority import Authority
from tests.edge.small_hub import identity_of
from tests.site import EDGE, Done, Gateway, Program, _environment
from tests.waiting import WAIT_S_MAX, until

FLOW = """
[[device.point]]
name = "flow"
unit = "m3/h"
table = "holding"
address = 0
scale = 0.1
writable = [0, 50]
label = { en = "Flow", ru = "Расход", kk = "Шығын" }
"""
LEVEL = """
[[device.point]]
name = "level"
table = "holding"
address = 1
"""


def rtu(name: str, port: str, points: str = FLOW + LEVEL, **more: Any) -> str:
    """A Modbus device on a serial line."""
    return device(name, points, transport="rtu", serial=port, baud=9600, **more)


def tcp(name: str, port: int, points: str = FLOW + LEVEL, **more: Any) -> str:
    """A Modbus device behind a TCP port."""
    return device(name, points, host="127.0.0.1", port=port, **more)


def device(name: str, points: str, **fields: Any) -> str:
    fields = {"name": name, "adapter": "modbus", "period_s": 0.2, "backoff_s": 0.2, **fields}
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in fields.items()]
    return "[[device]]\n" + "".join(lines) + points


def configured(
    folder: Path, devices: str, *, hub: int = 1, head: str = "", **identity: Any
) -> Gateway:
    """A gateway that is enrolled at a hub which nobody has to run; not started."""
    gateway = Gateway(folder / "g", "g")
    gateway.configure(hub, head + devices)
    authority = Authority(folder / "authority", SystemClock().now_ns())
    identity_of(authority, "g", gateway.state, **identity)
    return gateway


@contextlib.asynccontextmanager
async def running(folder: Path, devices: str, **more: Any) -> AsyncIterator[Gateway]:
    """Run an agent whose console answers; leave nothing behind."""
    gateway = configured(folder, devices, **more)
    try:
        await gateway.start()
        await until_console(gateway)
        yield gateway
    finally:
        await gateway.abandon()


async def until_console(gateway: Gateway) -> None:
    """Wait until a started agent's console is there."""
    await gateway.until_said("agent.started")
    await until((gateway.state / "console.sock").exists, "the console's socket")


async def typed(gateway: Gateway, *words: str, **options: Any) -> Done:
    """Type a command beside a gateway and wait for its end."""
    process = await asyncio.create_subprocess_exec(
        *EDGE, *words, "--config", "edge.toml", cwd=gateway.folder, env=_environment({}),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **options,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), WAIT_S_MAX)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


class Watcher(Program):
    """A command that goes on, such as watch or frames; what it prints is in its log."""

    def __init__(self, gateway: Gateway, *words: str) -> None:
        super().__init__(gateway.folder, "-".join(words), *EDGE, *words, "--config", "edge.toml")

    async def interrupted(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        return await self.end(signal.SIGINT)

    async def ended(self) -> int:
        """Wait until it ends by itself."""
        return await self._ended()

    def text(self) -> str:
        return self.log.read_text()


@contextlib.asynccontextmanager
async def watching(gateway: Gateway, *words: str) -> AsyncIterator[Watcher]:
    watcher = Watcher(gateway, *words)
    await watcher.start()
    try:
        yield watcher
    finally:
        await watcher.abandon()


def operations_of(agent: Agent) -> tuple[Operations, LastLines]:
    """The operations of an agent in this process."""
    logs = LastLines()
    return Operations(agent, logs), logs
