"""Session: one adapter used as the gateway uses it, each of its answers held to the contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, TypeVar

import numpy as np

from citytwin.adapter import Adapter, Binding, Listens, Reads
from citytwin.batch import SECOND_NS, Batch
from citytwin.clock import SystemClock
from citytwin.errors import DeviceError, DeviceSilent
from citytwin.quality import KNOWN, Severity, severity
from citytwin.testing.report import BrokenPromise

CLOSE_S_MAX: Final = 1.0
T = TypeVar("T")


async def within(promise: str, call: Coroutine[Any, Any, T], timeout_s: float, what: str) -> T:
    """Return what a call returns, or raise the DeviceError that it raises.

    Raises:
        BrokenPromise: it takes longer, or raises what is no DeviceError.
    """
    task = asyncio.ensure_future(call)
    try:
        done, _ = await asyncio.wait([task], timeout=timeout_s)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CLOSE_S_MAX)
    if not done:
        raise BrokenPromise(promise, f"{what} still waits after {timeout_s:g} s")
    return outcome(promise, task, what)


def outcome(promise: str, task: asyncio.Task[T], what: str) -> T:
    """Return what a finished call returned, or raise its DeviceError; else the promise is broken.

    Raises:
        BrokenPromise: it raised what is no DeviceError.
    """
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        return task.result()
    if isinstance(error, DeviceError | BrokenPromise):
        raise error
    raise BrokenPromise(
        promise, f"{what} raised {type(error).__name__}: {error}; only a DeviceError is allowed"
    ) from error


def good(batch: Batch) -> Batch:
    """Return the samples that claim to be values: those that are not bad."""
    return batch.select(severity(batch.quality) != Severity.BAD)


class Session:
    """One adapter from ``open`` to ``close``; use it with ``async with``."""

    def __init__(self, adapter: Adapter, bindings: Sequence[Binding], timeout_s: float) -> None:
        """Take an adapter that nobody has opened yet."""
        self.adapter = adapter
        self.reads = adapter if isinstance(adapter, Reads) else None
        self.is_open = False
        self.awaited = frozenset(range(len(bindings)))
        self._names = [binding.point.name for binding in bindings]
        self._timeout_s = timeout_s
        self._last_ns: dict[int, int] = {}
        self._stream: AsyncIterator[Batch] | None = None
        self._next: asyncio.Task[Batch] | None = None

    async def __aenter__(self) -> Session:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        try:
            await self.close()
        except BrokenPromise:
            if error is None:
                raise

    # ---- calls

    async def open(self) -> None:
        """Open; a DeviceError means the same as one of the first call."""
        self.is_open = True
        await within("reopen", self.adapter.open(), self._timeout_s, "open()")

    async def close(self) -> None:
        """Listen no more and close, which never raises and takes at most a second."""
        self.is_open = False
        await self.deaf()
        try:
            await within("reopen", self.adapter.close(), CLOSE_S_MAX, "close()")
        except DeviceError as error:
            raise BrokenPromise("reopen", f"close() raised {error!r}; it must not") from error

    async def read(self, promise: str = "samples") -> Batch:
        """Read once; the batch is held to the contract."""
        assert self.reads is not None
        batch = await within(promise, self.reads.read(), self._timeout_s, "read()")
        self.judge(batch, range(len(self._names)))
        return batch

    async def hear(self, timeout_s: float, promise: str = "samples") -> Batch | None:
        """Return the next batch that is heard; None when none comes in that time."""
        if self._stream is None:
            assert isinstance(self.adapter, Listens)
            self._stream = aiter(self.adapter.listen())
        if self._next is None:
            self._next = asyncio.ensure_future(_following(self._stream))
        done, _ = await asyncio.wait([self._next], timeout=timeout_s)
        if not done:
            return None
        task, self._next = self._next, None
        try:
            batch = outcome(promise, task, "listen()")
        except (DeviceError, BrokenPromise):
            await self.deaf()
            raise
        self.judge(batch)
        return batch

    async def deaf(self, promise: str = "cancel") -> None:
        """Stop listening, as the gateway does: cancel the wait, close the iterator."""
        waiting, self._next = self._next, None
        stream, self._stream = self._stream, None
        if waiting is not None and not waiting.done():
            waiting.cancel()
            await asyncio.wait([waiting], timeout=CLOSE_S_MAX)
            if not waiting.done():
                raise BrokenPromise(promise, "listen() goes on after it was cancelled")
        if waiting is not None:
            with suppress(DeviceError, asyncio.CancelledError):
                waiting.result()
        aclose = getattr(stream, "aclose", None)
        if aclose is not None:
            await within(promise, aclose(), CLOSE_S_MAX, "closing listen()")

    # ---- what every check needs

    async def deliver(self) -> Batch:
        """Return samples of every point: one reading, or what is heard until all have spoken.

        Raises:
            DeviceError: as the adapter's.
            BrokenPromise: a sample is none, or one that reads leaves a point out.
        """
        return await (self.gather(self.awaited) if self.reads is None else self.read())

    async def gather(self, points: Collection[int], *, only_good: bool = False) -> Batch:
        """Return what is heard until these points have spoken, or the time is over."""
        clock, batches, missing = SystemClock(), [], set(points)
        loop = asyncio.get_running_loop()
        end, begun_ns = loop.time() + self._timeout_s, clock.monotonic_ns()
        # By a real clock, too: a virtual one stands still while much is heard.
        while missing and clock.monotonic_ns() - begun_ns < 2 * self._timeout_s * SECOND_NS:
            batch = await self.hear(end - loop.time())
            if batch is None:
                break
            batches.append(batch)
            missing -= set((good(batch) if only_good else batch).point.tolist())
        return Batch.concat(batches)

    def names(self, points: Iterable[int]) -> str:
        """Return the names of points, for people."""
        return ", ".join(self._names[point] for point in sorted(points))

    # ---- judgement

    def judge(self, batch: Batch, expected: Iterable[int] | None = None) -> None:
        """Hold samples to the contract.

        Args:
            batch: what the adapter gave.
            expected: points that must be in it, each once; any if left out.

        Raises:
            BrokenPromise: with what is wrong.
        """
        if not isinstance(batch, Batch):
            raise BrokenPromise("samples", f"a {type(batch).__name__} is no Batch")
        _need("samples", len(batch) > 0, "a batch has no samples")
        count = len(self._names)
        foreign = sorted({int(one) for one in batch.point if not 0 <= one < count})
        _need("complete", not foreign, f"points {foreign} have no binding; there are {count}")
        if expected is not None:
            self._judge_points(batch, expected)
        bad = severity(batch.quality) == Severity.BAD
        for good_ones, text in (
            (KNOWN[batch.quality], "a quality is no code of citytwin.quality"),
            (~np.isinf(batch.value), "an infinite value is no measurement"),
            (bad | ~np.isnan(batch.value), "NaN must have a bad quality"),
            (batch.time_ns > 0, "a sample has no time stamp"),
        ):
            if not good_ones.all():
                wrong = {int(batch.point[row]) for row in np.flatnonzero(~good_ones)}
                raise BrokenPromise("samples", f"{text}: {self.names(wrong)}")
        for point, time_ns in zip(batch.point.tolist(), batch.time_ns.tolist(), strict=True):
            before = self._last_ns.get(point, time_ns)
            if time_ns < before:
                raise BrokenPromise(
                    "stamps",
                    f"{self._names[point]} was stamped {(before - time_ns) / SECOND_NS:g} s before "
                    "its last sample",
                )
            self._last_ns[point] = time_ns

    def _judge_points(self, batch: Batch, expected: Iterable[int]) -> None:
        delivered, declared = batch.point.tolist(), list(expected)
        missing, more = set(declared) - set(delivered), set(delivered) - set(declared)
        _need("complete", not missing, f"{self.names(missing)} is missing: if it cannot be read, "
              "it is NaN with a bad quality")  # fmt: skip
        _need("complete", not more, f"{self.names(more)} was not asked for")
        _need("complete", len(delivered) == len(declared), "a point is there twice")


def _need(promise: str, holds: bool, text: str) -> None:
    if not holds:
        raise BrokenPromise(promise, text)


async def _following(stream: AsyncIterator[Batch]) -> Batch:
    try:
        return await anext(stream)
    except StopAsyncIteration:
        raise DeviceSilent("the device stopped speaking") from None
