"""The whole hub on one screen: what it is made of, how it starts, what runs, how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog
import uvicorn

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin.errors import StoreError
from citytwin_hub import audit
from citytwin_hub.access import Access, local_token
from citytwin_hub.accounts import Accounts
from citytwin_hub.alarms import Alarms
from citytwin_hub.apis.app import build_app
from citytwin_hub.apis.city import City, read_map
from citytwin_hub.apis.door import Door, Outcomes
from citytwin_hub.apis.graphs import Graphs
from citytwin_hub.apis.ngsild.app import PREFIX, ByPath, build_ngsild
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.ogc.app import PREFIXES, build_ogc
from citytwin_hub.apis.things import Devices
from citytwin_hub.authority import Authority
from citytwin_hub.command_entities import CommandEntities
from citytwin_hub.commands import Commands
from citytwin_hub.committer import Committer
from citytwin_hub.config import HubConfig, split_address
from citytwin_hub.configs import Configs
from citytwin_hub.enrolment import EnrolmentService
from citytwin_hub.entities.bindings import Bindings
from citytwin_hub.entities.measured import Points
from citytwin_hub.files import locked
from citytwin_hub.history.parquet import ParquetHistory
from citytwin_hub.ingest import Ingest
from citytwin_hub.journal.segments import SegmentJournal
from citytwin_hub.jsonld.contexts import Contexts
from citytwin_hub.metrics import metrics_of
from citytwin_hub.metrics_subscriptions import Figures
from citytwin_hub.policy.document import load as load_policy
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.late import LateTwins
from citytwin_hub.policy.points import PointsSeen
from citytwin_hub.readers import Readers
from citytwin_hub.registry import Registry
from citytwin_hub.server import LinkServer
from citytwin_hub.twin import Twin
from citytwin_protos.session import Limits

CHECK_S: Final = 1.0
STOP_S_MAX: Final = 4
TRIM_S: Final = 6 * 3600.0
HELD_FLUSHES_MAX: Final = 10
"""So many times ``flush_samples`` may wait in memory when history cannot be written."""

_log = structlog.get_logger(__name__)


class Hub:
    """Built from a configuration and a clock; ``run`` returns when ``stop`` is called."""

    def __init__(self, config: HubConfig, clock: Clock) -> None:
        """Open every store and bring twin and history up to the journal's end.

        Raises:
            CityTwinError: a store or file cannot be used; the text says which.
        """
        self.config, self.clock = config, clock
        self._began_ns, self._stopping = clock.now_ns(), asyncio.Event()
        self.http_port = 0
        self._stores = contextlib.ExitStack()
        try:
            self._open(config.state)
        except BaseException:
            self._stores.close()
            raise

    def _open(self, state: Path) -> None:
        config, clock, now_ns, opened = self.config, self.clock, self._began_ns, self._stores
        try:
            state.mkdir(parents=True, exist_ok=True)
            opened.enter_context(locked(state))
        except OSError as error:
            raise StoreError(f"the state folder {state} cannot be used: {error}") from error
        self.registry = opened.enter_context(closing(Registry(state / "registry.db")))
        self.authority = Authority(state / "authority", now_ns, config.link.names)
        self.access = opened.enter_context(closing(Access(state / "access.db")))
        self.policy = load_policy(Path(config.hub.policy) if config.hub.policy else None)
        self.audit = opened.enter_context(closing(audit.opened(state / "audit", now_ns)))
        self.accounts = opened.enter_context(closing(Accounts(state / "access.db")))
        self.door = Door(self.access, self.policy, clock.now_ns, self.audit, accounts=self.accounts)
        self.journal = opened.enter_context(closing(SegmentJournal(state / "journal")))
        self.twin = Twin()
        history = ParquetHistory(state / "history", self._group_of)
        self.history = opened.enter_context(closing(history))
        self.readers = Readers(self.journal, self.twin, self.history, state / "twin.snapshot")
        self.alarms = opened.enter_context(closing(self._alarms(state)))
        self._disk = ThreadPoolExecutor(1, "journal")
        self._compactor = ThreadPoolExecutor(1, "history")
        self.committer = Committer(self.journal, self.readers, self._disk, self._has_room)
        limits = Limits(window_entries=config.link.window_entries)
        self.ingest = Ingest(self.registry, self.journal, self.committer, clock, limits)
        commands = Commands(
            state / "commands.db", self.registry, self.ingest.send_command, self.door.of_user,
            lambda permit, row: self.seen.has(permit.rights, row, Act.COMMAND),
        )  # fmt: skip
        self.commands = opened.enter_context(closing(commands))
        self.ingest.observers.append(self.commands)
        configs = Configs(
            state / "configs.db",
            self.authority.signature,
            self.ingest.push_config,
            self.ingest.ask_config,
        )
        self.configs = opened.enter_context(closing(configs))
        self.ingest.holders.append(self.configs)
        self.enrolment = EnrolmentService(self.authority, self.registry, clock)
        self.link = LinkServer(self.authority, self.ingest, self.enrolment)
        self._web(opened, state)
        self.readers.listen(self.alarms.entry)
        self.readers.listen(self.commands.entry)
        replayed = self.readers.replay(self.history.position)
        self.alarms.reconcile()
        _log.info(
            "hub.opened", state=str(state), points=len(self.registry.points), replayed=replayed
        )

    def _alarms(self, state: Path) -> Alarms:
        settings = self.config.alarms
        return Alarms(
            state / "alarms.db",
            self.registry,
            self.twin,
            device_bad_ns=int(settings.device_bad_s * SECOND_NS),
            gateway_silent_ns=int(settings.gateway_silent_s * SECOND_NS),
            missing_ns=int(settings.missing_s * SECOND_NS),
        )

    def _web(self, opened: contextlib.ExitStack, state: Path) -> None:
        """Make what is served over HTTP."""
        self.late = LateTwins(self.history, self.clock)
        self.broker = opened.enter_context(closing(self._ngsild(opened, state)))
        find, expand = self.broker.tenant().store.find, self.broker.contexts.core.expand
        self.seen = PointsSeen(self.registry, find, expand, self.clock)
        city = City(
            self.clock, self.registry, self.twin, self.history, self.ingest, self.alarms,
            self.commands, self.configs, self.door, self.seen, self.late,
            read_map(self.config.city.map),
        )  # fmt: skip
        recent: Callable[[], int] = lambda: self.history.recent_samples  # noqa: E731
        figures, end = Figures(lambda: self.broker), lambda: self.journal.end
        self.app = build_app(city, metrics_of(city, self.committer, end, recent, [figures]))
        self.app.state.broker, self.app.state.graphs = self.broker, Graphs(self.broker)
        self.command_entities = CommandEntities(
            self.commands, self.registry, self.broker.tenant().entities, Contexts.core.expand
        )
        devices = Devices(self.registry, self.twin, self.seen, city.latest)
        ogc = build_ogc(self.broker, devices, self.app.openapi)
        by_path = {PREFIX: build_ngsild(self.broker)} | dict.fromkeys(PREFIXES, ogc)
        self.site = Outcomes(ByPath(self.app, by_path), self.door)

    def _ngsild(self, opened: contextlib.ExitStack, state: Path) -> Broker:
        """Return what the NGSI-LD routes stand on."""
        config, clock, settings = self.config, self.clock, self.config.ngsild
        contexts = Contexts(state / "contexts.db", clock, settings.context_hosts)
        opened.enter_context(closing(contexts))
        bindings = Bindings(self.registry, self.twin, contexts.core.expand)
        door = Door(
            self.access, self.policy, clock.now_ns, self.audit,
            otherwise=config.http.anonymous, accounts=self.accounts,
        )  # fmt: skip
        return Broker(
            state / "entities",
            clock,
            contexts,
            door,
            points=Points(bindings, self.twin, self.history),
            instances_max=settings.evolution_instances_max,
            notify_hosts=settings.notify_hosts,
            late=self.late.of,
        )

    def _group_of(self, row: int) -> str:
        point = self.registry.points.get(row)
        return point.gateway if point else "unknown"

    def _has_room(self) -> bool:
        return self.history.recent_samples < HELD_FLUSHES_MAX * self.config.history.flush_samples

    def stop(self) -> None:
        """End ``run``."""
        self._stopping.set()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until stopped; ``ready`` is called when every port listens.

        Raises:
            StoreError: a port or a file cannot be used; the text says which.
            BaseExceptionGroup: a part failed; the log has it, and a restart may cure it.
        """
        link, host_port = self.config.link, split_address(self.config.http.bind)
        try:
            web_config = self._web_config(*host_port)
            listening = _listening(*host_port)
        except StoreError:
            self._close()
            raise
        self.http_port = listening.getsockname()[1]
        try:
            await self.link.start(link.bind, link.enrol_bind, link.address)
            local_token(self.access, self.config.state / "admin.token")
            server = _Server(web_config)
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self.committer.run(), name="committer"),
                    tasks.create_task(self._check(), name="checks"),
                    tasks.create_task(self._flush(), name="history"),
                    tasks.create_task(self._trim(), name="evolution"),
                    tasks.create_task(self.broker.run(), name="notifications"),
                    tasks.create_task(self.command_entities.run(), name="commands"),
                ]
                web = tasks.create_task(server.serve([listening]), name="web")
                _log.info("hub.ready", http=f"{host_port[0]}:{self.http_port}")
                ready()
                stopping = tasks.create_task(self._stopping.wait(), name="stop")
                await asyncio.wait({web, stopping}, return_when=asyncio.FIRST_COMPLETED)
                await self.link.stop()
                server.should_exit = True
                await web
                for task in (*running, stopping):
                    task.cancel()
        finally:
            listening.close()
            await self.link.stop()
            self._close()

    def _web_config(self, host: str, port: int) -> uvicorn.Config:
        http = self.config.http
        config = uvicorn.Config(
            self.site,
            host=host,
            port=port,
            ssl_certfile=http.certificate or None,
            ssl_keyfile=http.key or None,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=STOP_S_MAX,
            ws_max_size=4096,
            ws="websockets-sansio",
        )
        try:
            config.load()
        except OSError as error:  # ssl.SSLError is one
            raise StoreError(
                f"[http] certificate {http.certificate} with key {http.key} cannot be used: {error}"
            ) from error
        return config

    async def _check(self) -> None:
        while True:
            try:
                self._check_once(self.clock.now_ns())
            except StoreError as error:
                _log.error("hub.check_failed", reason=str(error))
            await asyncio.sleep(CHECK_S)

    def _check_once(self, now_ns: int) -> None:
        self.ingest.save_refusals()
        gateways, connections = self.registry.gateways(), self.ingest.connections
        # Nobody could be heard before the hub began.
        heard = {
            gateway.name: now_ns
            if gateway.name in connections
            else max(gateway.seen_ns, self._began_ns)
            for gateway in gateways
            if gateway.state == "enrolled" and gateway.seen_ns
        }
        refused = {gateway.name: gateway.refused_ns for gateway in gateways if gateway.refused_ns}
        self.alarms.check(heard, now_ns, refused)
        self.commands.check(now_ns)
        self.configs.check(now_ns)

    async def _trim(self) -> None:
        """Delete how entities evolved long ago, where only some days are kept."""
        days = self.config.ngsild.evolution_days
        while days:
            try:
                await asyncio.to_thread(self.broker.trim, days)
            except StoreError as error:
                _log.error("hub.trim_failed", reason=str(error))
            await asyncio.sleep(TRIM_S)

    async def _flush(self) -> None:
        """Write history out now and then, and let the journal forget what is in files and twin."""
        loop, settings = asyncio.get_running_loop(), self.config.history
        written_ns = self.clock.monotonic_ns()
        while True:
            await asyncio.sleep(CHECK_S)
            now_ns, recent = self.clock.monotonic_ns(), self.history.recent_samples
            due = now_ns - written_ns >= settings.flush_s * SECOND_NS
            if recent < settings.flush_samples and not (due and recent):
                continue
            if not self.alarms.save():
                continue  # else what the journal forgets now could not give them again
            position, save = self.readers.position, self.readers.saving()
            try:
                await loop.run_in_executor(self._compactor, save)
                await loop.run_in_executor(self._compactor, self.history.flush, position)
                await loop.run_in_executor(self._disk, self.journal.trim, position)
            except (StoreError, OSError) as error:
                _log.error("history.flush_failed", reason=str(error))
            written_ns = now_ns

    def _close(self) -> None:
        self._disk.shutdown()
        self._compactor.shutdown()
        self.ingest.save_refusals()
        try:
            if self.alarms.save():
                self.readers.saving()()
                self.history.flush(self.readers.position)
        except StoreError as error:
            _log.error("history.flush_failed", reason=str(error))  # the journal has it all
        with contextlib.suppress(StoreError):  # told above, and closing tries it once more
            self._stores.close()
        _log.info("hub.stopped")


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # signals are the command's business
        yield


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise StoreError(f"[http] bind {host}:{port} cannot be listened on: {why}") from error
