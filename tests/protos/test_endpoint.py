"""What both ends do: heartbeats, silence, Bye."""

import pytest

from citytwin_protos.session import ClockCompared, Closed, Limits
from citytwin_protos.v1 import link_pb2 as pb
from tests.protos.pair import Pair
from tests.protos.samples import SECOND_NS


def kinds(frames, message):
    return [message.FromString(frame).WhichOneof("kind") for frame in frames]


@pytest.mark.parametrize("end", ["gateway", "hub"])
def test_no_greeting_in_time_ends_it(end):
    pair = Pair()
    session = getattr(pair, end)
    assert session.next_tick_ns() == 10 * SECOND_NS
    assert session.tick(10 * SECOND_NS - 1, 0) == []
    (closed,) = session.tick(10 * SECOND_NS, 0)
    assert (closed.reason, closed.by_peer) == ("silent", False)
    assert "10 s" in closed.detail
    assert session.closed == closed


@pytest.mark.parametrize("end", ["gateway", "hub"])
def test_both_ends_beat_and_silence_ends_it(end):
    pair = Pair()
    pair.greet()
    session = getattr(pair, end)
    other = pb.Up if end == "gateway" else pb.Down
    for _ in range(2):
        pair.pass_time(5)
        assert session.next_tick_ns() <= pair.now_ns
        assert session.tick(pair.now_ns, pair.hub_time_ns) == []
        assert kinds(session.outgoing(), other) == ["beat"]
        assert session.tick(pair.now_ns, pair.hub_time_ns) == []
        assert session.outgoing() == []
    pair.pass_time(5)
    (closed,) = session.tick(pair.now_ns, pair.hub_time_ns)
    assert (closed.reason, closed.detail) == ("silent", "nothing was heard for 15 s")
    assert kinds(session.outgoing(), other) == ["bye"]
    assert session.tick(pair.now_ns + SECOND_NS, 0) == []


def test_any_frame_breaks_the_silence():
    pair = Pair()
    pair.greet()
    for _ in range(20):
        pair.pass_time(5)
        assert pair.gateway.tick(pair.now_ns, pair.gateway_time_ns) == []
        assert pair.hub.tick(pair.now_ns, pair.hub_time_ns) == []
        pair.up()
        pair.down()
    assert pair.gateway.closed is None
    assert pair.hub.closed is None


def test_clocks_are_compared_at_once_and_at_each_beat():
    pair = Pair()
    pair.hub_time_ns += 7 * SECOND_NS
    pair.up()
    pair.hub.welcome(durable_through=0, announce_wanted=False, time_ns=pair.hub_time_ns)
    pair.down()
    pair.up()
    assert pair.down() == [ClockCompared(7 * SECOND_NS, 0)]
    pair.pass_time(5)
    pair.gateway.tick(pair.now_ns, pair.gateway_time_ns)
    assert pair.up() == [ClockCompared(-7 * SECOND_NS, 0)]


@pytest.mark.parametrize(("end", "other"), [("gateway", "hub"), ("hub", "gateway")])
def test_a_bye_ends_both_with_its_words(end, other):
    pair = Pair()
    pair.greet()
    getattr(pair, end).bye("shutdown", "the machine is being serviced")
    events = pair.up() + pair.down()
    assert events == [Closed("shutdown", "the machine is being serviced", by_peer=True)]
    assert getattr(pair, end).closed == Closed(
        "shutdown", "the machine is being serviced", by_peer=False
    )
    assert getattr(pair, other).closed == events[0]
    getattr(pair, end).bye("malformed", "too late")
    assert getattr(pair, end).outgoing() == []
    assert getattr(pair, other).receive(b"x", 0, 0) == []


def test_words_are_cut_to_what_a_frame_may_carry():
    pair = Pair(hub=Limits(detail_chars_max=10))
    pair.up()
    pair.hub.bye("revoked", "ж" * 5000)
    assert pair.down() == [Closed("revoked", "ж" * 10, by_peer=True)]


def test_a_reason_that_the_wire_does_not_know_is_a_mistake():
    with pytest.raises(ValueError, match="REASON_BORED"):
        Pair().hub.bye("bored", "")
