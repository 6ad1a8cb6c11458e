"""The check of adapters: docs/specs/adapter.md, held against one on a bench that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from citytwin.adapter import (
    Adapter,
    Binding,
    Site,
    Writes,
)
from citytwin.batch import Batch
from citytwin.errors import DeviceError
from citytwin.testing.basics import PAUSE_S, Basics
from citytwin.testing.bench import Bench, Mutates, Silences, Unplugs
from citytwin.testing.disturbance import (
    FRAMES,
    FRAMES_S_MAX,
    Recorded,
    Span,
    check_recorded,
    check_wire,
)
from citytwin.testing.report import BrokenPromise, Report, State
from citytwin.testing.session import Session, good, within

RECOVER_S_MAX: Final = 30.0
"""So long after a device is back it may take until it is read again."""
QUIET_S: Final = 1.0
"""Who listens and hears nothing for so long hears no more of what was on its way."""
ON_ITS_WAY_S_MAX: Final = 10.0
"""So long what was said before may come: a broker, a queue and a busy machine hold it back."""
ON_ITS_WAY_MAX: Final = 10_000
"""In so many batches: a virtual clock stands still while an adapter talks without a pause."""


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


class _Check(Basics):
    """One run of the check; the order of its methods is that of check_adapter."""

    # ---- silver

    async def silence(self) -> None:
        """Keep the device silent."""
        bench = self.bench
        if not isinstance(bench, Silences):
            return
        try:
            async with self.session() as session:
                await self.well("silence", session, "before the silence")
                await bench.silent()
                await self._fails("silence", session, "the device is silent")
            session = self.session()  # and one that never heard it
            with suppress(DeviceError):
                await session.open()
            await self._fails("silence", session, "the device is silent")
            await session.close()
        finally:
            await bench.answering()
        async with self.session() as session:
            await self._recovered("silence", session, "after a silence")
        self.report.found("silence", State.PROVEN)

    async def recovery(self) -> None:
        """Unplug the device and plug it in again, twice."""
        bench = self.bench
        if not isinstance(bench, Unplugs):
            return
        session = self.session()
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
        """See that there is an error, and no value; who listens may first hear what was said."""
        if session.reads is None:
            await self._falls_silent(promise, session, when)
            return
        try:
            batch = await within(promise, session.reads.read(), self.timeout_s, f"{when}: read()")
        except DeviceError:
            return
        if len(good(batch)):
            raise BrokenPromise(promise, f"{when}, and still there are values: {good(batch)}")
        raise BrokenPromise(promise, f"{when}: read() raises DeviceError, not {batch}")

    async def _falls_silent(self, promise: str, session: Session, when: str) -> None:
        """Hear what was on its way, until there is an error or nothing for a while."""
        loop = asyncio.get_running_loop()
        begun, last = loop.time(), Batch.empty()
        for _ in range(ON_ITS_WAY_MAX):
            try:
                batch = await session.hear(min(QUIET_S, self.timeout_s), promise)
            except DeviceError:
                return
            if batch is None:
                return
            last = good(batch)
            if loop.time() - begun > ON_ITS_WAY_S_MAX:
                break
        if len(last):
            waited_s = loop.time() - begun
            raise BrokenPromise(
                promise, f"{when}, and {waited_s:.0f} s later still there are values: {last}"
            )

    async def _recovered(self, promise: str, session: Session, when: str) -> None:
        """Go on as the gateway does until all is well again."""
        loop = asyncio.get_running_loop()
        end = loop.time() + RECOVER_S_MAX
        said: object = "nothing was heard"
        while loop.time() < end:
            try:
                batch = await self.good_ones(session, promise)
                if self.truth.points <= set(good(batch).point.tolist()):
                    return
            except DeviceError as error:
                said = repr(error)
            if session.reads is None:
                await session.close()
                with suppress(DeviceError):
                    await session.open()
            await asyncio.sleep(PAUSE_S)
        raise BrokenPromise(
            promise, f"{when}, {RECOVER_S_MAX:g} s later not every point is good: {said}"
        )

    async def writes(self, writes: Mapping[int, float] | None) -> None:
        """Write, read back, and write what there was."""
        async with self.session() as session:
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
            await within("writes", adapter.write(point, value), self.timeout_s, "write()")
        except DeviceError as error:
            raise BrokenPromise("writes", f"write({point}, {value:g}) raised {error!r}") from error
        loop = asyncio.get_running_loop()
        end, seen = loop.time() + self.timeout_s, float("nan")
        while loop.time() < end:
            batch = good(await self._readback(session))
            for seen in batch.value[batch.point == point].tolist():
                if abs(seen - value) <= 1e-6 * abs(value):
                    return
            await asyncio.sleep(PAUSE_S)
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
            counts["recorded"] = check_recorded(recorded, self.possible, frames, seed)
        bench = self.bench
        if isinstance(bench, Mutates):
            try:
                async with self.session() as session:
                    counts["on the line"] = await check_wire(
                        session, bench, self.truth, frames, seed, frames_s_max
                    )
                    await bench.answering()
                    await self._recovered("mutation", session, "after mutated frames")
            finally:
                await bench.answering()
        if counts:
            note = ", ".join(f"{count} {where}" for where, count in counts.items())
            enough = max(counts.values()) >= FRAMES
            self.report.found("mutation", State.PROVEN if enough else State.NOT_PROVEN, note)
