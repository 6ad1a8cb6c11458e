"""The basics of the check of adapters: what needs no bench that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from citytwin.adapter import (
    Adapter,
    Binding,
    Direction,
    Listens,
    Picks,
    Probes,
    Reads,
    Site,
    Tapped,
)
from citytwin.batch import Batch
from citytwin.errors import DeviceError
from citytwin.quality import SEVERITY_SHIFT, Severity
from citytwin.testing.bench import Bench
from citytwin.testing.disturbance import Span, Truth
from citytwin.testing.leftovers import Leftovers
from citytwin.testing.report import BrokenPromise, Report, State
from citytwin.testing.session import CLOSE_S_MAX, Session, good, within

READINGS: Final = 3
PAUSE_S: Final = 0.05
_STEPS: Final = (0, 1, 2, 3, 5, 8)
"""After so many rounds of the loop a call is cancelled: at each of its awaits, if it has few."""
_MOMENTS_S: Final = (0.001, 0.005, 0.02)


class Basics:
    """What needs no bench: the bronze part of a run, and the sessions of all of it."""

    def __init__(
        self, build: Callable[[], Adapter], bindings: Sequence[Binding], timeout_s: float,
        bench: Bench | None, possible: Mapping[int, Span],
    ) -> None:  # fmt: skip
        self.report = Report()
        self._build, self._bindings = build, bindings
        self.timeout_s, self.bench = timeout_s, bench
        self.possible = possible
        self.truth = Truth(possible)
        self._sessions: list[Session] = []
        self._awaited = frozenset(range(len(bindings)))

    async def abandon(self) -> None:
        """Close what a broken promise has left open, as well as that goes."""
        for session in self._sessions:
            if session.is_open:
                with suppress(BrokenPromise):
                    await session.close()

    def session(self) -> Session:
        """Return one of a fresh adapter; what is left open is closed at the end."""
        adapter = self._build()
        if not isinstance(adapter, Adapter):
            raise BrokenPromise("reopen", "an adapter has open() and close()")
        if not isinstance(adapter, Reads | Listens):
            raise BrokenPromise("samples", "an adapter reads or listens, or both")
        session = Session(adapter, self._bindings, self.timeout_s)
        session.awaited = self._awaited
        self._sessions.append(session)
        return session

    # ---- bronze

    async def answers(self, site: Site | None) -> None:
        """Open, read, close, in any order."""
        if self.bench is not None:
            await self.bench.answering()
        self._before = Leftovers()
        seen: list[Tapped] = []
        if site is not None:
            site.taps.append(seen.append)
        try:
            await self._answers()
        except DeviceError as error:
            raise BrokenPromise(
                "reopen", f"the device answers, the adapter raised {error!r}"
            ) from error
        finally:
            if site is not None:
                site.taps.remove(seen.append)
        for name in ("samples", "stamps", "reopen"):
            self.report.found(name, State.PROVEN)
        if site is not None:
            self._shown(seen)

    async def _answers(self) -> None:
        session = self.session()
        for _ in range(2):  # before open it is harmless
            await session.close()
        for number in range(2):
            for _ in range(2):
                await session.open()
            for _ in range(READINGS):
                batch = await session.deliver()
                self.truth.learn_all(batch)
                if not len(self.report.batch):
                    self._first(session, batch)
            if isinstance(session.adapter, Picks):
                await self._picks(session, session.adapter)
            if number == 0:
                await self._probe(session)
            if session.reads is not None and isinstance(session.adapter, Listens):
                await session.hear(self.timeout_s)
            for _ in range(2):
                await session.close()
            if number == 0:
                await self._before.forgive()

    def _first(self, session: Session, batch: Batch) -> None:
        """Take what came first; who listens may not hear of a point that nobody speaks of."""
        self.report.batch = batch
        heard = frozenset(batch.point.tolist())
        missing = session.names(self._awaited - heard)
        if not missing:
            self.report.found("complete", State.PROVEN)
            return
        text = f"within {self.timeout_s:g} s nothing was heard of {missing}"
        if self.bench is not None or not heard:
            raise BrokenPromise("complete", text)
        self.report.found("complete", State.NOT_PROVEN, text)
        self._awaited = session.awaited = heard

    async def _picks(self, session: Session, adapter: Picks) -> None:
        for points in ([0], list(range(0, len(self._bindings), 2))):
            batch = await within(
                "complete", adapter.read_some(points), self.timeout_s, "read_some()"
            )
            session.judge(batch, points)

    async def _probe(self, session: Session) -> None:
        if not isinstance(session.adapter, Probes):
            self.report.found("probe", State.NOT_PROVEN, "the adapter has no probe()")
            return
        count = len(self._bindings)
        wait_s = self.timeout_s * max(1, count)
        probed = await within("probe", session.adapter.probe(), wait_s, "probe()")
        if sorted(one.point for one in probed) != list(range(count)):
            raise BrokenPromise("probe", "probe() answers for every point, once")
        values = [one for one in probed if one.quality >> SEVERITY_SHIFT != Severity.BAD]
        # What a receiver measures itself, the strength of a signal, has none.
        if values and not any(one.raw for one in values):
            raise BrokenPromise("probe", "there are values, and no raw bytes that carried them")
        self.report.found("probe", State.PROVEN)

    def _shown(self, seen: Sequence[Tapped]) -> None:
        ways = {one.direction for one in seen if one.data}
        asks = isinstance(self._build(), Reads)
        if Direction.RECEIVED in ways and (Direction.SENT in ways or not asks):
            self.report.found("shown", State.PROVEN, f"{len(seen)} pieces")
        else:
            self.report.found("shown", State.NOT_PROVEN, "site.tap() was not given what was "
                              "received" + (" and sent" if asks else ""))  # fmt: skip

    async def cancel(self) -> None:
        """Cancel at many moments; what follows must be as if nothing had been."""
        async with self.session() as session:
            if session.reads is not None:
                reads = session.reads
                for wait in (*_STEPS, *_MOMENTS_S):
                    await self._cancelled(reads.read(), wait, "read()")
                    await self.well("cancel", session, "after a cancelled read()")
            if isinstance(session.adapter, Listens):
                for wait_s in (0.0, *_MOMENTS_S):
                    with suppress(DeviceError):
                        await session.hear(wait_s)
                    await session.deaf()
                if session.reads is None:
                    await self.well("cancel", session, "after listen() was cancelled")
                await self._overtaken(session)
        for wait in _STEPS:
            session = self.session()
            await self._cancelled(session.adapter.open(), wait, "open()")
            await session.close()
        self.report.found("cancel", State.PROVEN)

    async def _cancelled(self, call: Coroutine[Any, Any, object], wait: float, what: str) -> None:
        task = asyncio.ensure_future(call)
        if isinstance(wait, int):
            for _ in range(wait):
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(wait)
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CLOSE_S_MAX)
            if not task.done():
                raise BrokenPromise("cancel", f"{what} goes on a second after it was cancelled")
            if not task.cancelled():
                failure = task.exception()
                if failure is None:
                    raise BrokenPromise("cancel", f"{what} returned as if it were not cancelled")
                raise BrokenPromise("cancel", f"{what}, cancelled, raised {failure!r}")
        elif not task.cancelled():
            with suppress(DeviceError):
                task.result()

    async def _overtaken(self, session: Session) -> None:
        """Close while it listens: the wait must end, too."""
        with suppress(DeviceError):
            await session.hear(PAUSE_S)
        waiting = asyncio.ensure_future(_heard_of_end(session))
        await asyncio.sleep(0)
        await within("cancel", session.adapter.close(), CLOSE_S_MAX, "close() while it listens")
        try:
            await within("cancel", _done(waiting), self.timeout_s, "listen() after close()")
        finally:
            waiting.cancel()

    async def nothing_left(self) -> None:
        """See that nothing is left."""
        found = await self._before.found()
        if found:
            raise BrokenPromise("leftovers", f"left after close(): {', '.join(found)}")
        self.report.found("leftovers", State.PROVEN)

    async def well(self, promise: str, session: Session, when: str) -> None:
        """See that all is good that was good before."""
        try:
            batch = await self.good_ones(session, promise)
        except DeviceError as error:
            raise BrokenPromise(promise, f"{when} the adapter raised {error!r}") from error
        if not self.truth.points <= set(good(batch).point.tolist()):
            raise BrokenPromise(promise, f"{when} not every point is good: {batch}")

    async def good_ones(self, session: Session, promise: str) -> Batch:
        """Read once, or hear until every point that can be good is."""
        if session.reads is not None:
            return await session.read(promise)
        return await session.gather(self.truth.points, only_good=True)


async def _heard_of_end(session: Session) -> None:
    """Listen until there is nothing more."""
    with suppress(DeviceError):
        while True:
            await session.hear(PAUSE_S)


async def _done(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    task.result()
