"""Ten thousand random mutations of valid frames, both ways: a clear refusal or a clear meaning."""

import tracemalloc
import zlib
from random import Random

import pytest
import zstandard

from citytwin import Batch, Point
from citytwin_protos.codec import BODY_BYTES_MAX
from citytwin_protos.session import Closed, EntryRefused, HubSession, Limits, SamplesReceived
from citytwin_protos.v1 import link_pb2 as pb
from tests.protos.pair import COMMAND, OUTCOME, Pair, heard, samples, up
from tests.protos.samples import NOW_NS, Devices

MUTATIONS = 10_000


def mutated(frame, random):
    """Return a frame with bytes changed, cut off, doubled or put in."""
    data = bytearray(frame)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        place = random.randrange(len(data) or 1)
        what = random.randrange(6)
        if what <= 2 and data:
            data[place] ^= random.randrange(1, 256)
        elif what == 3:
            del data[place:]
        elif what == 4:
            data[place:place] = random.randbytes(random.randrange(1, 9))
        else:
            data += data[place:]
    return bytes(data)


def gateway_frames():
    """Return every kind of frame that a gateway sends after its Hello."""
    pair = Pair()
    hello = pair.gateway.outgoing()
    heard(pair.hub, hello[0])
    pair.hub.welcome(durable_through=0, announce_wanted=True, time_ns=NOW_NS)
    pair.down()
    pair.gateway.announce({0: Point(id="g/d/a"), 1: Point(id="g/d/b")}, {1: "ok", 2: "жоқ"})
    devices = Devices(40)
    pair.gateway.send_telemetry(1, devices.scan())
    pair.gateway.send_telemetry(2, devices.scan())
    pair.gateway.send_alarm(3, samples(3))
    pair.gateway.send_outcome(4, OUTCOME)
    pair.gateway.bye("shutdown", "done")
    return hello, pair.gateway.outgoing()


def hub_frames():
    """Return every kind of frame that a hub sends."""
    pair = Pair()
    pair.greet()
    for number in (1, 2):
        pair.gateway.send_telemetry(number, samples(number))
    pair.up()
    pair.hub.acknowledge(1)
    pair.hub.refuse(2, "invalid", "no such point")
    pair.hub.order(COMMAND)
    pair.hub.tick(5 * 10**9, NOW_NS)
    pair.hub.bye("shutdown", "done")
    return pair.hub.outgoing()


def test_ten_thousand_mutations_of_what_a_gateway_sends():
    random = Random(3)
    hello, frames = gateway_frames()
    outcomes = {"closed": 0, "refused": 0, "understood": 0}
    for _ in range(MUTATIONS):
        hub = HubSession(Limits(announce_points_max=100, announce_texts_max=100))
        hub.start(0)
        heard(hub, hello[0])
        hub.welcome(durable_through=0, announce_wanted=True, time_ns=NOW_NS)
        victim = random.randrange(len(frames))
        for frame in frames[:victim]:
            heard(hub, frame)
        events = heard(hub, mutated(frames[victim], random))
        if hub.closed is not None:
            assert isinstance(events[-1], Closed)
            outcomes["closed"] += 1
            last = pb.Down.FromString(hub.outgoing()[-1])
            assert hub.closed.by_peer or last.bye.detail == hub.closed.detail
        elif any(isinstance(event, EntryRefused) for event in events):
            outcomes["refused"] += 1
        else:
            outcomes["understood"] += 1
    assert outcomes["closed"] > MUTATIONS / 2
    assert outcomes["refused"] > 0


def test_ten_thousand_mutations_of_telemetry_never_change_a_sample():
    random = Random(4)
    hello, frames = gateway_frames()
    telemetry = next(frame for frame in frames if pb.Up.FromString(frame).HasField("entry"))
    (whole,) = [pb.Up.FromString(telemetry).entry.body]
    for _ in range(MUTATIONS // 2):
        hub = HubSession()
        hub.start(0)
        heard(hub, hello[0])
        hub.welcome(durable_through=0, announce_wanted=False, time_ns=NOW_NS)
        body = mutated(whole, random)
        if body == whole:
            continue
        frame = up(entry=pb.Entry(number=1, kind=pb.ENTRY_KIND_TELEMETRY, body=body))
        events = heard(hub, frame)
        assert not any(isinstance(event, SamplesReceived) for event in events)


def test_ten_thousand_mutations_of_what_a_hub_sends():
    random = Random(5)
    frames = hub_frames()
    closed = 0
    pair = Pair()
    for turn in range(MUTATIONS):
        if turn == 0 or pair.gateway.closed is not None:
            pair = Pair()
            pair.greet()
            for number in (1, 2):
                pair.gateway.send_telemetry(number, samples(number))
        events = heard(pair.gateway, mutated(random.choice(frames), random))
        if pair.gateway.closed is not None:
            assert isinstance(events[-1], Closed)
            closed += 1
    assert closed > MUTATIONS / 2


def sealed(payload):
    tail = b"\x11" + payload
    return zlib.crc32(tail).to_bytes(4, "little") + tail


@pytest.mark.parametrize("kind", [pb.ENTRY_KIND_TELEMETRY, pb.ENTRY_KIND_ALARM])
def test_a_bomb_is_refused_without_being_unpacked(kind):
    bomb = sealed(zstandard.compress(bytes(1 << 28)))
    assert len(bomb) < BODY_BYTES_MAX
    pair = Pair()
    pair.greet()
    tracemalloc.start()
    try:
        events = heard(pair.hub, up(entry=pb.Entry(number=1, kind=kind, body=bomb)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(events[0], EntryRefused)
    assert events[0].reason == "too_large"
    assert (pair.hub.closed is not None) == (kind == pb.ENTRY_KIND_TELEMETRY)
    assert peak < 4 << 20


def test_a_gateway_comes_back_after_its_poison_was_refused():
    """The entry is set aside, a new session begins with a key block, and the rest goes on."""
    poison, good = b"poison", Batch.of(0, NOW_NS, 1.0)
    pair = Pair()
    pair.greet()
    pair.gateway.send_telemetry(1, good)
    pair.up()
    pair.hub.acknowledge(1)
    pair.gateway.send_telemetry(2, good)
    pair.gateway.outgoing()
    frame = up(entry=pb.Entry(number=2, kind=pb.ENTRY_KIND_TELEMETRY, body=poison))
    heard(pair.hub, frame)
    seen = pair.down()
    assert [event.number for event in seen if isinstance(event, EntryRefused)] == [2]
    assert isinstance(seen[-1], Closed)
    again = Pair()
    again.greet(durable=1)
    again.gateway.send_telemetry(3, good)
    (event,) = again.up()
    assert isinstance(event, SamplesReceived)
    assert (event.number, event.batch) == (3, good)
