"""Admission: what the hub would refuse is mended here; a gateway without a clock waits."""

import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.testing import VirtualClock
from citytwin_edge.admission import Admission
from citytwin_edge.clocktrust import ClockTrust

SECOND, DAY = 10**9, 86_400 * 10**9
NAN = float("nan")


def made(**clock):
    clock = VirtualClock(**clock)
    trust = ClockTrust(clock)
    return clock, trust, Admission(trust)


def test_what_is_right_passes_untouched():
    clock, _, admission = made()
    batch = Batch.of([1, 2], clock.now_ns(), [1.5, NAN], [0, Quality.BAD_SILENT])
    assert admission.admit(batch) == batch
    assert not len(admission.released())
    assert not len(admission.admit(Batch.empty()))


@pytest.mark.parametrize(
    ("offset", "value", "quality", "kept_value", "kept_quality", "is_stamped"),
    [
        (0, np.inf, 0, NAN, Quality.BAD_NOT_A_NUMBER, False),
        (0, NAN, Quality.UNCERTAIN_STALE, NAN, Quality.BAD_NOT_A_NUMBER, False),
        (0, 1.0, 0x3F, 1.0, Quality.BAD_MALFORMED, False),
        (0, 1.0, 0xFF, 1.0, Quality.BAD_MALFORMED, False),
        (-50 * 365 * DAY, 1.0, 0, 1.0, Quality.UNCERTAIN_CLOCK, True),
        (2 * DAY, 1.0, 0, 1.0, Quality.UNCERTAIN_CLOCK, True),
        (2 * DAY, NAN, Quality.BAD_SILENT, NAN, Quality.BAD_SILENT, True),
        (SECOND, 1.0, 0, 1.0, Quality.GOOD, False),
    ],
)
def test_one_impossible_sample_costs_no_other(
    offset, value, quality, kept_value, kept_quality, is_stamped
):
    clock, _, admission = made()
    now_ns = clock.now_ns()
    times = [now_ns, now_ns + offset]
    kept = admission.admit(Batch.of([1, 2], times, [7.0, value], [0, quality]))
    kept.check(points=10, now_ns=now_ns)
    stamp = now_ns if is_stamped else times[1]
    assert kept == Batch.of([1, 2], [now_ns, stamp], [7.0, kept_value], [0, kept_quality])


def test_samples_are_marked_while_the_clock_is_doubtful():
    clock, _, admission = made(synchronised=False)
    kept = admission.admit(Batch.of([1], clock.now_ns(), [1.0]))
    assert kept.quality.tolist() == [Quality.UNCERTAIN_CLOCK]


@pytest.mark.parametrize("told_by_hub", [True, False])
def test_a_gateway_without_a_clock_waits_and_stamps_anew(told_by_hub):
    clock, trust, admission = made(start_ns=0, synchronised=False)
    for second in range(3):
        assert not len(admission.admit(Batch.of([second], clock.now_ns(), [1.0])))
        clock.advance(SECOND)
    assert not len(admission.released())
    right_ns = 1_800_000_000 * SECOND
    if told_by_hub:
        trust.compared(right_ns - clock.now_ns())
    else:
        clock.step_wall(right_ns - clock.now_ns())
    late = admission.released()
    assert late.time_ns.tolist() == [
        right_ns - 3 * SECOND,
        right_ns - 2 * SECOND,
        right_ns - SECOND,
    ]
    assert set(late.quality.tolist()) == {Quality.UNCERTAIN_CLOCK}
    assert not len(admission.released())
    assert len(admission.admit(Batch.of([1], trust.now_ns(), [1.0]))) == 1


def test_what_waits_is_bounded_and_counted():
    clock = VirtualClock(start_ns=0)
    trust = ClockTrust(clock)
    admission = Admission(trust, samples_max=5)
    for second in range(4):
        admission.admit(Batch.of([0, 1], second, [1.0, second]))
    assert admission.dropped == 4
    clock.step_wall(1_800_000_000 * SECOND)
    assert admission.released().value.tolist() == [1.0, 2.0, 1.0, 3.0]
