"""Clock offset: right by half the round trip, whatever is set meanwhile."""

from random import Random
from typing import Any

from citytwin_protos.offset import DRIFT_PPM_MAX, ClockOffset
from tests.protos.samples import NOW_NS, SECOND_NS


class Clocks:
    """Two ends, their clocks and a wire with delays; their monotonic clocks are unrelated."""

    def __init__(self, ahead_ns):
        self.true_ns = 0
        self.here, self.there = ClockOffset(), ClockOffset()
        self.here_ns, self.ahead_ns = NOW_NS, ahead_ns

    def reading(self, end):
        """Return (monotonic, UTC) of an end now."""
        if end is self.here:
            return self.true_ns, self.here_ns + self.true_ns
        return 7 * SECOND_NS + self.true_ns, self.here_ns + self.ahead_ns + self.true_ns

    def beat(self, sender, receiver, delay_ns):
        beat = sender.send(*self.reading(sender))
        self.true_ns += delay_ns
        return receiver.hear(beat, *self.reading(receiver))

    def exchange(self, there_ns: int, back_ns: int, wait_ns: int = SECOND_NS) -> Any:
        """Return what both ends know after a beat each way."""
        far = self.beat(self.here, self.there, there_ns)
        self.true_ns += wait_ns
        near = self.beat(self.there, self.here, back_ns)
        self.true_ns += wait_ns
        return near, far


def test_the_offset_is_exact_on_an_even_wire():
    clocks = Clocks(ahead_ns=3 * SECOND_NS)
    clocks.exchange(1000, 1000)
    near, far = clocks.exchange(1000, 1000)
    assert (near.offset_ns, near.round_trip_ns) == (3 * SECOND_NS, 2000)
    assert (far.offset_ns, far.round_trip_ns) == (-3 * SECOND_NS, 2000)


def test_the_error_is_at_most_half_the_round_trip():
    random = Random(1)
    clocks = Clocks(ahead_ns=-40 * SECOND_NS)
    for _ in range(50):
        near, far = clocks.exchange(random.randrange(10**9), random.randrange(10**9))
        assert abs(near.offset_ns + 40 * SECOND_NS) <= near.round_trip_ns // 2 + 1
        if far is not None:
            assert abs(far.offset_ns - 40 * SECOND_NS) <= far.round_trip_ns // 2 + 1


def test_the_shortest_round_trip_is_believed():
    clocks = Clocks(ahead_ns=0)
    clocks.exchange(10, 10)
    near, _ = clocks.exchange(900_000_000, 10)
    assert (near.offset_ns, near.round_trip_ns) == (0, 20)


def test_a_long_wait_of_the_peer_is_not_part_of_the_round_trip():
    near, _ = Clocks(ahead_ns=0).exchange(10, 10, wait_ns=60 * SECOND_NS)
    assert near.round_trip_ns == 20


def test_a_clock_that_is_set_is_noticed_at_the_next_beat():
    clocks = Clocks(ahead_ns=0)
    clocks.exchange(1000, 1000)
    clocks.ahead_ns = 3600 * SECOND_NS
    near, _ = clocks.exchange(500_000, 500_000)
    assert near.offset_ns == 3600 * SECOND_NS
    clocks.here_ns += 60 * SECOND_NS  # both ends' UTC in this model
    clocks.ahead_ns -= 60 * SECOND_NS
    near, _ = clocks.exchange(500_000, 500_000)
    assert near.offset_ns == 3540 * SECOND_NS


def test_slow_drift_is_followed():
    clocks = Clocks(ahead_ns=0)
    near = None
    for _ in range(100):
        clocks.ahead_ns += DRIFT_PPM_MAX * 1000 // 2
        near, _ = clocks.exchange(1000, 1000)
    assert near is not None
    assert abs(near.offset_ns - clocks.ahead_ns) < 10 * DRIFT_PPM_MAX * 1000


def test_what_cannot_be_is_no_comparison():
    end = ClockOffset()
    end.send(0, NOW_NS)
    assert end.hear((NOW_NS, 0, 0), 10, NOW_NS) is None
    assert end.hear((NOW_NS, NOW_NS + 1, 0), 10, NOW_NS) is None
    assert end.hear((NOW_NS, NOW_NS, 11), 10, NOW_NS) is None
    assert end.hear((NOW_NS, NOW_NS, -1), 10, NOW_NS) is None
    assert end.hear((NOW_NS, NOW_NS, 10), 10, NOW_NS) is not None
