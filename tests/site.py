"""A site for tests: a hub and its gateways as real processes, with their files in one folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.servers import free_port
from tests.waiting import WAIT_S_MAX, answered, until

Command = tuple[str, ...]
HUB = (sys.executable, "-c", "import sys; from citytwin_hub.cli import main; sys.exit(main())")
EDGE = (sys.executable, "-c", "import sys; from citytwin_edge.cli import main; sys.exit(main())")


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return that of the tests, without what people set to reach a hub of their own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CITYTWIN_")}
    return {**ours, **more}


class Done(NamedTuple):
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


class Program:
    """A command of ours that runs until it is ended, and can be started again; logs as JSON."""

    def __init__(self, folder: Path, name: str, *command: str) -> None:
        """Prepare; ``environment`` may be filled before each start."""
        self.folder, self.name = folder, name
        self.log = folder / f"{name}.log"
        self.environment: dict[str, str] = {}
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process that runs now."""
        return self._running().pid

    async def start(self) -> None:
        """Start it; returns when there is a process, not when it is ready."""
        assert self._process is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=_environment(self.environment),
            )

    async def stop(self) -> None:
        """End it as a service manager does, and see that it ends well."""
        assert await self.end(signal.SIGTERM) == 0, f"{self.name} did not end well, see {self.log}"

    async def end(self, number: signal.Signals) -> int:
        """Send it a signal; return the code with which it ends."""
        self._running().send_signal(number)
        return await self._ended()

    async def kill(self) -> None:
        """End it with kill -9."""
        code = await self.end(signal.SIGKILL)
        assert code == -signal.SIGKILL, f"{self.name} had ended by itself ({code}), see {self.log}"

    async def abandon(self) -> None:
        """Leave nothing running, however the test went."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._ended()

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log with this event, from all its lives."""
        return [line for line in self.lines() if line.get("event") == event]

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the log, from all its lives; one that a kill has torn is left out."""
        found = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                said = json.loads(line)
                if isinstance(said, dict):
                    found.append(said)
        return found

    async def until_said(self, event: str, **fields: object) -> dict[str, Any]:
        """Wait for a line of the log with this event and these fields; return it."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.said(event) if fields.items() <= line.items()]

        await until(lambda: bool(found()), f"{self.name} to say {event} with {fields}")
        return found()[0]

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, f"{self.name} does not run"
        return self._process

    async def _ended(self) -> int:
        process = self._running()
        code = await asyncio.wait_for(process.wait(), WAIT_S_MAX)
        self._process = None
        return code


class Waiting(NamedTuple):
    """What waits in an outbox.

    Attributes:
        entries: how many.
        oldest: the number of the first; that of the next one when there is none.
        last: the last number that was ever given.
    """

    entries: int
    oldest: int
    last: int


class Gateway(Program):
    """One gateway: its configuration, state folder and agent."""

    def __init__(
        self, folder: Path, name: str, state: Path | None = None, program: Command = EDGE
    ) -> None:
        """Prepare in a folder of its own; ``configure`` writes the configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        self.program = program
        super().__init__(folder, name, *program, "run", "--log", "json", "--config", "edge.toml")
        self.environment["PYTHONOPTIMIZE"] = "2"  # as its service does
        self.state = state or folder / "state"

    @property
    def outbox(self) -> Path:
        """The outbox's file."""
        return self.state / "outbox.db"

    def configure(self, hub: int, devices: str, *, flush_ms: int = 100, **outbox: int) -> None:
        """Write edge.toml: the port of its hub or of a relay before it, and its devices' tables."""
        limits = "".join(f"{name} = {value}\n" for name, value in outbox.items())
        (self.folder / "edge.toml").write_text(
            f'[gateway]\nname = "{self.name}"\nstate = "{self.state}"\nhub = "127.0.0.1:{hub}"\n'
            f"[outbox]\nflush_ms = {flush_ms}\n{limits}{devices}"
        )

    def waiting(self) -> Waiting:
        """Look into the outbox from outside."""
        with contextlib.closing(sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True)) as db:
            (last,) = db.execute(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries'"
            ).fetchone()
            entries, oldest = db.execute(
                "SELECT count(*), coalesce(min(number), ?) FROM entries", (last + 1,)
            ).fetchone()
        return Waiting(entries, oldest, last)

    def stream(self) -> bytes:
        """Return the outbox's name, by which the hub's journal knows it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True)) as db:
            (stream,) = db.execute("SELECT value FROM counters WHERE name = 'stream'").fetchone()
        return bytes(stream)

    async def until_delivered(self, timeout_s: float = WAIT_S_MAX) -> None:
        """Wait until the hub has taken everything that was ever kept."""

        async def delivered() -> bool:
            # In a thread: SQLite may wait for seconds, and the devices of a test are to answer.
            return not (await asyncio.to_thread(self.waiting)).entries

        await answered(delivered, f"{self.name} to deliver", timeout_s)


async def asked(web: httpx.AsyncClient, path: str, **query: str | int) -> Any:
    """Return what the hub answers to a question that it can answer."""
    answer = await web.get(path, params=query)
    answer.raise_for_status()
    return answer.json()


async def latest(web: httpx.AsyncClient, point: str) -> dict[str, Any] | None:
    """Return the latest value of a point as the hub shows it; None while it has none."""
    found = (await asked(web, "points", q=point))["points"]
    rows = [one["row"] for one in found if one["id"] == point]
    values = (await asked(web, "latest", rows=rows[0]))["values"] if rows else []
    return values[0] if values else None


class Site:
    """One hub and the gateways that belong to it."""

    def __init__(
        self,
        folder: Path,
        *,
        state: Path | None = None,
        flush_s: float = 2.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Write hub.toml on ports of its own; nothing runs yet.

        ``environment`` is what all programs and commands get beside that of the tests.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.state = folder, state or folder / "hub"
        self.http, self.link, self.enrol = free_port(), free_port(), free_port()
        (folder / "hub.toml").write_text(
            f'[hub]\nstate = "{self.state}"\n[link]\nbind = "127.0.0.1:{self.link}"\n'
            f'enrol_bind = "127.0.0.1:{self.enrol}"\n[http]\nbind = "127.0.0.1:{self.http}"\n'
            f"[history]\nflush_s = {flush_s}\n"
        )
        self.environment = dict(environment or {})
        self.hub = Program(folder, "hub", *HUB, "--config", "hub.toml", "--log", "json", "run")
        self.hub.environment.update(self.environment)
        self.gateways: list[Gateway] = []

    def gateway(
        self, name: str, state: Path | None = None, program: Command = EDGE, folder: str = ""
    ) -> Gateway:
        """Return a new gateway of this site, neither configured nor enrolled."""
        gateway = Gateway(self.folder / (folder or name), name, state, program)
        gateway.environment.update(self.environment)
        self.gateways.append(gateway)
        return gateway

    async def start_hub(self) -> None:
        """Start the hub and wait until it answers."""
        await self.hub.start()
        await self.until_hub_answers()

    async def until_hub_answers(self) -> None:
        """Wait until the hub that has been started serves its page."""
        async with httpx.AsyncClient() as web:

            async def serves() -> bool:
                with contextlib.suppress(httpx.HTTPError):
                    await web.get(f"http://127.0.0.1:{self.http}/healthz")
                    return True
                return False

            await answered(serves, "the hub to answer")

    async def admit(self, gateway: Gateway) -> None:
        """Enrol a configured gateway, by the two commands that people type."""
        made = await self.hub_command("--json", "enrol-token", "--gateway", gateway.name)
        assert made.code == 0, made.err
        joined = await self.join(gateway, made.json["token"])
        assert joined.code == 0, joined.err

    async def join(self, gateway: Gateway, token: str) -> Done:
        """Type what a technician types to enrol a gateway."""
        config = str(gateway.folder / "edge.toml")
        address = f"127.0.0.1:{self.enrol}"
        return await self.run(*gateway.program, "enrol", address, token, "--config", config)

    async def hub_command(self, *words: str) -> Done:
        """Run a command of the hub's to its end."""
        return await self.run(*HUB, *words, "--config", "hub.toml")

    async def run(self, *words: str) -> Done:
        """Run a command to its end."""
        process = await asyncio.create_subprocess_exec(
            *words, cwd=self.folder, env=_environment(self.environment),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), WAIT_S_MAX)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    @contextlib.asynccontextmanager
    async def web(self) -> AsyncIterator[httpx.AsyncClient]:
        """Open the hub's REST interface with the token of this machine."""
        token = (self.state / "admin.token").read_text()
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.http}/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=WAIT_S_MAX,
        ) as web:
            yield web

    async def metrics(self) -> Mapping[str, float]:
        """Return the hub's metrics by name with labels, as Prometheus reads them."""
        async with httpx.AsyncClient() as web:
            text = (await web.get(f"http://127.0.0.1:{self.http}/metrics")).text
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    async def end(self) -> None:
        """Leave nothing running, however the test went."""
        for program in (self.hub, *self.gateways):
            await program.abandon()
