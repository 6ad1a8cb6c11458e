"""Supervisor: starts every process of the demo city, keeps them going, and ends them all."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import sys
from pathlib import Path
from typing import IO, Any, Final

import httpx

from democity.citymap import write_map
from democity.devices import city_devices
from democity.field import FIRST_PORT
from democity.gateways import write_configs
from democity.truth import WaterTruth

HTTP_PORT: Final = 8080
LINK_PORT: Final = 7443
ENROL_PORT: Final = 7444
BROKER_PORT: Final = 7883
START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 8.0
RESTART_S_MAX: Final = 30.0
FAULT_AFTER_S: Final = 20.0
FAULT_S: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1


class DemoError(Exception):
    """The demo city cannot go on; the text is one sentence for a person."""


class Child:
    """One process that is started again when it ends by itself."""

    def __init__(self, name: str, command: list[str], logs: Path, *, piped: bool = False) -> None:
        """Describe it; ``piped`` keeps its standard input and output for the supervisor."""
        self.name, self._command, self._log, self._piped = (
            name,
            command,
            logs / f"{name}.log",
            piped,
        )
        self.process: asyncio.subprocess.Process | None = None
        self.wanted = False

    async def start(self) -> None:
        """Start it."""
        self.wanted = True
        log: IO[bytes] = self._log.open("ab")
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE if self._piped else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self._piped else log,
                stderr=log,
                preexec_fn=_die_with_parent,  # one C call, no locks
                start_new_session=True,
            )
        finally:
            log.close()

    async def stop(self) -> None:
        """End it: politely, then not."""
        self.wanted = False
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def keep(self) -> None:
        """Start it again whenever it ends without being told to, a little later each time."""
        pause_s = 1.0
        while True:
            if self.process is not None:
                code = await self.process.wait()
                if self.wanted:
                    print(
                        f"democity: {self.name} ended ({code}), see {self._log}; starting it again"
                    )
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, RESTART_S_MAX)
                    if self.wanted:
                        await self.start()
                        continue
            await asyncio.sleep(0.5)


class Supervisor:
    """The whole demo city."""

    def __init__(self, state: Path, *, http_port: int = HTTP_PORT, offset: int = 0) -> None:
        """Keep everything in ``state``; ``offset`` moves every port but the page's."""
        self.state, self._http, self._offset = state, http_port, offset
        self.address = f"http://127.0.0.1:{http_port}"
        self.token = ""
        self.field: Child | None = None
        self.hub: Child | None = None
        self.broker: Child | None = None
        self.agents: list[Child] = []
        self._lock: IO[str] | None = None

    async def start(self) -> None:
        """Start hub, field and gateways; enrol those that are not.

        Raises:
            DemoError: something cannot be started.
        """
        logs = self.state / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        truth = WaterTruth(1_790_000_000_000_000_000)
        write_map(self.state / "city.geojson", truth.network)
        devices = city_devices(truth)
        truth.close()
        self._write_hub_config()
        hub = ["--config", str(self.state / "hub.toml"), "run"]
        self.hub = Child("hub", [*_module("citytwin_hub.cli"), *hub], logs)
        broker = BROKER_PORT + self._offset
        self.broker = Child("broker", [*_module("democity.broker"), str(broker)], logs)
        field = [*_module("democity.field"), str(self.state), str(FIRST_PORT + self._offset)]
        field.append(str(broker))
        self.field = Child("field", field, logs, piped=True)
        await asyncio.gather(self.hub.start(), self.broker.start(), self.field.start())
        endpoints = await self._endpoints()
        await self._until_hub_answers()
        link = f"127.0.0.1:{LINK_PORT + self._offset}"
        folder = self.state / "gateways"
        files = write_configs(folder, devices, endpoints, link, broker)
        for name, path in files.items():
            if not (path.parent / "state" / "hub.json").exists():
                await self._enrol(name, path)
            run = [*_module("citytwin_edge.cli"), "run", "--config", str(path)]
            self.agents.append(Child(name, run, logs))
        await asyncio.gather(*(agent.start() for agent in self.agents))
        self.token = (
            await self._output("citytwin_hub.cli", "user", "add", "demo", "--role", "operator")
        ).strip()
        await self._until_data_flow()

    async def run(self, fault: str, stop: asyncio.Event) -> None:
        """Keep everything going until told to stop."""
        children = [child for child in (self.hub, self.broker, *self.agents) if child is not None]
        keeping = [asyncio.ensure_future(child.keep()) for child in children]
        injecting = asyncio.ensure_future(self._inject(fault))
        await stop.wait()
        for task in (*keeping, injecting):
            task.cancel()

    async def stop(self) -> None:
        """End everything, agents first, so that the hub takes what they still have."""
        await asyncio.gather(*(agent.stop() for agent in self.agents))
        for child in (self.field, self.broker, self.hub):
            if child is not None:
                await child.stop()
        if self._lock is not None:
            self._lock.close()

    def order(self, words: str) -> None:
        """Tell the field something, such as ``burst 111 40``."""
        if self.field is not None and self.field.process is not None and self.field.process.stdin:
            self.field.process.stdin.write(f"{words}\n".encode())

    async def _inject(self, fault: str) -> None:
        if not fault:
            return
        print(f"democity: fault {fault!r} in {FAULT_AFTER_S:g} s", flush=True)
        await asyncio.sleep(FAULT_AFTER_S)
        if fault == "burst":
            self.order("burst 111 120")
            print("democity: the main at junction 111 has burst", flush=True)
        elif fault == "silent-device":
            self.order("silence vc-189")
            print("democity: the valve chamber vc-189 answers no more", flush=True)
        elif fault == "hub-down" and self.hub is not None:
            await self._pause(self.hub, "the hub")
        elif fault == "broker-down" and self.broker is not None:
            await self._pause(self.broker, "the broker")

    async def _pause(self, child: Child, what: str) -> None:
        await child.stop()
        print(f"democity: {what} is down for {FAULT_S:g} s", flush=True)
        await asyncio.sleep(FAULT_S)
        await child.start()
        print(f"democity: {what} is back", flush=True)

    def _take_lock(self) -> None:
        self._lock = (self.state / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError(f"a demo city is running already in {self.state}") from None

    def _write_hub_config(self) -> None:
        (self.state / "hub.toml").write_text(
            f"""# Made by the demo city at every start.
[hub]
state = "{self.state / "hub"}"
name = "Almaty (demo)"
[link]
bind = "127.0.0.1:{LINK_PORT + self._offset}"
enrol_bind = "127.0.0.1:{ENROL_PORT + self._offset}"
[http]
bind = "127.0.0.1:{self._http}"
[city]
map = "{self.state / "city.geojson"}"
""",
            encoding="utf-8",
        )

    async def _endpoints(self) -> dict[str, dict[str, Any]]:
        assert self.field is not None
        assert self.field.process is not None
        assert self.field.process.stdout is not None
        async with asyncio.timeout(START_S_MAX):
            line = await self.field.process.stdout.readline()
        if not line:
            raise DemoError(f"the field did not start; see {self.state}/logs/field.log")
        endpoints: dict[str, dict[str, Any]] = json.loads(line)
        return endpoints

    async def _until_hub_answers(self) -> None:
        assert self.hub is not None
        assert self.hub.process is not None
        async with httpx.AsyncClient() as client:
            for _ in range(int(START_S_MAX / 0.2)):
                if self.hub.process.returncode is not None:
                    raise DemoError(
                        f"the hub did not start; is port {self._http} taken? "
                        f"See {self.state}/logs/hub.log"
                    )
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{self.address}/healthz")).is_success:
                        return
                await asyncio.sleep(0.2)
        raise DemoError(f"the hub does not answer; see {self.state}/logs/hub.log")

    async def _until_data_flow(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(headers=headers, timeout=10.0) as client:
            for _ in range(int(START_S_MAX / 0.2)):
                answer = await client.get(f"{self.address}/api/v1/gateways")
                found = answer.json()["gateways"]
                if len(found) >= len(self.agents) and all(
                    one["connected"] and one["samples"] for one in found
                ):
                    return
                await asyncio.sleep(0.2)
        raise DemoError(f"no data arrive; see the logs in {self.state}/logs")

    async def _enrol(self, name: str, path: Path) -> None:
        made = await self._output(
            "citytwin_hub.cli", "--json", "enrol-token", "--gateway", name, "--replace"
        )
        token = json.loads(made)["token"]
        hub = f"127.0.0.1:{ENROL_PORT + self._offset}"
        await self._output("citytwin_edge.cli", "enrol", hub, token, "--config", str(path))

    async def _output(self, module: str, *arguments: str) -> str:
        command = [*_module(module)]
        if module == "citytwin_hub.cli":
            command += ["--config", str(self.state / "hub.toml")]
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(START_S_MAX):
            out, err = await process.communicate()
        if process.returncode:
            raise DemoError(f"{module} {arguments[0]}: {err.decode().strip()}")
        return out.decode()


def _module(name: str) -> list[str]:
    if name.endswith(".cli"):
        return [sys.executable, "-c", f"import sys; from {name} import main; sys.exit(main())"]
    return [sys.executable, "-m", name]


def _die_with_parent() -> None:
    """Let the kernel end this child when the supervisor is gone, however it went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        os._exit(1)
