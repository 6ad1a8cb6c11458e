"""The whole gateway on one screen: what it is made of, what runs, and how it stops.

Clock, way to the hub and chance are arguments, so the same agent runs on a virtual clock over a
line in process. A part that raises what it should not ends the agent with that error: systemd
starts it again, and nothing that was accepted is lost. Only pollers never end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from citytwin.adapter import Site
from citytwin.batch import SECOND_NS, Batch
from citytwin.clock import Clock
from citytwin.command import Outcome
from citytwin.errors import StoreError
from citytwin.quality import Severity, severity
from citytwin_edge import health
from citytwin_edge.admission import Admission
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.commander import Commander
from citytwin_edge.failsafe import FailSafe
from citytwin_edge.gateway import GatewayConfig, nanoseconds
from citytwin_edge.keeper import Keeper
from citytwin_edge.kernels import build
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import EntryKind, NewEntry, Outbox
from citytwin_edge.pipeline import Parcel, Pipeline
from citytwin_edge.poller import Poller
from citytwin_edge.uplink import Uplink
from citytwin_protos.codec import outcome_to_bytes, pack
from citytwin_protos.transport import Line

HEALTH_S: Final = 10.0
SNAPSHOT_NS: Final = 60 * SECOND_NS
BLOCK_SAMPLES_MAX: Final = 10_000
"""In one entry: what is thinned, sent and acknowledged as one."""

_log = structlog.get_logger(__name__)
T = TypeVar("T")


class Agent:
    """One gateway; ``run`` returns when ``stop`` is called."""

    def __init__(
        self,
        config: GatewayConfig,
        clock: Clock,
        connect: Callable[[], Awaitable[Line]],
        random: Random,
    ) -> None:
        """Open the stores and build every part; touches no network.

        Raises:
            CityTwinError: a store or the configuration cannot be used.
        """
        self.config, state = config, config.state
        self.trust = ClockTrust(clock)
        self.outbox = Outbox(state / "outbox.db", size_bytes_max=config.outbox_bytes_max)
        # One thread for everything that touches the disk; who asks, waits, so its queue is short.
        self._disk_thread = ThreadPoolExecutor(1, "disk")
        self.numbering = Numbering(self.outbox.connect())
        self._build_points()
        self._build_pollers()
        self.admission = Admission(self.trust)
        self.keeper = Keeper(self.outbox, self._disk)
        self.commander = Commander(
            state / "commands.db",
            {one.point.id: one.point for one in config.points},
            write=self._write,
            tell=self._tell,
            now_ns=self.trust.hub_now_ns,
            latest=self._latest_good,
            interlocks=config.interlocks,
            intervals_ns={
                one.point.id: nanoseconds(one.write.interval_s_min)
                for one in config.points if one.write is not None
            },
        )  # fmt: skip
        self.uplink = Uplink(
            self.outbox, self.numbering, connect, self._disk,
            trust=self.trust, command=self.commander.offer, random=random,
        )  # fmt: skip
        self.failsafe = FailSafe(
            config.failsafe,
            connected=lambda: self.uplink.connected,
            monotonic_ns=self.trust.monotonic_ns,
            last_set=self.commander.last_set,
            secure=self.commander.secure,
        )
        self._snapshot_ns = 0
        self._stopping = asyncio.Event()

    def _build_points(self) -> None:
        """Number the points and put the kernels between them."""
        config = self.config
        kernels = build([(one.point, one.rules) for one in config.points])
        derived = [point for kernel in kernels.values() for point in kernel.outputs]
        names = [device.name for device in config.devices]
        own = health.points(config.name, config.label, config.place, names)
        points = [*(one.point for one in config.points), *derived, *own]
        self._measured = numbers = self.numbering.numbers(points)
        self._numbers = {point.id: int(n) for point, n in zip(points, numbers, strict=True)}
        self._latest = np.full(int(numbers.max()) + 1, np.nan)
        self._health = health.Health(numbers[len(points) - len(own) :], self.trust)
        self.pipeline = Pipeline(kernels, points, numbers)
        self.pipeline.restore(self.outbox.snapshots())

    def _build_pollers(self) -> None:
        site = Site(self.trust, self.numbering.intern)
        self.pollers: dict[str, Poller] = {}
        first = 0
        for device in self.config.devices:
            mine = self._measured[first : first + len(device.points)]
            spec = device.spec(device.build(site), mine)
            self.pollers[device.name] = Poller(spec, self.trust, self._take)
            first += len(device.points)

    @property
    def accepted_samples(self) -> int:
        """How many samples the outbox has taken since the start."""
        return self.keeper.accepted_samples

    @property
    def dropped_samples(self) -> int:
        """How many samples were lost since the start: neither disk nor memory had room."""
        return self.keeper.dropped_samples + self.pipeline.dropped + self.admission.dropped

    def stop(self) -> None:
        """End ``run``: keep what was read, then return."""
        self._stopping.set()

    async def run(self) -> None:
        """Read, keep and send until stopped.

        Raises:
            ExceptionGroup: a part failed that must not; what was read is kept.
        """
        _log.info("agent.started", gateway=self.config.name, devices=len(self.pollers),
                  points=len(self._measured), state=str(self.config.state))  # fmt: skip
        try:
            async with asyncio.TaskGroup() as sending:
                uplink = sending.create_task(_part("uplink", self.uplink.run()))
                async with asyncio.TaskGroup() as reading:
                    parts = [
                        *(_part(name, poller.run()) for name, poller in self.pollers.items()),
                        _part("commander", self.commander.run()),
                        _part("failsafe", self.failsafe.run()),
                        _part("health", self._tell_health()),
                        _part("flush", self._flush_for_ever()),
                    ]
                    tasks = [reading.create_task(part) for part in parts]
                    await self._stopping.wait()
                    for task in tasks:
                        task.cancel()
                await self.flush(final=True)
                uplink.cancel()
        except BaseException:
            await self.flush(final=True)
            raise
        finally:
            self.admission.abandon()
            self._disk_thread.shutdown()
            self.commander.close()
            self.outbox.close()
            _log.info("agent.stopped", accepted=self.accepted_samples, lost=self.dropped_samples)

    def _take(self, batch: Batch) -> None:
        good = severity(batch.quality) != Severity.BAD
        self._latest[batch.point] = np.where(good, batch.value, np.nan)
        self.pipeline.take(self.admission.admit(batch))

    async def _flush_for_ever(self) -> None:
        """Flush on a fixed grid; slots that pass while the disk is slow are left out."""
        loop, period_s = asyncio.get_running_loop(), self.config.flush_ns / SECOND_NS
        due = loop.time()
        while True:
            due = max(due + period_s, loop.time())
            await asyncio.sleep(due - loop.time())
            await self.flush()

    async def flush(self, *, final: bool = False) -> None:
        """Bring what was read into the outbox, kernels' states once a minute and at the end."""
        self.pipeline.take(self.admission.released())
        confirmations = [poller.confirmation() for poller in self.pollers.values()]
        entries = _entries(self.pipeline.tick())
        now_ns, snapshots = self.trust.monotonic_ns(), None
        if final or now_ns - self._snapshot_ns >= SNAPSHOT_NS:
            snapshots, self._snapshot_ns = self.pipeline.snapshots(), now_ns
        if await self.keeper.keep(entries, snapshots):
            self.uplink.wake()
        # Later entries may wait again by now; then the next flush confirms these too.
        if not self.keeper.held_bytes and not self.admission.waiting_samples:
            for confirm in confirmations:
                if confirm is not None:
                    confirm()

    async def _tell_health(self) -> None:
        while True:
            try:
                stats = await self._disk(self.outbox.stats)
            except StoreError as error:
                _log.error("agent.health_unknown", reason=str(error))
            else:
                devices = {name: poller.stats for name, poller in self.pollers.items()}
                now_ns, lost = self.trust.now_ns(), self.dropped_samples
                batch = self._health.measure(now_ns, stats, lost, devices)
                self.pipeline.take(self.admission.admit(batch))
            await asyncio.sleep(HEALTH_S)

    async def _write(self, point_id: str, value: float) -> None:
        # The commander knows the devices' points only.
        await self.pollers[point_id.split("/")[1]].write(self._numbers[point_id], value)

    async def _tell(self, outcome: Outcome) -> None:
        """Keep an outcome behind the samples that came before it, then let it be sent."""
        await self.flush()
        if await self.keeper.keep([NewEntry(EntryKind.OUTCOME, outcome_to_bytes(outcome), 0)]):
            self.uplink.wake()

    def _latest_good(self, point_id: str) -> float | None:
        value = float(self._latest[self._numbers[point_id]])
        return value if np.isfinite(value) else None

    async def _disk(self, call: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk_thread, call, *arguments)


async def _part(name: str, work: Coroutine[Any, Any, None]) -> None:
    """Run a part that goes on until it is cancelled; tell if it does not."""
    try:
        await work
        raise RuntimeError(f"{name} has ended by itself")
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        _log.critical("agent.part_failed", part=name, exc_info=error)
        raise


def _entries(parcel: Parcel) -> list[NewEntry]:
    """Return the blocks of one tick; alarms come last: the value behind one is there before it."""
    entries = []
    for kind, batch in ((EntryKind.TELEMETRY, parcel.telemetry), (EntryKind.ALARM, parcel.alarms)):
        for start in range(0, len(batch), BLOCK_SAMPLES_MAX):
            part = batch.select(slice(start, start + BLOCK_SAMPLES_MAX))
            entries.append(NewEntry(kind, pack(part), len(part)))
    return entries
