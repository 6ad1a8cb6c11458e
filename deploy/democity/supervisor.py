"""Supervisor: starts every process of the demo city, keeps them going, and ends them all."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final

import httpx

from democity.child import Child, DemoError, output_of, python
from democity.citymap import write_map
from democity.devices import Device, city_devices
from democity.field import FIRST_PORT
from democity.gateways import fed, write_configs
from democity.objects import NETWORK, field_objects
from democity.places import CRS
from democity.truth import WaterTruth, write_network

LINK_PORT: Final = 7443
ENROL_PORT: Final = 7444
BROKER_PORT: Final = 7883
START_S_MAX: Final = 60.0
POLL_S: Final = 0.2
LOGS_S: Final = 60.0
FORMAT: Final = "1"
"""Of the state folder; another one is refused rather than half understood."""


class Supervisor:
    """The whole demo city."""

    def __init__(self, state: Path, *, http_port: int, offset: int = 0) -> None:
        """Keep everything in ``state``; ``offset`` moves every port but the page's."""
        self.state, self._http, self._offset = state, http_port, offset
        self.address = f"http://127.0.0.1:{http_port}"
        self.token = ""
        self.field: Child | None = None
        self.hub: Child | None = None
        self.broker: Child | None = None
        self.agents: list[Child] = []
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        """The page's address with the operator's token; a browser sends no fragment anywhere."""
        return f"{self.address}/#token={self.token}"

    async def start_unless(self, stop: asyncio.Event) -> bool:
        """Start everything; return False when told to stop before it was done.

        Raises:
            DemoError: something cannot be started.
        """
        starting = asyncio.ensure_future(self.start())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Whatever ends this, no start goes on behind the stop that follows.
            for task in (starting, stopping):
                task.cancel()
            await asyncio.wait({starting, stopping})
        if stop.is_set():
            return False
        starting.result()
        return True

    async def start(self) -> None:
        """Start hub, field and gateways; enrol those that are not.

        Raises:
            DemoError: something cannot be started.
        """
        try:
            await self._start()
        except OSError as error:
            raise DemoError(
                f"the state folder {self.state} cannot be used ({error.strerror}: "
                f"{error.filename}); choose another one with CITYTWIN_DEMO_STATE=FOLDER"
            ) from None

    async def _start(self) -> None:
        devices = self._prepare()
        self._check_ports(devices)
        logs = self.state / "logs"
        hub = ["--config", str(self.state / "hub.toml"), "run"]
        self.hub = Child("hub", [*python("citytwin_hub.cli"), *hub], logs)
        broker = BROKER_PORT + self._offset
        self.broker = Child("broker", [*python("democity.broker"), str(broker)], logs)
        field = [*python("democity.field"), str(self.state), str(FIRST_PORT + self._offset)]
        self.field = Child("field", [*field, str(broker)], logs, piped=True)
        await asyncio.gather(self.hub.start(), self.broker.start(), self.field.start())
        endpoints = await self._endpoints()
        await self._until_hub_answers()
        link = f"127.0.0.1:{LINK_PORT + self._offset}"
        files = write_configs(self.state / "gateways", devices, endpoints, link, broker)
        for name, path in files.items():
            if not (path.parent / "state" / "hub.json").exists():
                await self._enrol(name, path)
            run = [*python("citytwin_edge.cli"), "run", "--config", str(path)]
            self.agents.append(Child(name, run, logs))
        await asyncio.gather(*(agent.start() for agent in self.agents))
        await self._sign_in()
        await asyncio.gather(self._until_data_flow(), self._tell_objects(devices))

    async def run(
        self, stop: asyncio.Event, troubles: Sequence[Callable[[], Awaitable[None]]] = ()
    ) -> None:
        """Keep everything going until told to stop; ``troubles`` run beside it."""
        jobs = [*troubles, self._trim_logs, *(child.keep for child in self._children())]
        tasks: set[asyncio.Future[Any]] = {asyncio.ensure_future(job()) for job in jobs}
        waiting: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                done, tasks = await asyncio.wait(
                    {waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
        finally:
            for task in (waiting, *tasks):
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
        assert self.field is not None
        assert self.field.process is not None
        assert self.field.process.stdin is not None
        self.field.process.stdin.write(f"{words}\n".encode())

    def _children(self) -> list[Child]:
        several = (self.hub, self.broker, self.field, *self.agents)
        return [child for child in several if child is not None]

    async def _trim_logs(self) -> None:
        while True:
            await asyncio.sleep(LOGS_S)
            for child in self._children():
                child.trim_log()

    # ---- before anything runs
    def _prepare(self) -> list[Device]:
        """Make the state folder and what stands in it; return the city's devices."""
        (self.state / "logs").mkdir(parents=True, exist_ok=True)
        self._take_lock()
        self._check_format()
        self._write_hub_config()
        with contextlib.closing(WaterTruth(0)) as truth:
            write_map(self.state / "city.geojson", truth.network)
            write_network(self.state / "network.inp")
            return city_devices(truth)

    def _take_lock(self) -> None:
        self._lock = (self.state / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError(
                f"a demo city is running already in {self.state}; end it, or start this one with "
                "CITYTWIN_DEMO_STATE=FOLDER and other ports"
            ) from None

    def _check_format(self) -> None:
        mark = self.state / "format"
        found = mark.read_text(encoding="utf-8").strip() if mark.exists() else FORMAT
        if found != FORMAT:
            raise DemoError(
                f"the state folder {self.state} has format {found[:20]!r}, made by another version "
                f"(this one makes {FORMAT!r}); remove it to begin anew, or use that version"
            )
        mark.write_text(f"{FORMAT}\n", encoding="utf-8")

    def _check_ports(self, devices: list[Device]) -> None:
        first = FIRST_PORT + self._offset
        tcp = [device for device in devices if device.line == "tcp"]
        ports = {
            self._http: ("the page", "--port"),
            LINK_PORT + self._offset: ("the gateways", "--port-offset"),
            ENROL_PORT + self._offset: ("enrolment", "--port-offset"),
            BROKER_PORT + self._offset: ("the broker", "--port-offset"),
            **{
                first + index: (f"the device {device.name}", "--port-offset")
                for index, device in enumerate(tcp)
            },
        }
        for port, (what, option) in ports.items():
            with socket.socket() as probe:
                # As the servers do it: a connection that has just ended is no obstacle.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except (OSError, OverflowError) as error:
                    raise DemoError(
                        f"port {port} of {what} cannot be used ({error}); end what uses it, or "
                        f"choose others: make demo ARGS='{option} NUMBER'"
                    ) from None

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
[alarms]
device_bad_s = 10.0
[city]
map = "{self.state / "city.geojson"}"
""",
            encoding="utf-8",
        )

    # ---- while it starts
    async def _endpoints(self) -> dict[str, dict[str, Any]]:
        assert self.field is not None
        assert self.field.process is not None
        assert self.field.process.stdout is not None
        try:
            async with asyncio.timeout(START_S_MAX):
                line = await self.field.process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise DemoError(f"the field did not start: {self._said(self.field)}")
        endpoints: dict[str, dict[str, Any]] = json.loads(line)
        return endpoints

    async def _until_hub_answers(self) -> None:
        async with httpx.AsyncClient() as client:
            for _ in range(int(START_S_MAX / POLL_S)):
                self._check_alive()
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{self.address}/healthz")).is_success:
                        return
                await asyncio.sleep(POLL_S)
        raise DemoError(f"the hub does not answer at {self.address}; see {self.state}/logs/hub.log")

    async def _sign_in(self) -> None:
        """Keep the operator's token from start to start, so that an open page stays signed in."""
        kept = self.state / "page-token"
        self.token = kept.read_text(encoding="utf-8").strip() if kept.exists() else ""
        async with httpx.AsyncClient(headers=self._headers(), timeout=10.0) as client:
            if self.token and (await client.get(f"{self.address}/api/v1/me")).is_success:
                return
        made = await self._hub_command("user", "add", "demo", "--role", "operator")
        self.token = made.strip()
        kept.touch(mode=0o600)
        kept.write_text(f"{self.token}\n", encoding="utf-8")

    async def _until_data_flow(self) -> None:
        async with httpx.AsyncClient(headers=self._headers(), timeout=10.0) as client:
            for _ in range(int(START_S_MAX / POLL_S)):
                self._check_alive()
                with contextlib.suppress(httpx.HTTPError):
                    answer = (await client.get(f"{self.address}/api/v1/gateways")).json()
                    found = answer.get("gateways", [])
                    speaking = [one for one in found if one["connected"] and one["samples"]]
                    if len(speaking) >= len(self.agents):
                        return
                await asyncio.sleep(POLL_S)
        raise DemoError(f"no data arrive; see the logs in {self.state}/logs")

    async def _tell_objects(self, devices: list[Device]) -> None:
        """Give the hub the objects that the points belong to; a second time changes nothing."""
        network, told = self.state / "network.inp", self.state / "network.told"
        if not told.exists() or told.read_bytes() != network.read_bytes():
            source = ["--source", NETWORK, "--crs", CRS]
            await self._hub_command("import", "epanet", str(network), *source)
            told.write_bytes(network.read_bytes())  # the next start need not wait for it
        objects = field_objects(fed(devices))
        async with httpx.AsyncClient(headers=self._headers(), timeout=START_S_MAX) as client:
            answer = await client.post(
                f"{self.address}/ngsi-ld/v1/entityOperations/upsert?options=update", json=objects
            )
        if answer.status_code not in {201, 204}:
            raise DemoError(f"the hub does not take the city's objects: {answer.text[:300]}")

    async def _enrol(self, name: str, path: Path) -> None:
        made = await self._hub_command("--json", "enrol-token", "--gateway", name, "--replace")
        token = json.loads(made)["token"]
        hub = f"127.0.0.1:{ENROL_PORT + self._offset}"
        command = [*python("citytwin_edge.cli"), "enrol", hub, token, "--config", str(path)]
        await output_of(command, f"enrolment of {name}", START_S_MAX)

    async def _hub_command(self, *arguments: str) -> str:
        config = ["--config", str(self.state / "hub.toml")]
        command = [*python("citytwin_hub.cli"), *config, *arguments]
        return await output_of(command, f"citytwin-hub {arguments[0]}", START_S_MAX)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _check_alive(self) -> None:
        """Raise what a process said that has ended while the city starts."""
        for child in self._children():
            if child.process is not None and child.process.returncode is not None:
                raise DemoError(f"{child.name} did not start: {self._said(child)}")

    @staticmethod
    def _said(child: Child) -> str:
        return f"{child.last_words()} (see {child.log})"
