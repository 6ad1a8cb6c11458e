"""Ingest over real TLS: translated, acknowledged after fsync, refused in words."""

import asyncio
import contextlib
import os
import sqlite3
import threading

import numpy as np
import pytest

from citytwin import Batch, Command, Kind, Outcome, OutcomeState, Point
from citytwin.command import Readback
from citytwin.errors import LineClosed
from citytwin_hub import ingest as module
from citytwin_hub import registry as registry_module
from citytwin_protos.session import Acknowledged, Closed, CommandReceived, EntryRefused, Welcomed
from citytwin_protos.v1 import link_pb2 as pb
from tests.hub.conftest import Peer, points, samples
from tests.hub.test_server import enrolled
from tests.waiting import until

OUTBOX = b"0123456789abcdef"


@contextlib.asynccontextmanager
async def connected(core, gateway="medeu-1", count=3, credentials=None, outbox=OUTBOX):
    peer = await Peer.connect(core, credentials or await enrolled(core, gateway), outbox)
    await peer.greet(points(gateway, count))
    try:
        yield peer
    finally:
        await peer.line.close()


def command(core, value=1.0, life_ns=30 * 10**9):
    now_ns, point = core.clock.now_ns(), "medeu-1/d/p0"
    return Command(
        id="c" * 32, point=point, value=value, issued_by="aigul", issued_ns=now_ns - 10**10,
        expires_ns=now_ns + life_ns, readback=Readback(point, value, 0.1, 10**9),
    )  # fmt: skip


async def test_no_acknowledgement_before_the_disk_has_it(core, monkeypatch):
    """The disk is held up: nothing is acknowledged. It goes on: everything is, together."""
    release, entered, real = threading.Event(), threading.Event(), os.fdatasync

    def slow(file):
        entered.set()
        assert release.wait(20)
        real(file)

    async with connected(core) as peer:
        monkeypatch.setattr(os, "fdatasync", slow)
        for number in range(1, 6):
            peer.session.send_telemetry(number, samples(core.clock.now_ns()))
        await peer.flush()
        assert await asyncio.to_thread(entered.wait, 10)
        with pytest.raises(TimeoutError):
            await peer.until(Acknowledged, timeout_s=0.5)
        assert core.twin.version == 0, "nor does anybody see it"
        release.set()
        through = 0
        while through < 5:
            through = (await peer.until(Acknowledged)).through
        assert core.journal.durable_through(OUTBOX) == 5


async def test_a_line_that_breaks_before_the_acknowledgement_repeats_nothing(core):
    credentials = await enrolled(core)
    async with connected(core, credentials=credentials) as peer:
        for number in (1, 2, 3):
            peer.session.send_telemetry(number, samples(core.clock.now_ns() + number))
        await peer.flush()
        await until(lambda: core.journal.durable_through(OUTBOX) == 3, "three durable entries")
    # It never heard of it, and sends all of it again.
    peer = await Peer.connect(core, credentials)
    welcome = await peer.until(Welcomed)
    assert welcome.durable_through == 3
    peer.session.announce(dict(enumerate(points("medeu-1"))), {})
    for number in (2, 3, 4):
        peer.session.send_telemetry(number, samples(core.clock.now_ns() + number))
    while (await peer.until(Acknowledged)).through < 4:
        pass
    await peer.line.close()
    await until(lambda: "medeu-1" not in core.ingest.connections, "the line to be forgotten")
    assert core.history.recent_samples == 4 * 3
    assert core.ingest.counters["medeu-1"].repeated == 2


async def test_numbers_and_texts_of_two_gateways_do_not_mix(core):
    for gateway, words in (("g-1", {7: "ашық", 8: "жабық"}), ("g-2", {7: "жабық", 9: "ашық"})):
        modes = {3: Point(id=f"{gateway}/d/mode", kind=Kind.TEXT), 5: Point(id=f"{gateway}/d/p")}
        peer = await Peer.connect(core, await enrolled(core, gateway), gateway.encode().ljust(16))
        await peer.until(Welcomed)
        peer.session.announce(modes, words)
        peer.session.send_telemetry(1, Batch.of([3, 5], core.clock.now_ns(), [7.0, 7.0]))
        assert (await peer.until(Acknowledged)).through == 1
        await peer.line.close()
    rows = [core.registry.row(f"{gateway}/d/mode") for gateway in ("g-1", "g-2")]
    said = [core.registry.text(int(number)) for number in core.twin.read(rows).value]
    assert said == ["ашық", "жабық"]
    assert core.twin.read([core.registry.row("g-2/d/p")]).value.tolist() == [7.0]


async def test_old_entries_of_a_point_keep_the_unit_that_they_were_read_in(core):
    gateway = "medeu-1"
    old, new = (Point(id=f"{gateway}/d/p", unit=unit) for unit in ("bar", "kPa"))
    peer = await Peer.connect(core, await enrolled(core, gateway))
    await peer.until(Welcomed)
    peer.session.announce({1: old, 2: new}, {}, gone={1})
    now = core.clock.now_ns()
    peer.session.send_telemetry(1, Batch.of([1, 2], [now, now + 1], [2.0, 200.0]))
    await peer.until(Acknowledged)
    await peer.line.close()
    rows = {point.unit: row for row, point in core.registry.points.items()}
    assert core.twin.read([rows["bar"], rows["kPa"]]).value.tolist() == [2.0, 200.0]
    assert (core.registry.row(old.id), core.registry.gone) == (rows["kPa"], {rows["bar"]})


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (lambda now: Batch.of([9], now, [1.0]), "point number 9"),
        (lambda now: Batch.of([0], now, [np.inf]), "entry 1"),
        (lambda now: Batch.of([0], 5, [1.0]), "entry 1: time 5 ns"),
        (lambda now: Batch.of([0], now + 25 * 3600 * 10**9, [1.0]), "ahead"),
        (lambda now: Batch.of([3], now, [77.0]), "text number 77 was not announced"),
    ],
)
async def test_what_may_not_be_stored_is_refused_on_both_sides(core, batch, words):
    peer = await Peer.connect(core, await enrolled(core))
    await peer.until(Welcomed)
    mode = {3: Point(id="medeu-1/d/mode", kind=Kind.TEXT)}
    peer.session.announce(dict(enumerate(points("medeu-1"))) | mode, {})
    peer.session.send_telemetry(1, batch(core.clock.now_ns()))
    refused = await peer.until(EntryRefused)
    assert (refused.number, refused.reason) == (1, "invalid")
    core.ingest.save_refusals()
    (gateway,) = core.registry.gateways()
    assert gateway.refused == 1
    assert gateway.refused_reason == f"entry 1: {refused.detail}"
    assert words in gateway.refused_reason
    peer.session.send_telemetry(2, samples(core.clock.now_ns()))
    assert (await peer.until(Acknowledged)).through == 2
    assert core.history.recent_samples == 3
    await peer.line.close()


async def test_a_refusal_that_is_lost_with_its_line_is_known_at_the_hub(core):
    """The gateway never hears of it, and a later entry is acknowledged: only the hub can tell."""
    credentials = await enrolled(core)
    async with connected(core, credentials=credentials) as peer:
        peer.session.send_telemetry(1, samples(core.clock.now_ns(), count=4))
        await peer.flush()
        await peer.line.close()
    await until(lambda: core.ingest._refusals, "a refusal")
    async with connected(core, credentials=credentials) as peer:
        peer.session.send_telemetry(2, samples(core.clock.now_ns()))
        assert (await peer.until(Acknowledged)).through == 2
    core.ingest.save_refusals()
    (gateway,) = core.registry.gateways()
    assert (gateway.refused, "point number 3" in gateway.refused_reason) == (1, True)


async def test_a_body_that_cannot_be_understood_is_counted_too(core):
    async with connected(core) as peer:
        peer.session.send_telemetry(1, samples(core.clock.now_ns()))
        for frame in peer.session.outgoing():
            up = pb.Up.FromString(frame)
            if up.HasField("entry"):
                up.entry.body = up.entry.body[:-1] + bytes([up.entry.body[-1] ^ 0xFF])
            await peer.line.send(up.SerializeToString())
        closed = await peer.until(Closed)
        assert closed.reason == "resync"
    core.ingest.save_refusals()
    (gateway,) = core.registry.gateways()
    assert gateway.refused == 1


async def test_refusals_are_written_down_when_the_registry_can_be(core, tmp_path):
    async with connected(core) as peer:
        peer.session.send_telemetry(1, samples(core.clock.now_ns()))
        await peer.until(Acknowledged)  # and its points are known before the registry is locked
        core.registry._db.execute("PRAGMA busy_timeout = 20")
        with contextlib.closing(
            sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in (2, 3):
                peer.session.send_telemetry(number, samples(core.clock.now_ns(), count=4))
                await peer.until(EntryRefused)
            core.ingest.save_refusals()
            other.execute("ROLLBACK")
        core.ingest.save_refusals()
        core.ingest.save_refusals()
    (gateway,) = core.registry.gateways()
    assert gateway.refused == 2


async def test_outcomes_are_journalled_like_samples(core):
    heard = []
    core.readers.listen(lambda entry: heard.append(entry.record))
    async with connected(core) as peer:
        outcome = Outcome(
            command="c" * 32, state=OutcomeState.REFUSED, at_ns=5, reason="мүмкін емес"
        )
        peer.session.send_outcome(1, outcome)
        assert (await peer.until(Acknowledged)).through == 1
    (record,) = heard
    assert (record.outcome(), record.gateway) == (outcome, "medeu-1")


async def test_commands_reach_their_gateway_alone_and_only_while_they_hold(core):
    asked = []
    core.ingest.observers.append(
        type("Observer", (), {"connected": lambda _, name, now_ns: asked.append(name)})()
    )
    assert not core.ingest.send_command("medeu-1", command(core)), "nobody is there"
    async with connected(core, "other", outbox=b"o" * 16) as other, connected(core) as peer:
        assert asked == ["other", "medeu-1"]
        assert not core.ingest.send_command("medeu-1", command(core, life_ns=-1)), "expired"
        assert core.ingest.send_command("medeu-1", command(core))
        received = await peer.until(CommandReceived)
        assert (received.command.id, received.command.value) == ("c" * 32, 1.0)
        with pytest.raises(TimeoutError):
            await other.until(CommandReceived, timeout_s=0.2)
        session = core.ingest.connections["medeu-1"].session
        session.limits = session.limits.__class__(orders_waiting_max=0)
        assert not core.ingest.send_command("medeu-1", command(core)), "its line takes no more"


async def test_an_older_line_that_does_not_end_keeps_the_new_one_waiting_not_the_hub(
    core, monkeypatch
):
    """The disk hangs while an entry of the older line waits for it."""
    monkeypatch.setattr(module, "SUPERSEDE_S_MAX", 0.2)
    credentials = await enrolled(core)
    stuck, real = asyncio.Event(), core.committer.put

    async def put(waiting):
        await stuck.wait()
        await real(waiting)

    async with connected(core, credentials=credentials) as first:
        monkeypatch.setattr(core.committer, "put", put)
        first.session.send_telemetry(1, samples(core.clock.now_ns()))
        await first.flush()
        second = await Peer.connect(core, credentials)
        closed = await second.until(Closed)
        assert (closed.reason, "still being closed" in closed.detail) == ("overloaded", True)
        stuck.set()
        await until(lambda: "medeu-1" not in core.ingest.connections, "the line to be forgotten")
    async with connected(core, credentials=credentials) as third:
        third.session.send_telemetry(2, samples(core.clock.now_ns() + 9))
        assert (await third.until(Acknowledged)).through == 2


async def test_many_lines_of_one_gateway_leave_one(core):
    """A gateway behind a bad line dials again and again before the hub has noticed."""
    credentials = await enrolled(core)
    peers = [await Peer.connect(core, credentials) for _ in range(5)]

    async def greeted(peer):
        with contextlib.suppress(LineClosed, AssertionError):
            await peer.until(Welcomed)
            return True
        return False

    assert any(await asyncio.gather(*(greeted(peer) for peer in peers)))
    await until(lambda: len(core.ingest.connections) == 1, "one line to be left")
    (connection,) = core.ingest.connections.values()
    assert connection.session.closed is None
    for peer in peers:
        await peer.line.close()
    await until(lambda: not core.ingest.connections, "no line to be left")


async def test_points_that_the_registry_has_no_room_for(core, monkeypatch):
    monkeypatch.setattr(registry_module, "POINTS_MAX", 2)
    peer = await Peer.connect(core, await enrolled(core))
    await peer.greet(points("medeu-1", 3))
    closed = await peer.until(Closed)
    assert (closed.reason, "cannot keep new points" in closed.detail) == ("overloaded", True)


async def test_a_registry_that_cannot_be_read_lets_nobody_in_and_says_so(core, capsys):
    credentials = await enrolled(core)
    real = core.registry._db

    class Broken:
        def execute(self, *_):
            raise sqlite3.DatabaseError("database disk image is malformed")

    core.registry._db = Broken()
    peer = await Peer.connect(core, credentials)
    closed = await peer.until(Closed)
    assert (closed.reason, "cannot read its registry" in closed.detail) == ("overloaded", True)
    assert "registry.db cannot be read: database disk image is malformed" in capsys.readouterr().out
    core.registry._db = real
    async with connected(core, credentials=credentials):
        assert "medeu-1" in core.ingest.connections


async def test_a_gateway_that_numbers_beyond_all_reason(core):
    peer = await Peer.connect(core, await enrolled(core))
    await peer.until(Welcomed)
    peer.session.announce({module.NUMBERS_MAX: Point(id="medeu-1/d/p")}, {})
    closed = await peer.until(Closed)
    assert (closed.reason, "numbers lie between" in closed.detail) == ("protocol", True)
