"""The gateway's end: what it sends when, and what it does not take from a hub."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Point
from citytwin.errors import TooLargeError
from citytwin_protos.codec import pack
from citytwin_protos.session import (
    FEATURES,
    Acknowledged,
    Announced,
    Closed,
    CommandReceived,
    ConfigAsked,
    ConfigPushed,
    ConfigReported,
    EntryRefused,
    GatewaySession,
    Limits,
    Welcomed,
)
from citytwin_protos.v1 import link_pb2 as pb
from tests.protos.pair import COMMAND, OUTBOX, OUTCOME, Pair, down, heard, samples
from tests.protos.samples import NOW_NS, SECOND_NS


def test_from_hello_to_acknowledgement():
    pair = Pair(hub=Limits(window_entries=3))
    assert pair.gateway.room == 0
    assert pair.greet(durable=4, announce_wanted=True) == [
        Welcomed(4, announce_wanted=True, hub_time_ns=NOW_NS)
    ]
    assert pair.gateway.room == 0
    points = {n: Point(id=f"g/d/p{n}") for n in range(3)}
    pair.gateway.announce(points, {1: "ok"})
    assert pair.up() == [Announced(points, {1: "ok"}, complete=True)]
    assert pair.gateway.room == 3
    pair.gateway.send_telemetry(5, samples(5))
    pair.gateway.send_alarm(7, samples(7))
    pair.gateway.send_outcome(9, OUTCOME)
    assert pair.gateway.room == 0
    assert len(pair.up()) == 3
    pair.hub.acknowledge(7)
    assert pair.down() == [Acknowledged(7)]
    assert pair.gateway.room == 2


def test_entries_need_room_and_growing_numbers():
    pair = Pair(hub=Limits(window_entries=1))
    with pytest.raises(ValueError, match="room"):
        pair.gateway.send_telemetry(1, samples(1))
    pair.greet()
    pair.gateway.send_telemetry(5, samples(5))
    with pytest.raises(ValueError, match="room"):
        pair.gateway.send_telemetry(6, samples(6))
    pair.up()
    pair.hub.acknowledge(5)
    pair.down()
    for number in (5, 4):
        with pytest.raises(ValueError, match="grow"):
            pair.gateway.send_alarm(number, samples(number))


def test_an_announcement_follows_the_welcome():
    with pytest.raises(ValueError, match="Welcome"):
        Pair().gateway.announce({}, {})


def test_the_narrower_window_counts():
    pair = Pair(gateway=Limits(window_entries=2), hub=Limits(window_entries=9))
    pair.greet()
    assert pair.gateway.room == 2


def test_credit_can_be_taken_away_and_given_again():
    pair = Pair()
    pair.greet()
    pair.gateway.send_telemetry(1, samples(1))
    pair.up()
    pair.hub.acknowledge(1, window_entries=0)
    assert pair.down() == [Acknowledged(1)]
    assert pair.gateway.room == 0
    pair.hub.acknowledge(1, window_entries=5)
    pair.down()
    assert pair.gateway.room == 5


def test_a_refused_entry_gives_its_room_back():
    pair = Pair()
    pair.greet()
    pair.gateway.send_telemetry(1, samples(1))
    pair.gateway.send_telemetry(2, samples(2))
    pair.up()
    pair.hub.refuse(1, "invalid", "point 7 is unknown")
    assert pair.down() == [EntryRefused(1, "invalid", "point 7 is unknown")]
    assert pair.gateway.room == 63
    pair.hub.acknowledge(2)
    assert pair.down() == [Acknowledged(2)]


def test_a_command_is_delivered_even_if_it_expired_on_the_way():
    pair = Pair()
    pair.greet()
    assert pair.hub.order(COMMAND)
    pair.gateway_time_ns += 3600 * SECOND_NS
    assert pair.down() == [CommandReceived(COMMAND)]


def test_the_first_telemetry_of_a_session_needs_no_state():
    pair = Pair()
    pair.greet()
    assert pair.gateway.send_telemetry(1, samples(1)) == len(pack(samples(1)))
    frame = pb.Up.FromString(pair.gateway.outgoing()[-1])
    assert frame.entry.body == pack(samples(1))


def test_an_entry_that_does_not_fit_leaves_the_stream_whole():
    pair = Pair(hub=Limits(body_bytes_max=200))
    pair.greet()
    noise = Batch.of(np.arange(500), NOW_NS, np.random.default_rng(1).normal(size=500))
    with pytest.raises(TooLargeError, match="entry 1"):
        pair.gateway.send_telemetry(1, noise)
    pair.gateway.send_telemetry(1, samples(1))
    (event,) = pair.up()
    assert event.batch == samples(1)


def test_nothing_is_sent_after_the_end():
    pair = Pair()
    pair.greet()
    pair.hub.bye("revoked", "")
    pair.down()
    assert pair.gateway.room == 0
    pair.gateway.announce({}, {})
    assert pair.gateway.outgoing() == []


def test_a_hub_with_a_slow_heart_is_not_silent():
    pair = Pair(hub=Limits(heartbeat_ns=60 * SECOND_NS, silence_ns=180 * SECOND_NS))
    pair.greet()
    pair.pass_time(100)
    assert pair.gateway.tick(pair.now_ns, NOW_NS) == []
    pair.pass_time(100)
    assert len(pair.gateway.tick(pair.now_ns, NOW_NS)) == 1


def test_names_have_their_sizes():
    with pytest.raises(ValueError, match="16 bytes"):
        GatewaySession().start(0, software="t", outbox=b"short", announce_digest=b"")
    with pytest.raises(ValueError, match="64"):
        GatewaySession().start(0, software="t", outbox=OUTBOX, announce_digest=bytes(65))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\xff", "malformed"),
        (b"", "malformed"),
        (bytes(2 << 20), "too_large"),
        (down(ack=pb.Ack(through=99)), "protocol"),
        (down(ack=pb.Ack(through=3)), "protocol"),
        (down(refuse=pb.Refuse(number=99)), "protocol"),
        (down(command=pb.CommandOrder(command=b"junk")), "malformed"),
        (down(welcome=pb.Welcome(heartbeat_ms=5000)), "protocol"),
    ],
)
def test_a_hub_that_is_wrong_is_told_and_left(frame, reason):
    pair = Pair()
    pair.greet(durable=4)
    (closed,) = heard(pair.gateway, frame)
    assert (closed.reason, closed.by_peer) == (reason, False)
    (said,) = pair.up()
    assert said == Closed(reason, closed.detail, by_peer=True)
    assert closed.detail


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (down(ack=pb.Ack()), "protocol"),
        (down(beat=pb.Beat(time_ns=1)), "protocol"),
        (down(welcome=pb.Welcome(heartbeat_ms=1)), "malformed"),
        (down(welcome=pb.Welcome(heartbeat_ms=10**9)), "malformed"),
    ],
)
def test_a_hub_that_begins_wrong(frame, reason):
    (closed,) = heard(Pair().gateway, frame)
    assert (closed.reason, closed.by_peer) == (reason, False)


def test_a_hub_that_knows_no_features_is_spoken_to_as_before():
    """What an older hub does not know would end its session: unknown fields are malformed."""
    gateway = GatewaySession()
    gateway.start(0, software="edge 1", outbox=OUTBOX, announce_digest=b"")
    (frame,) = gateway.outgoing()
    assert pb.Up.FromString(frame).hello.software == "edge 1 +config +gone"
    welcome = pb.Welcome(window_entries=8, body_bytes_max=1000, heartbeat_ms=5000)
    heard(gateway, down(welcome=welcome))
    assert gateway.features == frozenset()
    gateway.announce({1: Point(id="g/d/a")}, {}, gone={1})
    gateway.report_config(ConfigReported("d", "off"))
    frames = [pb.Up.FromString(frame) for frame in gateway.outgoing()]
    assert [frame.WhichOneof("kind") for frame in frames] == ["beat", "announce"]
    assert not frames[1].announce.points[0].gone


def test_what_both_know_is_used():
    pair = Pair()
    pair.greet()
    assert pair.gateway.features == pair.hub.features == FEATURES
    pair.gateway.announce({1: Point(id="g/d/a"), 2: Point(id="g/d/b")}, {}, gone={2})
    report = ConfigReported("d" * 64, "all", 3, "rolled-back", "x" * 1000, 5, b"text")
    pair.gateway.report_config(report)
    announced, reported = pair.up()
    assert announced.gone == {2}
    assert reported == msgspec.structs.replace(report, reason="x" * 400)
    assert pair.hub.push_config(b"order", b"signature")
    assert pair.hub.ask_config("d" * 64)
    assert pair.down() == [ConfigPushed(b"order", b"signature"), ConfigAsked("d" * 64)]
    pair.hub.bye("shutdown", "")
    assert not pair.hub.push_config(b"order", b"signature")
    assert not pair.hub.ask_config("d" * 64)
