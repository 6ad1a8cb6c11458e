"""The system clock: two readings that make sense, and a word on synchronisation."""

from citytwin import Clock, SystemClock
from citytwin.batch import TIME_NS_MIN


def test_system_clock_is_a_clock():
    clock = SystemClock()
    assert isinstance(clock, Clock)
    assert clock.now_ns() > TIME_NS_MIN
    first = clock.monotonic_ns()
    assert clock.monotonic_ns() >= first
    assert clock.synchronised() in (True, False)
