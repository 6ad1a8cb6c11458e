"""The check of adapters: docs/specs/adapter.md, held against one on a bench that misbehaves."""

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
    Writes,
)
from citytwin.batch import Batch
from citytwin.errors import DeviceError
from citytwin.quality import SEVERITY_SHIFT, Severity
from citytwin.testing.bench import Bench, Mutates, Silences, Unplugs
from citytwin.testing.disturbance import (
    FRAMES,
    FRAMES_S_MAX,
    Recorded,
    Span,
    Truth,
    check_recorded,
    check_wire,
)
from citytwin.testing.leftovers import Leftovers
from citytwin.testing.report import BrokenPromise, Report, State
from citytwin.testing.session import CLOSE_S_MAX, Session, good, within

RECOVER_S_MAX: Final = 30.0
"""So long after a device is back it may take until it is read again."""
LISTEN_S: Final = 1.0
"""So long a silent device is listened to."""
READINGS: Final = 3
_PAUSE_S: Final = 0.05
_STEPS: Final = (0, 1, 2, 3, 5, 8)
"""After so many rounds of the loop a call is cancelled: at each of its awaits, if it has few."""
_MOMENTS_S: Final = (0.001, 0.005, 0.02)


async def check_adapter(  # noqa: PLR0913  # each of them asks for more, none is needed
    build: Callable[[], Adapter],
    bindings: Sequence[Binding],
    *,
    timeout_s: float = 5.0,
    bench: Bench | None = None,
    site: Site | None = None,
    writes: Mapping[int, float] | None = None,
    recorded: Recorded | None = None,
    possible: Mapping[int, Span] | None = None,
    frames: int = FRAMES,
    frames_s_max: float = FRAMES_S_MAX,
    seed: int = 0,
) -> Report:
    """Check an adapter against a device that answers, and against what its bench can do to it.

    What is not given is not asked, and the report says so (docs/specs/adapter.md).

    Args:
        build: makes a fresh adapter of the same device each time.
        bindings: the bindings that ``build`` uses.
        timeout_s: how long one call, or hearing of every point, may take.
        bench: what can be done to the device: silence, unplugging, mutated frames.
        site: the site that ``build`` lends, to see whether bytes are shown.
        writes: by point a value to set, as the device has it; {}: nothing can be written.
        recorded: frames and their decoder, to mutate them without a line.
        possible: by point the lowest and highest value that a device of its type can have.
        frames: how many to mutate.
        frames_s_max: how long that may take, in real seconds.
        seed: of the mutations.

    Returns:
        What was proven, with what was read first.

    Raises:
        BrokenPromise: an AssertionError; its ``property`` names the promise.
    """
    check = _Check(build, bindings, timeout_s, bench, possible or {})
    try:
        await check.answers(site)
        await check.cancel()
        await check.nothing_left()
        await check.silence()
        await check.recovery()
        await check.writes(writes)
        await check.mutation(recorded, frames, frames_s_max, seed)
        await check.nothing_left()
    finally:
        await check.abandon()
    return check.report


class _Check:
    """One run of the check; the order of its methods is that of check_adapter."""

    def __init__(
        self, build: Callable[[], Adapter], bindings: Sequence[Binding], timeout_s: float,
        bench: Bench | None, possible: Mapping[int, Span],
    ) -> None:  # fmt: skip
        self.report = Report()
        self._build, self._bindings = build, bindings
        self._timeout_s, self._bench = timeout_s, bench
        self._possible = possible
        self._truth = Truth(possible)
        self._sessions: list[Session] = []
        self._awaited = frozenset(range(len(bindings)))

    async def abandon(self) -> None:
        """Close what a broken promise has left open, as well as that goes."""
        for session in self._sessions:
            if session.is_open:
                with suppress(BrokenPromise):
                    await session.close()

    def _session(self) -> Session:
        adapter = self._build()
        if not isinstance(adapter, Adapter):
            raise BrokenPromise("reopen", "an adapter has open() and close()")
        if not isinstance(adapter, Reads | Listens):
            raise BrokenPromise("samples", "an adapter reads or listens, or both")
        session = Session(adapter, self._bindings, self._timeout_s)
        session.awaited = self._awaited
        self._sessions.append(session)
        return session

    # ---- bronze

    async def answers(self, site: Site | None) -> None:
        """Open, read, close, in any order."""
        if self._bench is not None:
            await self._bench.answering()
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
        session = self._session()
        for _ in range(2):  # before open it is harmless
            await session.close()
        for number in range(2):
            for _ in range(2):
                await session.open()
            for _ in range(READINGS):
                batch = await session.deliver()
                self._truth.learn_all(batch)
                if not len(self.report.batch):
                    self._first(session, batch)
            if isinstance(session.adapter, Picks):
                await self._picks(session, session.adapter)
            if number == 0:
                await self._probe(session)
            if session.reads is not None and isinstance(session.adapter, Listens):
                await session.hear(self._timeout_s)
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
        text = f"within {self._timeout_s:g} s nothing was heard of {missing}"
        if self._bench is not None or not heard:
            raise BrokenPromise("complete", text)
        self.report.found("complete", State.NOT_PROVEN, text)
        self._awaited = session.awaited = heard

    async def _picks(self, session: Session, adapter: Picks) -> None:
        for points in ([0], list(range(0, len(self._bindings), 2))):
            batch = await within(
                "complete", adapter.read_some(points), self._timeout_s, "read_some()"
            )
            session.judge(batch, points)

    async def _probe(self, session: Session) -> None:
        if not isinstance(session.adapter, Probes):
            self.report.found("probe", State.NOT_PROVEN, "the adapter has no probe()")
            return
        count = len(self._bindings)
        wait_s = self._timeout_s * max(1, count)
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
        async with self._session() as session:
            if session.reads is not None:
                reads = session.reads
                for wait in (*_STEPS, *_MOMENTS_S):
                    await self._cancelled(reads.read(), wait, "read()")
                    await self._well("cancel", session, "after a cancelled read()")
            if isinstance(session.adapter, Listens):
                for wait_s in (0.0, *_MOMENTS_S):
                    with suppress(DeviceError):
                        await session.hear(wait_s)
                    await session.deaf()
                if session.reads is None:
                    await self._well("cancel", session, "after listen() was cancelled")
                await self._overtaken(session)
        for wait in _STEPS:
            session = self._session()
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
            await session.hear(_PAUSE_S)
        waiting = asyncio.ensure_future(_heard_of_end(session))
        await asyncio.sleep(0)
        await within("cancel", session.adapter.close(), CLOSE_S_MAX, "close() while it listens")
        try:
            await within("cancel", _done(waiting), self._timeout_s, "listen() after close()")
        finally:
            waiting.cancel()

    async def nothing_left(self) -> None:
        """See that nothing is left."""
        found = await self._before.found()
        if found:
            raise BrokenPromise("leftovers", f"left after close(): {', '.join(found)}")
        self.report.found("leftovers", State.PROVEN)

    # ---- silver

    async def silence(self) -> None:
        """Keep the device silent."""
        bench = self._bench
        if not isinstance(bench, Silences):
            return
        try:
            async with self._session() as session:
                await self._well("silence", session, "before the silence")
                await bench.silent()
                if session.reads is None:
                    await _drain(session)
                await self._fails("silence", session, "the device is silent")
            session = self._session()  # and one that never heard it
            with suppress(DeviceError):
                await session.open()
            await self._fails("silence", session, "the device is silent")
            await session.close()
        finally:
            await bench.answering()
        async with self._session() as session:
            await self._recovered("silence", session, "after a silence")
        self.report.found("silence", State.PROVEN)

    async def recovery(self) -> None:
        """Unplug the device and plug it in again, twice."""
        bench = self._bench
        if not isinstance(bench, Unplugs):
            return
        session = self._session()
        try:
            for _ in range(2):
                with suppress(DeviceError):
                    await session.open()
                await self._recovered("recovery", session, "plugged in")
                await bench.unplugged()
                await self._fails("recovery", session, "the device is unplugged")
                await bench.answering()
                await self._recovered("recovery", session, "plugged in again")
        finally:
            await bench.answering()
            await session.close()
        self.report.found("recovery", State.PROVEN)

    async def _fails(self, promise: str, session: Session, when: str) -> None:
        """See that there is an error, and no value."""
        try:
            if session.reads is not None:
                batch: Batch | None = await within(
                    promise, session.reads.read(), self._timeout_s, f"{when}: read()"
                )
            else:
                batch = await session.hear(min(LISTEN_S, self._timeout_s), promise)
        except DeviceError:
            return
        if batch is not None and len(good(batch)):
            raise BrokenPromise(promise, f"{when}, and still there are values: {good(batch)}")
        if session.reads is not None:
            raise BrokenPromise(promise, f"{when}: read() raises DeviceError, not {batch}")

    async def _recovered(self, promise: str, session: Session, when: str) -> None:
        """Go on as the gateway does until all is well again."""
        loop = asyncio.get_running_loop()
        end = loop.time() + RECOVER_S_MAX
        said: object = "nothing was heard"
        while loop.time() < end:
            try:
                batch = await self._good(session, promise)
                if self._truth.points <= set(good(batch).point.tolist()):
                    return
            except DeviceError as error:
                said = repr(error)
            if session.reads is None:
                await session.close()
                with suppress(DeviceError):
                    await session.open()
            await asyncio.sleep(_PAUSE_S)
        raise BrokenPromise(
            promise, f"{when}, {RECOVER_S_MAX:g} s later not every point is good: {said}"
        )

    async def _well(self, promise: str, session: Session, when: str) -> None:
        try:
            batch = await self._good(session, promise)
        except DeviceError as error:
            raise BrokenPromise(promise, f"{when} the adapter raised {error!r}") from error
        if not self._truth.points <= set(good(batch).point.tolist()):
            raise BrokenPromise(promise, f"{when} not every point is good: {batch}")

    async def _good(self, session: Session, promise: str) -> Batch:
        """Read once, or hear until every point that can be good is."""
        if session.reads is not None:
            return await session.read(promise)
        return await session.gather(self._truth.points, only_good=True)

    async def writes(self, writes: Mapping[int, float] | None) -> None:
        """Write, read back, and write what there was."""
        async with self._session() as session:
            adapter = session.adapter
            if not isinstance(adapter, Writes):
                self.report.found("writes", State.NOT_APPLICABLE, "the adapter has no write()")
                return
            if writes is None:
                return
            if not writes:
                self.report.found("writes", State.NOT_APPLICABLE, "nothing can be written")
                return
            for point, value in writes.items():
                before = good(await self._readback(session))
                was = before.value[before.point == point]
                if not len(was):
                    raise BrokenPromise("writes", f"point {point} has no value to begin with")
                for one in (value, float(was[-1])):
                    await self._written(session, adapter, point, one)
        self.report.found("writes", State.PROVEN, f"{len(writes)} points")

    async def _written(self, session: Session, adapter: Writes, point: int, value: float) -> None:
        try:
            await within("writes", adapter.write(point, value), self._timeout_s, "write()")
        except DeviceError as error:
            raise BrokenPromise("writes", f"write({point}, {value:g}) raised {error!r}") from error
        loop = asyncio.get_running_loop()
        end, seen = loop.time() + self._timeout_s, float("nan")
        while loop.time() < end:
            batch = good(await self._readback(session))
            for seen in batch.value[batch.point == point].tolist():
                if abs(seen - value) <= 1e-6 * abs(value):
                    return
            await asyncio.sleep(_PAUSE_S)
        raise BrokenPromise("writes", f"point {point} was set to {value:g} and says {seen:g}")

    async def _readback(self, session: Session) -> Batch:
        try:
            return await session.deliver()
        except DeviceError as error:
            raise BrokenPromise("writes", f"beside writing the adapter raised {error!r}") from error

    # ---- gold

    async def mutation(
        self, recorded: Recorded | None, frames: int, frames_s_max: float, seed: int
    ) -> None:
        """Disturb frames, recorded ones and those on the line."""
        counts = {}
        if recorded is not None:
            counts["recorded"] = check_recorded(recorded, self._possible, frames, seed)
        bench = self._bench
        if isinstance(bench, Mutates) and isinstance(bench, Bench):
            try:
                async with self._session() as session:
                    counts["on the line"] = await check_wire(
                        session, bench, self._truth, frames, seed, frames_s_max
                    )
                    await bench.answering()
                    await self._recovered("mutation", session, "after mutated frames")
            finally:
                await bench.answering()
        if counts:
            note = ", ".join(f"{count} {where}" for where, count in counts.items())
            enough = max(counts.values()) >= FRAMES
            self.report.found("mutation", State.PROVEN if enough else State.NOT_PROVEN, note)


async def _drain(session: Session) -> None:
    """Hear what was on its way when the device fell silent, for a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LISTEN_S
    with suppress(DeviceError):
        while loop.time() < end and await session.hear(_PAUSE_S) is not None:
            pass


async def _heard_of_end(session: Session) -> None:
    """Listen until there is nothing more."""
    with suppress(DeviceError):
        while True:
            await session.hear(_PAUSE_S)


async def _done(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    task.result()
