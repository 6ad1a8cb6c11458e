"""Clock trust: by the operating system or the hub; a step is noticed; samples are marked."""

import pytest

from citytwin import Batch, Quality
from citytwin.testing import VirtualClock
from citytwin_edge.clocktrust import ClockTrust

SECOND, HOUR = 10**9, 3600 * 10**9


@pytest.mark.parametrize(
    ("synchronised", "offset", "trusted"),
    [(True, None, True), (False, None, False), (False, SECOND, True), (True, 3 * SECOND, False)],
)
def test_who_is_believed(synchronised, offset, trusted):
    trust = ClockTrust(VirtualClock(synchronised=synchronised))
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


def test_a_comparison_grows_old():
    clock = VirtualClock(synchronised=False)
    trust = ClockTrust(clock)
    trust.compared(0)
    clock.advance(25 * HOUR)
    assert not trust.trusted()


def test_a_clock_that_was_never_set():
    assert not ClockTrust(VirtualClock(start_ns=0)).trusted()


def test_good_samples_are_marked_and_bad_ones_stay():
    trust = ClockTrust(VirtualClock(synchronised=False))
    batch = Batch.of([0, 1, 2], 10**18, [1, 2, float("nan")], [0, 0x43, 0x81])
    assert trust.marked(batch).quality.tolist() == [Quality.UNCERTAIN_CLOCK, 0x43, 0x81]
    trust.compared(0)
    assert trust.marked(batch) is batch
