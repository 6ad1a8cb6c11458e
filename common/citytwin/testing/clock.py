"""A virtual clock and its event loop: an hour passes as fast as its work is done."""

from __future__ import annotations

import asyncio
import os
import select
import selectors
import tty
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

T = TypeVar("T")

SECOND_NS: Final = 1_000_000_000
START_NS: Final = 1_767_225_600 * SECOND_NS
"""2026-01-01 00:00 UTC."""
OUTSIDE_S_MAX: Final = 10.0
"""How long the loop waits in real time for something outside it before it calls that a deadlock."""


class VirtualClock:
    """A :class:`citytwin.clock.Clock` whose time passes only when everybody waits.

    >>> clock = VirtualClock()
    >>> async def nap() -> int:
    ...     await asyncio.sleep(3600)
    ...     return clock.monotonic_ns() // 1_000_000_000
    >>> clock.run(nap())
    3600
    """

    def __init__(
        self,
        start_ns: int = START_NS,
        *,
        synchronised: bool = True,
        patience_s: float = 0.0,
        lines: bool = False,
    ) -> None:
        """Start at ``start_ns`` (UTC) with a monotonic reading of 0.

        Args:
            start_ns: the time at the beginning.
            synchronised: what :meth:`synchronised` answers.
            patience_s: how long, in real seconds, a loop waits for what comes from outside it (a
                thread, another process) before it lets time pass.
            lines: let no time pass while something is on its way through a pseudo terminal, however
                busy the machine is; both ends belong to the loop.
        """
        self._start_ns = start_ns
        self._elapsed_ns = 0
        self.is_synchronised = synchronised
        self.patience_s, self.lines = patience_s, lines

    def now_ns(self) -> int:
        """Return UTC nanoseconds."""
        return self._start_ns + self._elapsed_ns

    def monotonic_ns(self) -> int:
        """Return nanoseconds since the clock was made."""
        return self._elapsed_ns

    def synchronised(self) -> bool:
        """Return what the test says."""
        return self.is_synchronised

    def advance(self, elapsed_ns: int) -> None:
        """Let time pass without a loop."""
        if elapsed_ns < 0:
            raise ValueError("time does not run backwards; use step_wall to set the clock back")
        self._elapsed_ns += elapsed_ns

    def step_wall(self, offset_ns: int) -> None:
        """Set the wall clock forward or back, as an operator or NTP would."""
        self._start_ns += offset_ns

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end on a new :class:`VirtualLoop` of this clock."""
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self)) as runner:
            return runner.run(main)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a virtual clock; same calls, same order, same result.

    Where a real loop would sleep until its next timer, this one moves the clock there. Work for an
    executor is done at once and in place, so threads bring no chance into a seeded run.
    """

    def __init__(self, clock: VirtualClock) -> None:
        """Bind the loop to a clock that nobody else advances meanwhile."""
        self._virtual_clock = clock
        super().__init__(_VirtualSelector(clock))

    def time(self) -> float:
        """Return the clock's monotonic seconds."""
        return self._virtual_clock.monotonic_ns() / SECOND_NS

    def run_in_executor(  # type: ignore[override]  # typeshed ties the result to *args: Unpack
        self, _executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Call ``func`` now and return its finished future."""
        future: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except StopIteration as error:
            future.set_exception(RuntimeError(f"{func!r} raised {error!r}"))
        except Exception as error:  # noqa: BLE001  # an executor hands on whatever was raised
            future.set_exception(error)
        else:
            future.set_result(result)
        return future


class _VirtualSelector(selectors.BaseSelector):
    """Looks for ready files without waiting; when there are none, moves the clock instead."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._real = selectors.DefaultSelector()
        self._echo = _Echo() if clock.lines else None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()
        if self._echo is not None:
            self._echo.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            ready = self._real.select(OUTSIDE_S_MAX)
            if not ready:
                raise RuntimeError(
                    "the virtual loop waits for ever: no timer is set, nothing comes from outside"
                )
            return ready
        if self._echo is not None:
            self._echo.there_and_back()
        if self._echo is not None or self._clock.patience_s:
            ready = self._real.select(min(timeout, self._clock.patience_s))
            if ready:
                return ready
        # Rounded up, so that the timer that is waited for is due when the loop looks again.
        self._clock.advance(int(timeout * SECOND_NS) + 1)
        return []


class _Echo:
    """A pseudo terminal of our own, to find out when what was written to others has arrived.

    The kernel moves bytes from one end to the other by a worker, which on a busy machine comes late
    (drivers/tty/tty_buffer.c); it takes the terminals in the order in which they were written to.
    """

    def __init__(self) -> None:
        self._ends = os.openpty()
        tty.setraw(self._ends[1])

    def there_and_back(self) -> None:
        """Wait until a byte has gone through it in both directions."""
        for end, other in (self._ends, self._ends[::-1]):
            os.write(end, b"\0")
            if select.select([other], [], [], OUTSIDE_S_MAX)[0]:
                os.read(other, 1)

    def close(self) -> None:
        for end in self._ends:
            os.close(end)
