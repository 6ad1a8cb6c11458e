"""The agent's own points: what it says of itself and of each device, since it last said so."""

import math
from collections import Counter

import numpy as np

from citytwin import Label, Place, Quality, Source
from citytwin.testing import VirtualClock
from citytwin_edge import health
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.outbox import OutboxStats
from citytwin_edge.pollstats import PollStats

STATS = OutboxStats(3, 2048, 900, 7, 1, 5, 8)


def made(devices=("d1", "d2")):
    clock = VirtualClock()
    trust = ClockTrust(clock)
    points = health.points("g", Label(en="G"), Place(76.9, 43.2), devices)
    numbers = np.arange(10, 10 + len(points), dtype=np.int32)
    return health.Health(numbers, trust), trust, [point.name for point in points], points


def test_points_are_marked_as_health():
    _, _, names, points = made()
    assert names[-2:] == ["d1.success", "d2.success"]
    assert {point.source for point in points} == {Source.HEALTH}
    assert points[0].id == "g/agent/outbox-entries"
    assert points[0].device_label == Label(en="G")


def test_what_is_measured():
    meter, trust, names, _ = made()
    trust.compared(1_500_000)
    stats = PollStats(polls=4, answered=3, failures=Counter(silent=1))
    batch = meter.measure(5, STATS, 11, {"d1": stats, "d2": PollStats()})
    seen = dict(zip(names, batch.value.tolist(), strict=True))
    assert (seen["outbox-entries"], seen["outbox-bytes"], seen["outbox-thinned"]) == (3, 2048, 7)
    assert (seen["samples-dropped"], seen["clock-offset"]) == (11, 1.5)
    assert 0 < seen["cpu"] < 10**6
    assert 10**6 < seen["memory"] < 10**11
    assert seen["d1.success"] == 0.75
    assert set(batch.time_ns.tolist()) == {5}


def test_what_is_not_known_is_stale():
    meter, _, names, _ = made()
    batch = meter.measure(5, STATS, 0, {"d1": PollStats(), "d2": PollStats()})
    quality = dict(zip(names, batch.quality.tolist(), strict=True))
    assert quality["clock-offset"] == quality["d1.success"] == Quality.BAD_STALE
    assert quality["memory"] == Quality.GOOD


def test_success_is_that_of_the_last_interval():
    meter, _, _, _ = made(("d1",))
    # The eleventh poll is under way.
    stats = PollStats(polls=11, answered=10)
    assert meter.measure(1, STATS, 0, {"d1": stats}).value[-1] == 1.0
    stats.polls, stats.answered, stats.in_row = 14, 11, 3
    stats.failures["silent"] = 3
    assert meter.measure(2, STATS, 0, {"d1": stats}).value[-1] == 0.25
    # Left alone because it is silent: that is no success.
    assert meter.measure(3, STATS, 0, {"d1": stats}).value[-1] == 0.0
    stats.polls, stats.answered, stats.in_row = 15, 12, 0
    assert meter.measure(4, STATS, 0, {"d1": stats}).value[-1] == 1.0
    assert math.isnan(meter.measure(5, STATS, 0, {"d1": stats}).value[-1])
