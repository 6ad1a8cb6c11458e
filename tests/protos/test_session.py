"""The session: both ends on virtual time over lines that break, and everything arrives once."""

import asyncio
from random import Random

import numpy as np
import pytest

from citytwin import Batch, Command, Outcome, OutcomeState, Point, Readback
from citytwin.errors import LineClosed
from citytwin.testing import Faults, FaultyLink, NullLine, VirtualClock
from citytwin_protos import session as s
from citytwin_protos.v1 import link_pb2 as pb

NOW_NS = 1_767_225_600 * 10**9
OUTBOX = b"0123456789abcdef"
COMMAND = Command(
    id="0" * 32, point="g/d/p", value=1.0, issued_by="a", issued_ns=1, expires_ns=2,
    readback=Readback("g/d/p", 1.0, 0.1, 5),
)  # fmt: skip


def samples(number):
    return Batch.of([0, 1], NOW_NS + number, [number / 10, number])


class Pair:
    """Both ends with a perfect wire between them, moved by hand."""

    def __init__(self, **limits):
        self.now = 0
        self.hub_time = NOW_NS
        self.gateway, self.hub = s.GatewaySession(), s.HubSession(s.Limits(**limits))
        self.gateway.start(0, software="test", outbox=OUTBOX, announce_digest=b"d")
        self.hub.start(0)

    def up(self):
        events = []
        for frame in self.gateway.outgoing():
            events += self.hub.receive(frame, self.now, self.hub_time)
        return events

    def down(self):
        events = []
        for frame in self.hub.outgoing():
            events += self.gateway.receive(frame, self.now, NOW_NS)
        return events

    def greet(self, durable=0):
        self.up()
        self.hub.welcome(durable_through=durable, announce_wanted=True, time_ns=NOW_NS)
        return self.down()


def test_hello_welcome_announce_entries_ack():
    pair = Pair(window_entries=3)
    assert pair.up() == [s.HelloReceived(1, "test", OUTBOX, b"d")]
    assert pair.gateway.room == 0
    pair.hub.welcome(durable_through=4, announce_wanted=True, time_ns=NOW_NS)
    assert pair.down() == [s.Welcomed(4, announce_wanted=True, hub_time_ns=NOW_NS)]
    points = {n: Point(id=f"g/d/p{n}") for n in range(3)}
    pair.gateway.announce(points, {1: "ok"})
    assert pair.up() == [s.Announced(points, {1: "ok"}, complete=True)]
    outcome = Outcome(command="0" * 32, state=OutcomeState.EXECUTED, at_ns=1)
    size = pair.gateway.send_telemetry(5, samples(5))
    pair.gateway.send_alarm(7, samples(7))
    pair.gateway.send_outcome(9, outcome)
    assert pair.gateway.room == 0
    with pytest.raises(ValueError, match="window"):
        pair.gateway.send_telemetry(10, samples(10))
    events = pair.up()
    assert events[0] == s.SamplesReceived(5, samples(5), alarm=False, body_bytes=size)
    assert (events[1].number, events[1].alarm) == (7, True)
    assert (events[2].number, events[2].outcome) == (9, outcome)
    pair.hub.acknowledge(7)
    assert pair.down() == [s.Acknowledged(7)]
    assert pair.gateway.room == 2
    with pytest.raises(ValueError, match="grow"):
        pair.gateway.send_telemetry(9, samples(9))


def test_repeated_numbers_are_dropped_and_counted():
    pair = Pair()
    pair.greet(durable=10)
    pair.gateway.send_telemetry(9, samples(9))
    pair.gateway.send_telemetry(11, samples(11))
    assert [event.number for event in pair.up()] == [11]
    assert pair.hub.repeated == 1


def test_commands_and_refusals_reach_the_gateway():
    pair = Pair()
    pair.greet()
    pair.gateway.send_telemetry(1, samples(1))
    pair.up()
    pair.hub.order(COMMAND)
    pair.hub.refuse(1, "invalid", "point 7 is unknown")
    assert pair.down() == [
        s.CommandReceived(COMMAND),
        s.EntryRefused(1, "invalid", "point 7 is unknown"),
    ]
    assert pair.gateway.room == 64


def test_bye_ends_it_with_a_reason():
    pair = Pair()
    pair.up()
    pair.hub.bye("revoked", "gateway g was revoked by aigul")
    assert pair.down() == [s.Closed("revoked", "gateway g was revoked by aigul", by_peer=True)]
    assert pair.gateway.room == 0
    assert pair.hub.receive(b"x", 0, NOW_NS) == []


def test_heartbeats_compare_clocks_and_silence_ends():
    pair = Pair()
    pair.greet()
    pair.hub_time = NOW_NS + 7 * 10**9
    compared = []
    for second in range(5, 40, 5):
        pair.now = second * 10**9
        pair.gateway.tick(pair.now, NOW_NS)
        pair.hub.tick(pair.now, pair.hub_time)
        compared += pair.up() + pair.down()
    assert all(isinstance(event, s.ClockCompared) for event in compared)
    offsets = {event.offset_ns for event in compared}
    assert offsets == {7 * 10**9, -7 * 10**9}
    assert pair.gateway.tick(pair.now + 14 * 10**9, NOW_NS) == []
    (closed,) = pair.gateway.tick(pair.now + 15 * 10**9, NOW_NS)
    assert (closed.reason, closed.by_peer) == ("silent", False)
    assert pair.gateway.tick(pair.now + 16 * 10**9, NOW_NS) == []


def test_no_greeting_in_time_ends():
    pair = Pair()
    assert pair.hub.next_tick_ns() == 10 * 10**9
    (closed,) = pair.hub.tick(10 * 10**9, NOW_NS)
    assert closed.reason == "protocol"


def up(**kind):
    return pb.Up(**kind).SerializeToString()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\xff\xff\xff", "malformed"),
        (b"", "malformed"),
        (bytes(2 << 20), "too_large"),
        (up(entry=pb.Entry(number=1)), "protocol"),
        (up(hello=pb.Hello(protocol=9, outbox=OUTBOX)), "version"),
        (up(hello=pb.Hello(protocol=1, outbox=b"short")), "malformed"),
    ],
)
def test_a_first_frame_that_is_wrong(frame, reason):
    hub = s.HubSession()
    hub.start(0)
    (closed,) = hub.receive(frame, 0, NOW_NS)
    assert closed.reason == reason
    bye = pb.Down.FromString(hub.outgoing()[-1]).bye
    assert bye.reason == pb.Reason.Value(f"REASON_{reason.upper()}")
    assert bye.detail


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (up(hello=pb.Hello(protocol=1, outbox=OUTBOX)), "protocol"),
        (up(entry=pb.Entry(number=3, kind=77, body=b"")), "malformed"),
        (up(entry=pb.Entry(number=3, kind=1, body=b"junk")), "malformed"),
        (up(announce=pb.Announce(points=[pb.PointInfo(number=1, point=b"junk")])), "malformed"),
        (up(announce=pb.Announce(texts=[pb.Text(number=1, text="x" * 300)])), "too_large"),
        (up(announce=pb.Announce(texts=[pb.Text(number=n) for n in range(101)])), "too_large"),
    ],
)
def test_a_later_frame_that_is_wrong(frame, reason):
    pair = Pair(announce_texts_max=100)
    pair.greet()
    (closed,) = pair.hub.receive(frame, 0, NOW_NS)
    assert closed.reason == reason
    kinds = [pb.Down.FromString(data).WhichOneof("kind") for data in pair.hub.outgoing()]
    assert kinds == (
        ["refuse", "bye"] if b"entry" in str(pb.Up.FromString(frame)).encode() else ["bye"]
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff",
        pb.Down(ack=pb.Ack(through=99)).SerializeToString(),
        pb.Down(command=pb.CommandOrder(command=b"junk")).SerializeToString(),
        pb.Down(welcome=pb.Welcome()).SerializeToString(),
    ],
)
def test_a_hub_that_is_wrong(frame):
    pair = Pair()
    pair.greet()
    (closed,) = pair.gateway.receive(frame, 0, NOW_NS)
    assert (closed.reason, closed.by_peer) == ("malformed", False)


def test_ten_thousand_mutated_frames_never_surprise():
    rng, outcomes = Random(3), {"ended": 0, "lived": 0}
    for _ in range(10_000):
        pair = Pair()
        pair.greet()
        pair.gateway.announce({0: Point(id="g/d/a"), 1: Point(id="g/d/b")}, {})
        pair.gateway.send_telemetry(1, samples(1))
        frames = [bytearray(frame) for frame in pair.gateway.outgoing()]
        frame = rng.choice(frames)
        frame[rng.randrange(len(frame))] ^= rng.randrange(1, 256)
        for data in frames:
            pair.hub.receive(bytes(data), 0, NOW_NS)
        outcomes["ended" if pair.hub.closed else "lived"] += 1
    assert outcomes["ended"] > 5000


class Hub:
    """A hub with a journal in a list, for one gateway that comes and goes."""

    def __init__(self, clock):
        self.clock, self.journal = clock, []

    async def serve(self, line):
        hub = s.HubSession(s.Limits(window_entries=8))
        hub.start(self.clock.monotonic_ns())
        while hub.closed is None:
            for event in await self.step(hub, line):
                if isinstance(event, s.HelloReceived):
                    durable = self.journal[-1][0] if self.journal else 0
                    hub.welcome(
                        durable_through=durable, announce_wanted=False, time_ns=self.clock.now_ns()
                    )
                elif isinstance(event, s.SamplesReceived):
                    self.journal.append((event.number, event.batch))
                    hub.acknowledge(event.number)
            for frame in hub.outgoing():
                await line.send(frame)

    async def step(self, end, line):
        """Return what the next frame or the next tick brings."""
        wait = (end.next_tick_ns() - self.clock.monotonic_ns()) / 1e9
        try:
            async with asyncio.timeout(max(wait, 0)):
                frame = await line.receive()
        except TimeoutError:
            return end.tick(self.clock.monotonic_ns(), self.clock.now_ns())
        return end.receive(frame, self.clock.monotonic_ns(), self.clock.now_ns())


async def run_gateway(hub, entries, random, faults):
    """Send every entry through lines that break, a new session on each; return the sessions."""
    acknowledged, sessions, in_flight_max = 0, 0, 0
    while acknowledged < len(entries):
        sessions += 1
        here, there = NullLine.pair()
        line = FaultyLink(here, faults, random)
        serving = asyncio.ensure_future(hub.serve(there))
        gateway, sent = s.GatewaySession(), acknowledged
        gateway.start(hub.clock.monotonic_ns(), software="t", outbox=OUTBOX, announce_digest=b"")
        try:
            while gateway.closed is None and acknowledged < len(entries):
                while gateway.room and sent < len(entries):
                    sent += 1
                    gateway.send_telemetry(sent, entries[sent - 1])
                    in_flight_max = max(in_flight_max, sent - acknowledged)
                for frame in gateway.outgoing():
                    await line.send(frame)
                for event in await hub.step(gateway, line):
                    if isinstance(event, s.Welcomed):
                        acknowledged = sent = event.durable_through
                    elif isinstance(event, s.Acknowledged):
                        acknowledged = max(acknowledged, event.through)
        except LineClosed:
            pass
        await line.close()
        await asyncio.gather(serving, return_exceptions=True)
        await asyncio.sleep(1)
    assert in_flight_max <= 8
    return sessions


@pytest.mark.parametrize("seed", range(5))
def test_over_bad_lines_every_entry_arrives_once(seed):
    rng = np.random.default_rng(seed)
    entries = [
        Batch.of(np.arange(20), NOW_NS + n, np.round(rng.normal(50, 1, 20), 1)) for n in range(300)
    ]

    def run():
        clock = VirtualClock()
        hub = Hub(clock)
        faults = Faults(cut=0.02, stall=0.002, delay_s_max=0.2)
        sessions = clock.run(run_gateway(hub, entries, Random(seed), faults))
        return hub.journal, sessions, clock.monotonic_ns()

    journal, sessions, elapsed = run()
    assert sessions > 3
    assert [number for number, _ in journal] == list(range(1, 301))
    assert all(batch == entry for (_, batch), entry in zip(journal, entries, strict=True))
    again = run()
    assert (again[1], again[2]) == (sessions, elapsed)
