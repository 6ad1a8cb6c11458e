"""Virtual time: timers fire in order without waiting, and a deadlock is named."""

import asyncio
import contextlib
import os
import threading
import tty

import pytest

from citytwin.testing import VirtualClock

HOUR_NS = 3600 * 10**9


def test_an_hour_passes_at_once_and_in_order():
    clock = VirtualClock()
    seen = []

    async def tick(name, period_s):
        for _ in range(3):
            await asyncio.sleep(period_s)
            seen.append((name, round(clock.monotonic_ns() / 1e9)))

    async def main():
        await asyncio.gather(tick("slow", 1200), tick("fast", 500))

    clock.run(main())
    assert seen == [
        ("fast", 500),
        ("fast", 1000),
        ("slow", 1200),
        ("fast", 1500),
        ("slow", 2400),
        ("slow", 3600),
    ]


def test_timeouts_executors_and_wall_steps():
    clock = VirtualClock(start_ns=HOUR_NS)

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.Event().wait()
        assert await asyncio.to_thread(lambda: 41 + 1) == 42
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        clock.step_wall(-HOUR_NS)

    clock.run(main())
    assert 60e9 <= clock.monotonic_ns() < 60.1e9
    assert clock.now_ns() == clock.monotonic_ns()


def test_advance_and_its_limit():
    clock = VirtualClock(synchronised=False)
    clock.advance(5)
    assert (clock.monotonic_ns(), clock.synchronised()) == (5, False)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_waiting_for_nothing_is_an_error(monkeypatch):
    monkeypatch.setattr("citytwin.testing.clock.OUTSIDE_S_MAX", 0.01)

    async def main():
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="waits for ever"):
        VirtualClock().run(main())


def test_patience_lets_what_is_outside_come_first():
    """A thread that needs a moment is waited for; without patience its time-out comes first."""

    async def scene():
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        timer = threading.Timer(0.05, loop.call_soon_threadsafe, [came.set])
        timer.start()
        try:
            async with asyncio.timeout(3600):
                await came.wait()
        except TimeoutError:
            return False
        finally:
            timer.join()
        return True

    assert VirtualClock(patience_s=30.0).run(scene())
    assert not VirtualClock().run(scene())


async def passed_through(times):
    """Send bytes there and back through a pseudo terminal; return how many were not overtaken."""
    loop = asyncio.get_running_loop()
    ends = os.openpty()
    tty.setraw(ends[1])
    arrived = asyncio.Queue(maxsize=1)
    for end in ends:
        loop.add_reader(end, lambda end=end: arrived.put_nowait(os.read(end, 1)))
    came = 0
    with contextlib.suppress(TimeoutError):
        for number in range(times):
            async with asyncio.timeout(0.1):
                os.write(ends[number % 2], b"x")
                await arrived.get()
            came += 1
    for end in ends:
        loop.remove_reader(end)
        os.close(end)
    return came


def test_time_overtakes_nothing_on_a_serial_line():
    """The kernel takes its time; without being asked about it the clock nearly always overtakes."""
    assert VirtualClock(lines=True).run(passed_through(2000)) == 2000
