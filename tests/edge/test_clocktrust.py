"""Clock trust: by the operating system or the hub; a step is noticed; samples are marked."""

import pytest

from citytwin import Batch, Clock, Quality
from citytwin.testing import VirtualClock
from citytwin_edge.clocktrust import ClockTrust

SECOND, HOUR = 10**9, 3600 * 10**9


@pytest.mark.parametrize(
    ("synchronised", "offset", "trusted"),
    [(True, None, True), (False, None, False), (False, SECOND, True), (True, 3 * SECOND, False)],
)
def test_who_is_believed(synchronised, offset, trusted):
    trust = ClockTrust(VirtualClock(synchronised=synchronised))
    assert isinstance(trust, Clock)
    if offset is not None:
        trust.compared(offset)
    assert trust.trusted() is trusted


def test_a_step_of_the_clock_is_noticed_and_undone_by_comparing_anew():
    clock = VirtualClock(synchronised=False)
    trust = ClockTrust(clock)
    trust.compared(0)
    assert trust.trusted()
    clock.step_wall(-HOUR)
    assert not trust.trusted()
    assert trust.hub_now_ns() == clock.now_ns() + HOUR
    assert trust.steps == 1
    clock.step_wall(HOUR)
    assert trust.trusted()


def test_a_clock_that_was_never_set_is_not_believed_whatever_the_kernel_says():
    clock = VirtualClock(synchronised=True)
    trust, real_ns = ClockTrust(clock), clock.now_ns()
    clock.step_wall(-real_ns)
    trust.compared(real_ns)
    assert clock.now_ns() == 0
    assert trust.now_ns() == real_ns


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_the_time_goes_on_when_the_clock_is_set_wrong(step):
    clock = VirtualClock(synchronised=False)
    trust = ClockTrust(clock)
    trust.compared(0)
    before = trust.now_ns()
    clock.step_wall(step)
    clock.advance(SECOND)
    assert trust.now_ns() == before + SECOND


def test_a_clock_that_a_time_source_holds_is_marked_and_not_changed():
    clock = VirtualClock()
    trust = ClockTrust(clock)
    trust.compared(HOUR)
    assert not trust.trusted()
    assert trust.now_ns() == clock.now_ns()


def test_the_slowness_of_a_line_says_nothing():
    trust = ClockTrust(VirtualClock(synchronised=False))
    trust.compared(5 * SECOND, 6 * SECOND)
    assert trust.trusted()
    trust.compared(5 * SECOND, 3 * SECOND)
    assert not trust.trusted()


def test_a_step_is_noticed_whoever_looks_first():
    for look in ("now_ns", "hub_now_ns", "trusted"):
        clock = VirtualClock(synchronised=False)
        trust = ClockTrust(clock)
        trust.compared(0)
        clock.step_wall(HOUR)
        getattr(trust, look)()
        assert (trust.steps, trust.offset_ns) == (1, -HOUR)
    clock.step_wall(HOUR)
    trust.compared(-2 * HOUR)
    assert (trust.steps, trust.offset_ns) == (2, -2 * HOUR)


def test_a_comparison_grows_old():
    clock = VirtualClock(synchronised=False)
    trust = ClockTrust(clock)
    trust.compared(0)
    clock.advance(25 * HOUR)
    assert not trust.trusted()


def test_a_clock_that_was_never_set():
    assert not ClockTrust(VirtualClock(start_ns=0)).trusted()


def test_the_operating_system_is_asked_once_a_second():
    clock = VirtualClock()
    trust = ClockTrust(clock)
    assert trust.trusted()
    clock.is_synchronised = False
    assert trust.trusted()
    clock.advance(SECOND)
    assert not trust.trusted()


def test_good_samples_are_marked_and_bad_ones_stay():
    trust = ClockTrust(VirtualClock(synchronised=False))
    batch = Batch.of([0, 1, 2], 10**18, [1, 2, float("nan")], [0, 0x43, 0x81])
    assert trust.marked(batch).quality.tolist() == [Quality.UNCERTAIN_CLOCK, 0x43, 0x81]
    trust.compared(0)
    assert trust.marked(batch) is batch
