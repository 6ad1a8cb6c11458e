"""The demo city for tests: as ``make demo`` starts it, on ports and in a folder of its own."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import time
from random import SystemRandom
from typing import Any

import httpx
import psutil

from democity.child import output_of, python
from democity.field import FIRST_PORT
from democity.supervisor import BROKER_PORT, ENROL_PORT, LINK_PORT
from tests.servers import free_port
from tests.waiting import answered

START_S_MAX = 90
STOP_S_MAX = 30
LINES_MAX = 1000
CHROMIUM = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--no-first-run",
]


def free_offset():
    """Return an offset at which every port of the demo but the page's is free now."""
    bases = [LINK_PORT, ENROL_PORT, BROKER_PORT, *range(FIRST_PORT, FIRST_PORT + 60)]
    for offset in SystemRandom().sample(range(100, 17_000, 100), 100):
        with contextlib.ExitStack() as probes:
            try:
                for base in bases:
                    probe = probes.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", base + offset))
            except OSError:
                continue
            return offset
    raise RuntimeError("no free ports for a demo city")


class Demo:
    """One demo city; entering starts it, leaving ends it and looks that nothing is left."""

    def __init__(self, state, *arguments, offset=None, port=None):
        self.state, self.arguments = state, arguments
        self.offset = free_offset() if offset is None else offset
        self.port = port or free_port()
        self.lines = []
        self.started_s = 0.0
        self._said = asyncio.Condition()

    async def spawn(self):
        """Start the process alone."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "democity", "--state", str(self.state), "--port", str(self.port),
            "--port-offset", str(self.offset), *self.arguments,
            env={**os.environ, "PYTHONPATH": "deploy"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return self.process

    async def __aenter__(self):
        begun = time.perf_counter()
        await self.spawn()
        self._listening = asyncio.ensure_future(self._listen())
        try:
            self.url = await self.says("http://", START_S_MAX)
        except TimeoutError:
            _, err = await self.end(signal.SIGKILL)
            raise AssertionError(f"no page: {self.lines} {err}; see {self.state}/logs") from None
        self.started_s = time.perf_counter() - begun
        assert self.lines[0] == self.url, "one line with the address comes first"
        found = re.fullmatch(r"(http://127.0.0.1:\d+)/#token=(\S+)", self.url)
        assert found, self.url
        self.address, self.token = found[1], found[2]
        self.children = self.family()
        self.http = httpx.AsyncClient(
            base_url=f"{self.address}/api/v1/",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=20,
        )
        return self

    async def __aexit__(self, *_):
        await self.http.aclose()
        if self.process.returncode is None:
            self.children += self.family()
            code, err = await self.end(signal.SIGINT)
            assert code == 0, err
        assert [child for child in self.children if child.is_running()] == []

    async def end(self, number):
        """Send a signal; return exit code and what was said on standard error."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        assert self.process.stderr is not None
        try:
            err = await asyncio.wait_for(self.process.stderr.read(), STOP_S_MAX)
            return await asyncio.wait_for(self.process.wait(), STOP_S_MAX), err.decode()
        finally:
            if self.process.returncode is None:
                # It will not end: the test fails, and leaves nothing running all the same.
                for one in (*self.family(), self.process):
                    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                        one.kill()

    def family(self):
        """Return every process below the supervisor."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, words):
        """Return the one running process whose command line holds these words."""
        found = [one for one in self.family() if words in " ".join(one.cmdline())]
        assert len(found) == 1, (words, found)
        return found[0]

    async def _listen(self):
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            assert len(self.lines) < LINES_MAX
            async with self._said:
                self.lines.append(line.decode().strip())
                self._said.notify_all()

    async def says(self, words, seconds=60):
        """Wait until a line with these words was printed; return it."""
        async with asyncio.timeout(seconds), self._said:
            await self._said.wait_for(lambda: any(words in line for line in self.lines))
        return next(line for line in self.lines if words in line)

    async def renew_token(self):
        """Give the page's user another token, as an administrator does; the old one ends."""
        config = ["--config", str(self.state / "hub.toml")]
        command = [*python("citytwin_hub.cli"), *config, "user", "add", "demo"]
        made = await output_of([*command, "--role", "operator"], "user add", 30)
        return made.strip()

    # ---- what an operator's program would ask
    async def get(self, path, **query):
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def points(self):
        return {one["id"]: one for one in (await self.get("points", limit=1000))["points"]}

    async def point(self, name):
        """Return the point whose id ends so."""
        found = [one for key, one in (await self.points()).items() if key.endswith(f"/{name}")]
        assert len(found) == 1, (name, found)
        return found[0]

    async def latest(self, rows):
        listed = ",".join(map(str, rows))
        values = (await self.get("latest", rows=listed))["values"]
        return {value["row"]: value for value in values}

    async def value(self, row):
        return (await self.latest([row])).get(row, {}).get("value")

    async def alarms(self):
        return (await self.get("alarms"))["alarms"]

    async def history(self, row):
        """Return the stamps of every sample of a row, in milliseconds."""
        query = {"rows": row, "start_ms": 0, "end_ms": 9_000_000_000_000}
        return (await self.get("history", **query))["samples"][0]["time_ms"]

    async def until(self, condition, seconds=60):
        """Ask again until it is so; while the hub is away the answer is no."""

        async def ask() -> Any:
            with contextlib.suppress(httpx.TransportError):
                return await condition()

        return await answered(ask, "the city to be as it should", seconds)

    async def settled(self, point, value):
        wish = {"point": point, "value": value}
        answer = await self.http.post("commands", json=wish)
        assert answer.status_code == 202, answer.text
        number = answer.json()["id"]

        async def done():
            return (await self.get(f"commands/{number}"))["state"] == "settled"

        await self.until(done)
