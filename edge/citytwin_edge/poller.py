"""Poller: keeps one device going: pace, time-out, back-off, quality, statistics.

One poller owns one adapter. It polls on a fixed grid of the event loop's clock (no drift, never two
polls at a time), listens where the adapter speaks by itself, leaves a silent device longer and
longer alone, and never dies: whatever goes wrong is counted and becomes samples of bad quality.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import structlog

from citytwin.adapter import Adapter, Confirms, Listens, Parts, Picks, Reads, Writes
from citytwin.batch import SECOND_NS, Batch, Float64, Int32
from citytwin.clock import Clock
from citytwin.errors import DeviceError, DeviceRefused, DeviceSilent
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin_edge.pollstats import PollStats, complaint, reason_of
from citytwin_edge.scaling import Scaling

CLOSE_S_MAX: Final = 1.0
REST_S_MAX: Final = 10.0
"""A device that is configured anew may take so long to answer what it has been asked before."""
GRID_S_MAX: Final = 1.0
"""Polls begin on multiples of this, or of the period if shorter, of the loop's clock: devices of
one pace are asked at one moment, which takes a quarter of the processor time that it takes to wake
up for each of fifty."""
SLOT_TOLERANCE: Final = 1e-3
"""Part of a period by which a pause may be cut short, to begin with a slot rather than miss it."""
STALE_CHECK_S_MIN: Final = 0.01

_log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class DeviceSpec:
    """What a poller must know of its device; arrays have one row for each of the n points.

    Attributes:
        name: the device's name on this gateway.
        adapter: speaks to it.
        points: as the adapter numbers them.
        numbers: int32, shape (n,): the gateway's number of each point.
        scale, offset: float64, shape (n,): value = device's value * scale + offset.
        period_ns: from one poll to the next.
        slow: which points need only be read every ``slow_period_ns``, if the adapter can choose.
        timeout_ns: longest time for one open, read or write, waiting for a shared line included;
            the adapter's own time-outs come first.
        stale_after_ns: a point heard of no more for so long is stale; 0: never. For adapters that
            listen.
        stale_together: a point is stale only when no other one was heard of either: it may be told
            when it changes.
        backoff_step_ns: after n failures in a row the device is left alone for n steps,
        backoff_max_ns: but no longer than this.
    """

    name: str
    adapter: Adapter
    points: tuple[Point, ...]
    numbers: Int32
    scale: Float64
    offset: Float64
    period_ns: int = SECOND_NS
    slow: tuple[int, ...] = ()
    slow_period_ns: int = 60 * SECOND_NS
    timeout_ns: int = 10 * SECOND_NS
    stale_after_ns: int = 0
    stale_together: bool = False
    backoff_step_ns: int = 2 * SECOND_NS
    backoff_max_ns: int = 300 * SECOND_NS

    def __post_init__(self) -> None:
        """Refuse times that are none (ValueError)."""
        if min(self.period_ns, self.timeout_ns, self.backoff_step_ns, self.backoff_max_ns) <= 0:
            raise ValueError(f"device {self.name}: period, time-out and back-off are above zero")
        if self.stale_after_ns < 0:
            raise ValueError(f"device {self.name}: stale_after_ns is not below zero")


def _pass_on_cancellation(error: BaseException) -> None:
    """Raise a cancellation that was meant for us; one that an adapter let slip is a fault."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


class Poller:
    """One device, polled or listened to; ``run`` goes on until it is cancelled."""

    def __init__(self, spec: DeviceSpec, clock: Clock, emit: Callable[[Batch], None]) -> None:
        """Prepare; touches no network.

        Args:
            spec: the device.
            clock: for the stamps of samples that no device stamped.
            emit: takes each batch at once, without waiting.

        Raises:
            ValueError: the spec's arrays do not fit its points.
            TypeError: its adapter neither reads nor listens.
        """
        if not isinstance(spec.adapter, Reads | Listens):
            raise TypeError(f"device {spec.name}: its adapter neither reads nor listens")
        self.spec = spec
        self.stats = PollStats()
        self._adapter = spec.adapter
        self._clock = clock
        self._take = emit
        self._scaling = Scaling(spec.points, spec.numbers, spec.scale, spec.offset)
        self._local = {int(number): index for index, number in enumerate(spec.numbers)}
        self._fast = tuple(n for n in range(len(spec.points)) if n not in set(spec.slow))
        self._slow_due = -math.inf
        self._lock = asyncio.Lock()
        self._opened = False
        self._resting = False
        self._nap: asyncio.Future[None] | None = None
        self._woken = False
        self._heard_at = np.zeros(len(spec.points))
        self._stale = np.zeros(len(spec.points), dtype=np.bool_)

    async def run(self) -> None:
        """Poll and listen until cancelled; closes the adapter at the end."""
        self._heard_at[:] = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                if isinstance(self._adapter, Reads):
                    group.create_task(self._poll_for_ever(self._adapter))
                if isinstance(self._adapter, Listens):
                    group.create_task(self._listen_for_ever(self._adapter))
                    if self.spec.stale_after_ns:
                        group.create_task(self._watch_stale())
        finally:
            await self.close()

    async def rest(self) -> None:
        """Begin nothing more, and wait for what is under way: ``run`` can be cancelled then.

        What the device has been asked for by now is emitted, unless it takes REST_S_MAX.
        """
        self._resting = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REST_S_MAX), self._lock:
                pass

    def part(self) -> None:
        """Give up the device for good, when ``run`` has ended."""
        if isinstance(self._adapter, Parts):
            self._adapter.part()

    async def close(self) -> None:
        """Close the adapter; needed only where ``run`` was not used. Never raises."""
        self._opened = False
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._adapter.close()
        except Exception as error:
            _log.warning("device did not close", device=self.spec.name, error=str(error))

    # ---- reading

    async def _poll_for_ever(self, adapter: Reads) -> None:
        loop = asyncio.get_running_loop()
        period_s = self.spec.period_ns / SECOND_NS
        grid_s = min(period_s, GRID_S_MAX)
        start = math.ceil(loop.time() / grid_s) * grid_s
        slot = 0
        while True:
            early = await self._nap_until(start + slot * period_s)
            if self._resting:
                await loop.create_future()
            pause_s = await self._poll(adapter)
            now = loop.time() - start
            following = slot if early else slot + 1
            if pause_s:
                slot = max(following, math.ceil((now + pause_s) / period_s - SLOT_TOLERANCE))
            else:
                # A poll that ran late begins its slot late; slots that are over are skipped.
                slot = max(following, math.floor(now / period_s))
                self.stats.skipped += slot - following

    async def _nap_until(self, when: float) -> bool:
        """Sleep until then by the loop's clock; returns whether a write ended it before."""
        loop = asyncio.get_running_loop()
        self._woken = False
        self._nap = loop.create_future()
        timer = loop.call_at(when, self._end_nap)
        try:
            await self._nap
        finally:
            timer.cancel()
            self._nap = None
        return self._woken

    def _end_nap(self) -> None:
        if self._nap is not None and not self._nap.done():
            self._nap.set_result(None)

    async def _poll(self, adapter: Reads) -> float:
        """Read once; returns how long to leave the device alone, in seconds: 0 if it answered."""
        self.stats.polls += 1
        try:
            async with self._lock:
                begun_ns = self._clock.monotonic_ns()
                async with asyncio.timeout(self.spec.timeout_ns / SECOND_NS):
                    await self._ensure_open()
                    batch = self._scaling.apply(await self._read(adapter))
                self.stats.took(self._clock.monotonic_ns() - begun_ns)
        except (Exception, asyncio.CancelledError) as error:
            _pass_on_cancellation(error)
            return self._failed(error)
        self._answered()
        self._emit(batch)
        return 0.0

    async def _read(self, adapter: Reads) -> Batch:
        """Read the points that are due: all of them, or without the slow ones."""
        if not self.spec.slow or not isinstance(adapter, Picks):
            return await adapter.read()
        now = asyncio.get_running_loop().time()
        if self._fast and now < self._slow_due and not self._woken:
            return await adapter.read_some(self._fast)
        batch = await adapter.read()
        # On the grid of the polls: a slow reading is one of them, not one more.
        period_s = self.spec.slow_period_ns / SECOND_NS
        self._slow_due = now + period_s - self.spec.period_ns / SECOND_NS / 2
        return batch

    async def _ensure_open(self) -> None:
        if not self._opened:
            await self._adapter.open()
            self._opened = True

    def _answered(self) -> None:
        self.stats.answered += 1
        self.stats.answered_ns = self._clock.now_ns()
        if self.stats.in_row:
            _log.info("device answers again", device=self.spec.name, after=self.stats.in_row)
            self.stats.in_row = 0
            self.stats.since_ns = self.stats.answered_ns
        elif not self.stats.since_ns:
            self.stats.since_ns = self.stats.answered_ns

    def _complained(self, reason: str) -> None:
        """Count what a listener said of itself: that it is gone, or that it had to leave out."""
        self.stats.failures[reason] += 1
        self.stats.in_row += 1
        self.stats.error = f"says itself: {reason}"
        if self.stats.in_row == 1:
            self.stats.since_ns = self._clock.now_ns()
            _log.warning("device failed", device=self.spec.name, reason=reason)

    def _failed(self, error: BaseException) -> float:
        """Count a failure, emit its samples and return how long to pause, in seconds."""
        quality, reason = reason_of(error)
        stats = self.stats
        stats.failures[reason] += 1
        stats.in_row += 1
        if stats.in_row == 1:
            stats.since_ns = self._clock.now_ns()
        stats.error = str(error) or ("no answer in time" if reason == "silent" else repr(error))
        if reason == "fault":
            _log.error("adapter failed", device=self.spec.name, exc_info=error)
        elif stats.in_row == 1:
            _log.warning("device failed", device=self.spec.name, reason=reason, error=stats.error)
        self._emit_bad(self.spec.numbers, quality)
        # A device that said something may be asked again at its usual pace, the first time.
        steps = stats.in_row if reason == "silent" else stats.in_row - 1
        pause_ns = min(steps * self.spec.backoff_step_ns, self.spec.backoff_max_ns)
        return pause_ns / SECOND_NS

    def _emit_bad(self, numbers: Int32, quality: Quality) -> None:
        now_ns = self._clock.now_ns()
        self._emit(Batch.of(numbers, now_ns, np.full(len(numbers), np.nan), quality))

    def _emit(self, batch: Batch) -> None:
        if not len(batch):
            return
        try:
            self._take(batch)
        except Exception as error:
            self.stats.failures["fault"] += 1
            _log.error("samples were not taken", device=self.spec.name, exc_info=error)
        else:
            self.stats.samples += len(batch)

    # ---- listening

    async def _listen_for_ever(self, adapter: Listens) -> None:
        while True:
            try:
                async with self._lock, asyncio.timeout(self.spec.timeout_ns / SECOND_NS):
                    await self._ensure_open()
                await self._listen(adapter.listen())
                raise DeviceSilent("the device stopped speaking")
            except (Exception, asyncio.CancelledError) as error:
                _pass_on_cancellation(error)
                self.stats.polls += 1
                pause_s = self._failed(error)
                self._stale[:] = True  # just been said
            await self.close()
            await asyncio.sleep(max(pause_s, self.spec.backoff_step_ns / SECOND_NS))

    async def _listen(self, stream: AsyncIterator[Batch]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for heard in stream:
                batch = self._scaling.apply(heard)
                self._heard_at[heard.point] = loop.time()
                reason = complaint(heard)
                self._stale[heard.point] = reason == "silent"  # just been said
                self.stats.polls += 1
                if reason:
                    self._complained(reason)
                else:
                    self._answered()
                self._emit(batch)
        finally:
            aclose = getattr(stream, "aclose", None)
            if aclose is not None:
                await aclose()

    async def _watch_stale(self) -> None:
        """Say once of each point that nothing was heard of it for too long."""
        loop = asyncio.get_running_loop()
        after_s = self.spec.stale_after_ns / SECOND_NS
        while True:
            now, heard_at = loop.time(), self._heard_at
            if self.spec.stale_together:
                heard_at = np.full_like(heard_at, heard_at.max(initial=0.0))
            overdue: npt.NDArray[np.bool_] = ~self._stale & (heard_at + after_s <= now)
            if overdue.any():
                self._stale |= overdue
                self._emit_bad(self.spec.numbers[overdue], Quality.BAD_STALE)
            fresh = heard_at[~self._stale]
            wait_s = float(fresh.min()) + after_s - now if len(fresh) else after_s
            await asyncio.sleep(max(wait_s, STALE_CHECK_S_MIN))

    # ---- on demand

    def confirmation(self) -> Callable[[], None] | None:
        """Return what is called when all that was emitted so far is durable; None: nobody waits."""
        return self._adapter.confirmation() if isinstance(self._adapter, Confirms) else None

    async def lend(self, use: Callable[[Adapter], Awaitable[T]], timeout_s: float) -> T:
        """Let somebody use the adapter, opened, between two polls; return what comes of it.

        Raises:
            TimeoutError: it took longer than ``timeout_s``, waiting for a poll's end included.
            DeviceError: the device cannot be reached.
        """
        async with asyncio.timeout(timeout_s), self._lock:
            await self._ensure_open()
            return await use(self._adapter)

    async def write(self, number: int, value: float) -> None:
        """Set a point and read the device at once, so that the read-back does not wait.

        Limits are the commander's business.

        Args:
            number: the gateway's number of the point.
            value: in the point's unit.

        Raises:
            DeviceRefused: the point is none of this device, cannot be written, or it said no.
            DeviceError: whether it was set is not known.
        """
        local = self._local.get(number)
        if local is None:
            raise DeviceRefused(f"point number {number} does not belong to {self.spec.name}")
        adapter = self._adapter
        if not isinstance(adapter, Writes):
            raise DeviceRefused(f"device {self.spec.name} cannot be commanded")
        if self._resting:
            raise DeviceRefused(f"{self.spec.name} is being configured anew; order it again")
        raw = self._scaling.undo(local, value)
        async with self._lock:
            try:
                async with asyncio.timeout(self.spec.timeout_ns / SECOND_NS):
                    await self._ensure_open()
                    await adapter.write(local, raw)
            except DeviceError:
                raise
            except OSError as error:
                raise DeviceSilent(str(error) or f"{self.spec.name} gave no answer") from None
            except Exception as error:
                _log.error("adapter failed", device=self.spec.name, exc_info=error)
                raise DeviceError(f"the adapter of {self.spec.name} failed: {error}") from error
        self._woken = True
        self._end_nap()
