"""The hub's end: what it lets in, drops, refuses, and when it ends a session."""

import pytest

from citytwin import Point
from citytwin_protos.codec import outcome_to_bytes, pack
from citytwin_protos.session import (
    FEATURES,
    Acknowledged,
    Closed,
    EntryRefused,
    HelloReceived,
    HubSession,
    Limits,
    OutcomeReceived,
    SamplesReceived,
)
from citytwin_protos.v1 import link_pb2 as pb
from tests.protos.pair import COMMAND, OUTBOX, OUTCOME, Pair, heard, samples, up
from tests.protos.samples import NOW_NS


def telemetry(number, body=None):
    body = pack(samples(number)) if body is None else body
    return up(entry=pb.Entry(number=number, kind=pb.ENTRY_KIND_TELEMETRY, body=body))


def alarm(number, body=None):
    body = pack(samples(number)) if body is None else body
    return up(entry=pb.Entry(number=number, kind=pb.ENTRY_KIND_ALARM, body=body))


def greeted(**limits):
    pair = Pair(hub=Limits(**limits))
    pair.greet()
    return pair


def test_a_gateway_says_who_it_is_and_is_welcomed():
    pair = Pair()
    assert pair.up() == [HelloReceived(1, "test 1", OUTBOX, b"d", FEATURES)]
    pair.hub.welcome(durable_through=9, announce_wanted=True, time_ns=NOW_NS)
    welcome = pb.Down.FromString(pair.hub.outgoing()[0]).welcome
    assert welcome.durable_through == 9
    assert welcome.announce_wanted
    assert welcome.window_entries == 64
    assert welcome.body_bytes_max == 1 << 20
    assert welcome.heartbeat_ms == 5000
    assert welcome.time_ns == NOW_NS


def test_a_welcome_answers_one_hello():
    with pytest.raises(ValueError, match="Hello"):
        HubSession().welcome(durable_through=0, announce_wanted=False, time_ns=0)
    pair = greeted()
    with pytest.raises(ValueError, match="Hello"):
        pair.hub.welcome(durable_through=0, announce_wanted=False, time_ns=0)


def test_entries_come_decoded_with_gaps():
    pair = greeted()
    size = pair.gateway.send_telemetry(5, samples(5))
    pair.gateway.send_telemetry(8, samples(8))
    pair.gateway.send_alarm(9, samples(9))
    pair.gateway.send_outcome(20, OUTCOME)
    first, second, third, fourth = pair.up()
    assert first == SamplesReceived(5, samples(5), alarm=False, body_bytes=size)
    assert (second.batch, second.alarm) == (samples(8), False)
    assert (third.batch, third.alarm) == (samples(9), True)
    assert fourth == OutcomeReceived(20, OUTCOME, body_bytes=len(outcome_to_bytes(OUTCOME)))


def test_what_is_durable_is_dropped_counted_and_acknowledged():
    pair = Pair()
    pair.greet(durable=10)
    pair.gateway.send_telemetry(9, samples(9))
    pair.gateway.send_telemetry(11, samples(11))
    assert [event.number for event in pair.up()] == [11]
    assert pair.hub.repeated == 1
    assert pair.down() == [Acknowledged(10)]
    assert pair.gateway.room == 63


def test_what_an_earlier_line_made_durable_meanwhile_is_dropped_when_it_comes():
    pair = greeted()
    pair.hub.acknowledge(7)
    assert pair.down() == [Acknowledged(0)]
    pair.gateway.send_telemetry(6, samples(6))
    pair.gateway.send_telemetry(8, samples(8))
    assert [event.number for event in pair.up()] == [8]
    assert pair.down() == [Acknowledged(6)]
    pair.hub.acknowledge(8)
    assert pair.down() == [Acknowledged(8)]


def test_acknowledgements_are_cumulative_and_never_go_back():
    pair = greeted()
    for number in range(1, 6):
        pair.gateway.send_telemetry(number, samples(number))
    pair.up()
    pair.hub.acknowledge(4)
    pair.hub.acknowledge(2)
    assert pair.down() == [Acknowledged(4), Acknowledged(4)]


def test_only_what_waits_can_be_refused():
    pair = greeted()
    pair.gateway.send_telemetry(1, samples(1))
    pair.up()
    pair.hub.refuse(1, "invalid", "no")
    for number in (1, 2):
        with pytest.raises(ValueError, match="settled"):
            pair.hub.refuse(number, "invalid", "no")
    with pytest.raises(ValueError, match="REASON"):
        pair.hub.refuse(1, "because", "no")


def test_an_expired_command_is_not_sent():
    pair = greeted()
    assert pair.hub.order(COMMAND, COMMAND.expires_ns - 1)
    assert not pair.hub.order(COMMAND, COMMAND.expires_ns)
    pair.pass_time(61)
    pair.hub.tick(pair.now_ns, pair.hub_time_ns)
    assert not pair.hub.order(COMMAND)


def test_a_command_needs_a_gateway_that_takes_frames():
    pair = Pair(hub=Limits(orders_waiting_max=2))
    assert not pair.hub.order(COMMAND)
    pair.greet()
    assert pair.hub.order(COMMAND)
    assert pair.hub.order(COMMAND)
    assert not pair.hub.order(COMMAND)
    pair.hub.bye("shutdown", "")
    pair.hub.outgoing()
    assert not pair.hub.order(COMMAND)


@pytest.mark.parametrize("kind", [pb.ENTRY_KIND_ALARM, pb.ENTRY_KIND_OUTCOME, 77])
def test_a_broken_body_that_stands_alone_is_refused_and_the_session_lives(kind):
    pair = greeted()
    frame = up(entry=pb.Entry(number=3, kind=kind, body=b"junk"))
    (refused,) = heard(pair.hub, frame)
    assert (refused.number, refused.reason) == (3, "malformed")
    assert pair.hub.refused == 1
    (event,) = heard(pair.hub, telemetry(4))
    assert event.number == 4


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"junk", "malformed"), (bytes(3000), "too_large")],
)
def test_broken_telemetry_is_refused_and_the_stream_begins_anew(body, reason):
    pair = Pair(hub=Limits(body_bytes_max=2000))
    pair.greet()
    pair.gateway.send_telemetry(3, samples(3))
    pair.gateway.outgoing()
    refused, closed = heard(pair.hub, telemetry(3, body))
    assert refused == EntryRefused(3, reason, refused.detail)
    assert (closed.reason, closed.by_peer) == ("resync", False)
    assert pair.down() == [
        EntryRefused(3, reason, refused.detail),
        Closed("resync", closed.detail, by_peer=True),
    ]
    assert heard(pair.hub, telemetry(4)) == []


def test_a_lost_entry_is_noticed_by_the_stream():
    pair = greeted()
    for number in (1, 2, 3):
        pair.gateway.send_telemetry(number, samples(number))
    first, _, third = pair.gateway.outgoing()
    heard(pair.hub, first)
    refused, closed = heard(pair.hub, third)
    assert refused.number == 3
    assert closed.reason == "resync"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\xff\xff\xff", "malformed"),
        (b"", "malformed"),
        (bytes(2 << 20), "too_large"),
        (telemetry(1), "protocol"),
        (up(beat=pb.Beat(time_ns=1)), "protocol"),
        (up(announce=pb.Announce()), "protocol"),
        (up(hello=pb.Hello(protocol=9, outbox=OUTBOX)), "version"),
        (up(hello=pb.Hello(protocol=1, outbox=b"short")), "malformed"),
    ],
)
def test_a_first_frame_that_is_wrong(frame, reason):
    hub = HubSession()
    hub.start(0)
    (closed,) = heard(hub, frame)
    assert (closed.reason, closed.by_peer) == (reason, False)
    bye = pb.Down.FromString(hub.outgoing()[-1]).bye
    assert bye.reason == pb.Reason.Value(f"REASON_{reason.upper()}")
    assert bye.detail == closed.detail


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([up(hello=pb.Hello(protocol=1, outbox=OUTBOX))], "protocol"),
        ([telemetry(0)], "protocol"),
        ([telemetry(5), telemetry(5)], "protocol"),
        ([telemetry(5), alarm(4)], "protocol"),
        ([alarm(n) for n in range(1, 5)], "protocol"),  # the window has three
        ([up(announce=pb.Announce(texts=[pb.Text(text="x" * 999)]))], "too_large"),
        ([up(announce=pb.Announce(texts=[pb.Text(number=n) for n in range(9)]))], "too_large"),
        ([up(announce=pb.Announce(points=[pb.PointInfo(point=b"junk")]))], "malformed"),
    ],
)
def test_a_later_frame_that_is_wrong(frames, reason):
    pair = greeted(window_entries=3, announce_texts_max=8)
    *good, bad = frames
    for frame in good:
        assert len(heard(pair.hub, frame)) == 1
    (closed,) = heard(pair.hub, bad)
    assert (closed.reason, closed.by_peer) == (reason, False)


def test_announcements_of_one_session_have_an_end():
    pair = greeted(announce_points_max=3)
    for first in (0, 2):
        pair.gateway.announce({n: Point(id=f"g/d/p{n}") for n in (first, first + 1)}, {})
    events = pair.up()
    assert len(events) == 2
    assert (events[1].reason, events[1].by_peer) == ("too_large", False)


def test_a_gateway_that_knows_no_features_is_spoken_to_as_before():
    hub = HubSession()
    hub.start(0)
    hello = pb.Hello(protocol=1, software="edge 1", outbox=OUTBOX)
    (event,) = heard(hub, up(hello=hello))
    assert (event.software, event.features) == ("edge 1", frozenset())
    hub.welcome(durable_through=0, announce_wanted=True, time_ns=NOW_NS)
    (frame,) = hub.outgoing()
    assert not pb.Down.FromString(frame).welcome.features
    assert not hub.push_config(b"order", b"signature")
    assert not hub.ask_config("d")
    assert hub.outgoing() == []


def test_features_of_a_gateway_are_not_part_of_its_name():
    hub = HubSession()
    hub.start(0)
    (event,) = heard(hub, up(hello=pb.Hello(protocol=1, software="e 1 +x +gone", outbox=OUTBOX)))
    assert (event.software, event.features) == ("e 1", {"x", "gone"})
    assert hub.features == {"gone"}


def test_a_report_has_limits():
    pair = greeted()
    (closed,) = heard(pair.hub, up(config=pb.ConfigReport(reason="x" * 401)))
    assert closed.reason == "too_large"
