"""The whole gateway on one screen: what it is made of, what runs, and how it stops.

Clock, way to the hub and chance are arguments, so the same agent runs on a virtual clock over a
line in process. A part that raises what it should not ends the agent: systemd starts it again, and
nothing that was accepted is lost. Only pollers never end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Final, TypeVar

import numpy as np
import structlog

from citytwin.adapter import Site
from citytwin.batch import SECOND_NS, Batch
from citytwin.clock import Clock
from citytwin.command import Outcome
from citytwin.errors import CommandError, StoreError
from citytwin.quality import Severity, severity
from citytwin_edge import health
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.commander import Commander
from citytwin_edge.gateway import MIB, GatewayConfig
from citytwin_edge.kernels import build
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import EntryKind, NewEntry, Outbox
from citytwin_edge.pipeline import Parcel, Pipeline
from citytwin_edge.poller import Poller
from citytwin_edge.uplink import Uplink
from citytwin_protos.codec import SAMPLES_MAX, outcome_to_bytes, pack
from citytwin_protos.transport import Line

HEALTH_S: Final = 10.0
SNAPSHOT_NS: Final = 60 * SECOND_NS
HELD_BYTES_MAX: Final = 32 * MIB
"""Blocks that the disk would not take wait in memory up to here; then the oldest go, counted."""

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
        self.config, self._clock, state = config, clock, config.state
        self.outbox = Outbox(state / "outbox.db", size_bytes_max=config.outbox_bytes_max)
        self.numbering = Numbering(self.outbox.connect())
        kernels = build([(one.point, one.rules) for one in config.points])
        own = health.points(
            config.name,
            config.label,
            config.place,
            [device.name for device in config.devices],
        )
        measured = [one.point for one in config.points]
        derived = [point for kernel in kernels.values() for point in kernel.outputs]
        points = [*measured, *derived, *own]
        numbers = self.numbering.numbers(points)
        own_numbers = numbers[len(points) - len(own) :]
        self.pipeline = Pipeline(kernels, points, numbers)
        self.pipeline.restore(self.outbox.snapshots())
        site = Site(clock, self.numbering.intern)
        self.pollers: dict[str, Poller] = {}
        first = 0
        for device in config.devices:
            mine = numbers[first : first + len(device.points)]
            spec = device.spec(device.build(site), mine)
            self.pollers[device.name] = Poller(spec, clock, self._take)
            first += len(device.points)
        self._latest = np.full(int(numbers.max()) + 1, np.nan)
        self._numbers = {point.id: int(n) for point, n in zip(points, numbers, strict=True)}
        self.trust = ClockTrust(clock)
        self._health = health.Health(own_numbers, self.trust)
        self.commander = Commander(
            state / "commands.db",
            {point.id: point for point in measured},
            write=self._write,
            tell=self._tell,
            now_ns=self.trust.hub_now_ns,
            latest=self._latest_good,
            interlocks=config.interlocks,
        )
        self._disk_thread = ThreadPoolExecutor(1, "disk")
        self.uplink = Uplink(
            self.outbox, self.numbering, connect, clock, self._disk,
            trust=self.trust, command=self.commander.offer, random=random,
        )  # fmt: skip
        self._held: deque[NewEntry] = deque()
        self._snapshot_ns = 0
        self._stopping = asyncio.Event()
        self.accepted_samples = 0
        self.dropped_samples = 0

    def stop(self) -> None:
        """End ``run``: flush, then return."""
        self._stopping.set()

    async def run(self) -> None:
        """Read, keep and send until stopped."""
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(poller.run()) for poller in self.pollers.values()]
                running.append(tasks.create_task(self.commander.run()))
                running.append(tasks.create_task(self.uplink.run()))
                running.append(tasks.create_task(self._tell_health()))
                await self._flush_until_stopped()
                for task in running:
                    task.cancel()
        finally:
            self._disk_thread.shutdown()
            self.commander.close()
            self.outbox.close()

    def _take(self, batch: Batch) -> None:
        good = severity(batch.quality) != Severity.BAD
        self._latest[batch.point] = np.where(good, batch.value, np.nan)
        self.pipeline.take(self.trust.marked(batch))

    async def _flush_until_stopped(self) -> None:
        """Flush on a fixed grid; once more at the end."""
        loop, period_s = asyncio.get_running_loop(), self.config.flush_ns / SECOND_NS
        due = loop.time()
        while not self._stopping.is_set():
            due = max(due + period_s, loop.time())
            try:
                async with asyncio.timeout_at(due):
                    await self._stopping.wait()
            except TimeoutError:
                await self.flush()
        await self.flush(final=True)

    async def flush(self, *, final: bool = False) -> None:
        """Bring what was read into the outbox; what the disk will not take waits in memory."""
        for entry in _entries(self.pipeline.tick()):
            self._held.append(entry)
        now_ns, snapshots = self._clock.monotonic_ns(), None
        if final or now_ns - self._snapshot_ns >= SNAPSHOT_NS:
            snapshots, self._snapshot_ns = self.pipeline.snapshots(), now_ns
        if not self._held and snapshots is None:
            return
        waiting = list(self._held)
        try:
            await self._disk(self.outbox.append_many, waiting, snapshots)
        except StoreError as error:
            _log.error("agent.outbox_refuses", reason=str(error), waiting=len(waiting))
            self._drop_surplus()
            return
        for entry in waiting:
            self._held.popleft()
            self.accepted_samples += entry.samples
        self.uplink.wake()

    def _drop_surplus(self) -> None:
        size = sum(len(entry.body) for entry in self._held)
        while size > HELD_BYTES_MAX:
            oldest = self._held.popleft()
            size -= len(oldest.body)
            self.dropped_samples += oldest.samples

    async def _tell_health(self) -> None:
        while True:
            stats = await self._disk(self.outbox.stats)
            dropped = self.dropped_samples + self.pipeline.dropped
            devices = {name: poller.stats for name, poller in self.pollers.items()}
            batch = self._health.measure(self._clock.now_ns(), stats, dropped, devices)
            self.pipeline.take(self.trust.marked(batch))
            await asyncio.sleep(HEALTH_S)

    async def _write(self, point_id: str, value: float) -> None:
        device = point_id.split("/")[1]
        if device not in self.pollers:
            raise CommandError(f"{point_id} belongs to no device")
        await self.pollers[device].write(self._numbers[point_id], value)

    async def _tell(self, outcome: Outcome) -> None:
        """Keep an outcome with the samples that came before it, then let it be sent."""
        self._held.append(NewEntry(EntryKind.OUTCOME, outcome_to_bytes(outcome), 0))
        await self.flush()

    def _latest_good(self, point_id: str) -> float | None:
        value = float(self._latest[self._numbers[point_id]])
        return value if np.isfinite(value) else None

    async def _disk(self, call: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk_thread, call, *arguments)


def _entries(parcel: Parcel) -> list[NewEntry]:
    """Return the blocks of one tick; alarms come first, they are what somebody waits for."""
    entries = []
    for kind, batch in ((EntryKind.ALARM, parcel.alarms), (EntryKind.TELEMETRY, parcel.telemetry)):
        for start in range(0, len(batch), SAMPLES_MAX):
            part = batch.select(slice(start, start + SAMPLES_MAX))
            entries.append(NewEntry(kind, pack(part), len(part)))
    return entries
