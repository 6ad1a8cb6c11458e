"""The whole gateway on one screen: what it is made of, what runs, and how it stops.

Clock, way to the hub and chance are arguments, so the same agent runs on a virtual clock over a
line in process. A part that raises what it should not ends the agent with that error: systemd
starts it again, and nothing that was accepted is lost. Only pollers never end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Final, TypeVar

import numpy as np
import structlog

from citytwin.adapter import Site
from citytwin.batch import SECOND_NS, Batch
from citytwin.clock import Clock
from citytwin.command import Outcome
from citytwin.errors import DeviceError, StoreError
from citytwin.point import Kind, Point
from citytwin.quality import Quality
from citytwin_edge.admission import Admission
from citytwin_edge.assembly import Assembly, Workshop
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.commander import JOURNAL, Commander
from citytwin_edge.console.latest import Latest
from citytwin_edge.crew import Crew, part
from citytwin_edge.enrol import AUTHORITY
from citytwin_edge.failsafe import FailSafe
from citytwin_edge.gateway import GatewayConfig
from citytwin_edge.keeper import Keeper
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import Entry, EntryKind, NewEntry, Outbox, OutboxStats
from citytwin_edge.pipeline import Parcel, Pipeline
from citytwin_edge.poller import Poller
from citytwin_edge.push_store import ConfigStore
from citytwin_edge.reload import Reloader
from citytwin_edge.remote import RemoteConfig
from citytwin_edge.signature import is_signed
from citytwin_edge.uplink import Uplink
from citytwin_protos.codec import outcome_to_bytes, pack
from citytwin_protos.transport import Line

HEALTH_S: Final = 10.0
SNAPSHOT_NS: Final = 60 * SECOND_NS
LARGE_SNAPSHOT_NS: Final = 3600 * SECOND_NS
"""So often large states are kept: 1,000 points that are watched for anomalies take 9 MB."""
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
        redial: Callable[[GatewayConfig], None] = lambda _config: None,
    ) -> None:
        """Open the stores and build every part; touches no network.

        ``redial`` lets ``connect`` call the hub of another configuration.

        Raises:
            CityTwinError: a store or the configuration cannot be used.
        """
        state = config.state
        self.trust = ClockTrust(clock)
        self.outbox = Outbox(state / "outbox.db", size_bytes_max=config.outbox_bytes_max)
        # One thread for everything that touches the disk; who asks, waits, so its queue is short.
        self._disk_thread = ThreadPoolExecutor(1, "disk")
        self.numbering = Numbering(self.outbox.connect())
        self._shop = Workshop(self.numbering, self.trust, self._take)
        self.now = Assembly(config, self._shop)
        self.now.pipeline.restore(self.outbox.snapshots())
        self.numbering.use(self.now.own)
        self.latest = Latest(self.numbering.size)
        self.site = Site(self.trust, self.numbering.intern, taps=self._shop.taps)
        self.admission = Admission(self.trust)
        self.keeper = Keeper(self.outbox, self._disk)
        self.commander = Commander(
            state / JOURNAL,
            self.now.commandable,
            write=self._write,
            tell=self._tell,
            now_ns=self.trust.hub_now_ns,
            latest=self._latest_good,
            interlocks=config.interlocks,
            intervals_ns=config.intervals_ns,
        )
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
        self._redial = redial
        self.reloader = Reloader(lambda: self.config, self.change)
        self.remote = self.uplink.configures = RemoteConfig(
            ConfigStore(config.path, state),
            self.reloader,
            self.uplink,
            authority=(state / AUTHORITY).read_bytes,
            is_signed=is_signed,
            last_number=self._last_number,
            now_ns=self.trust.hub_now_ns,
        )
        self._snapshot_ns = self._large_ns = 0
        self._read_back = Batch.empty()
        self._changed, self._stopping = asyncio.Event(), asyncio.Event()

    @property
    def config(self) -> GatewayConfig:
        """The configuration that runs."""
        return self.now.config

    @property
    def pipeline(self) -> Pipeline:
        """The kernels that run."""
        return self.now.pipeline

    @property
    def pollers(self) -> dict[str, Poller]:
        """The devices' pollers that run, by name."""
        return self.now.pollers

    @property
    def accepted_samples(self) -> int:
        """How many samples the outbox has taken since the start."""
        return self.keeper.accepted_samples

    @property
    def dropped_samples(self) -> int:
        """How many samples were lost since the start: neither disk nor memory had room."""
        return self.keeper.dropped_samples + self.pipeline.dropped + self.admission.dropped

    def points(self) -> list[tuple[int, Point]]:
        """Return every point with its number: measured, derived, and the agent's own."""
        found = ((number, self.numbering.point(number)) for number in self.now.numbers.values())
        return [(number, point) for number, point in found if point is not None]

    def text(self, number: int) -> str:
        """Return the text that a number stands for; empty where none does."""
        return self.numbering.text(number)

    async def outbox_stats(self) -> tuple[OutboxStats, Entry | None]:
        """Return what is in the outbox, and its oldest entry.

        Raises:
            StoreError: it cannot be read.
        """
        stats = await self._disk(self.outbox.stats)
        return stats, next(iter(await self._disk(self.outbox.pending, 0, 1)), None)

    def stop(self) -> None:
        """End ``run``: keep what was read, then return."""
        self._stopping.set()

    async def run(self) -> None:
        """Read, keep and send until stopped.

        Raises:
            ExceptionGroup: a part failed that must not; what was read is kept.
        """
        _log.info("agent.started", gateway=self.config.name, devices=len(self.pollers),
                  points=len(self.now.own), state=str(self.config.state))  # fmt: skip
        try:
            await self._keep(self._farewell(), [])
            async with asyncio.TaskGroup() as sending:
                uplink = sending.create_task(part("uplink", self.uplink.run()))
                async with asyncio.TaskGroup() as reading:
                    self._crew = Crew(reading)
                    self._crew.engage(self.pollers.values())
                    parts = [
                        part("commander", self.commander.run()),
                        part("failsafe", self.failsafe.run()),
                        part("health", self._tell_health()),
                        part("flush", self._flush_for_ever()),
                        part("reload", self.reloader.run()),
                        part("remote", self.remote.run()),
                    ]
                    tasks = [reading.create_task(part) for part in parts]
                    await self._stopping.wait()
                    for task in tasks:
                        task.cancel()
                    self._crew.end()
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

    async def change(self, config: GatewayConfig) -> str:
        """Let another configuration take the place of this one; return what has changed, in words.

        Devices that are wired as before do not notice. What was read by the old one is kept by it,
        and what was read of points that are no more ends with a sample that says so.

        Raises:
            BUILD_ERRORS: it cannot be built; everything is as it was.
        """
        before, now = self.now, Assembly(config, self._shop, self.now)
        leaving = [one for name, one in before.pollers.items() if now.pollers.get(name) is not one]
        await self._crew.dismiss(leaving)
        # Nothing comes in between from here on until all is in its new place.
        entries, confirmations = self._harvest()
        entries += _entries(now.succeed(before))
        self.now = now
        self.latest.make_room(self.numbering.size)
        self.numbering.use(now.own)
        entries += self._farewell()
        self.commander.change(now.commandable, config.interlocks, config.intervals_ns)
        self.failsafe.points = config.failsafe
        self.outbox.size_bytes_max = config.outbox_bytes_max
        self._crew.engage(now.fresh.values())
        if config.hub != before.config.hub:
            self._redial(config)
            self.uplink.reconnect("the address of the hub has changed")
        self._changed.set()
        await self._keep(entries, confirmations, self.pipeline.snapshots())
        for poller in leaving:
            poller.part()
        self.uplink.tell_config()
        return now.described(before)

    def _take(self, batch: Batch) -> None:
        self.latest.take(batch)
        self.pipeline.take(self.admission.admit(batch))

    async def _flush_for_ever(self) -> None:
        """Flush on a fixed grid; slots that pass while the disk is slow are left out."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self.config.flush_ns / SECOND_NS, loop.time())
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                await self.flush()
            else:
                self._changed.clear()
                due = loop.time()

    async def flush(self, *, final: bool = False) -> None:
        """Bring what was read into the outbox, kernels' states once a minute and at the end.

        Large states are kept once an hour, with their alarms, and at the end.
        """
        entries, confirmations = self._harvest()
        now_ns, snapshots = self.trust.monotonic_ns(), None
        if final or now_ns - self._snapshot_ns >= SNAPSHOT_NS:
            large = final or now_ns - self._large_ns >= LARGE_SNAPSHOT_NS
            snapshots, self._snapshot_ns = self.pipeline.snapshots(large=large), now_ns
            self._large_ns = now_ns if large else self._large_ns
        await self._keep(entries, confirmations, snapshots)

    def _harvest(self) -> tuple[list[NewEntry], list[Callable[[], None]]]:
        """Return what was read since the last time, and whom to tell when it is kept."""
        self.pipeline.take(self.admission.released())
        asked = [poller.confirmation() for poller in self.pollers.values()]
        parcel = self.pipeline.tick()
        self.latest.take_derived(parcel.telemetry)
        return _entries(parcel), [one for one in asked if one is not None]

    def _farewell(self) -> list[NewEntry]:
        """Return a last sample of every point that is no more: it does not stay as it was."""
        numbers = self.numbering.untold()
        last = Batch.of(numbers, self.trust.now_ns(), [np.nan] * len(numbers), Quality.BAD_STALE)
        kinds = [getattr(self.numbering.point(number), "kind", None) for number in numbers.tolist()]
        alarm = np.array([kind == Kind.ALARM for kind in kinds], bool)
        last = self.admission.admit(last)
        alarm = alarm[: len(last)]
        return _entries(Parcel(last.select(~alarm), last.select(alarm)))

    async def _keep(
        self,
        entries: Sequence[NewEntry],
        confirmations: Sequence[Callable[[], None]],
        snapshots: Mapping[str, bytes] | None = None,
    ) -> None:
        if await self.keeper.keep(entries, snapshots):
            self.uplink.wake()
        # Later entries may wait again by now; then the next flush confirms these too.
        if not self.keeper.held_bytes and not self.admission.waiting_samples:
            for confirm in confirmations:
                confirm()
            try:
                self.numbering.told()
            except StoreError as error:
                _log.error("numbers.untold", reason=str(error))

    async def _tell_health(self) -> None:
        while True:
            try:
                stats = await self._disk(self.outbox.stats)
            except StoreError as error:
                _log.error("agent.health_unknown", reason=str(error))
            else:
                devices = {name: poller.stats for name, poller in self.pollers.items()}
                now_ns, lost = self.trust.now_ns(), self.dropped_samples
                config = self.reloader.health
                batch = self.now.health.measure(now_ns, stats, lost, devices, config)
                self.pipeline.take(self.admission.admit(batch))
            await asyncio.sleep(HEALTH_S)

    async def _write(self, point_id: str, value: float) -> None:
        # The commander knows the points that the assembly calls commandable, and no others.
        number = self.now.numbers[point_id]
        if point_id not in self.pipeline.commandable:
            await self.pollers[point_id.split("/")[1]].write(number, value)
            return
        said, states = self.pipeline.obey(number, value, self.trust.now_ns())
        self._read_back = said.select(said.point == number)
        if states and not await self.keeper.keep([], states):
            raise DeviceError("the disk refuses, so a restart would forget it")

    async def _tell(self, outcome: Outcome) -> None:
        """Keep an outcome behind the samples that came before it, then let it be sent.

        What a kernel was read back to be is said again behind it: before it nobody waits for that.
        """
        await self.flush()
        if await self.keeper.keep([NewEntry(EntryKind.OUTCOME, outcome_to_bytes(outcome), 0)]):
            self.uplink.wake()
        last, self._read_back = self._read_back.select(slice(-1, None)), Batch.empty()
        if len(last):
            at_ns = max(self.trust.now_ns(), outcome.at_ns)
            self.pipeline.say(Batch.of(last.point, at_ns, last.value, last.quality))

    async def _last_number(self) -> int:
        return (await self._disk(self.outbox.stats)).last_number

    def _latest_good(self, point_id: str) -> float | None:
        return self.latest.good(self.now.numbers[point_id])

    async def _disk(self, call: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk_thread, call, *arguments)


def _entries(parcel: Parcel) -> list[NewEntry]:
    """Return the blocks of one tick; alarms come last: the value behind one is there before it."""
    entries = []
    for kind, batch in ((EntryKind.TELEMETRY, parcel.telemetry), (EntryKind.ALARM, parcel.alarms)):
        for start in range(0, len(batch), BLOCK_SAMPLES_MAX):
            part = batch.select(slice(start, start + BLOCK_SAMPLES_MAX))
            entries.append(NewEntry(kind, pack(part), len(part)))
    return entries
