"""The uplink against the hub's end of the session: live and backlog, stalls, commands, clocks."""

import asyncio
from importlib.metadata import version
from random import Random

import structlog

from citytwin import Command, Outcome, OutcomeState, Point, Readback
from citytwin.testing import Faults, FaultyLink
from citytwin_edge.outbox import EntryKind, NewEntry, Outbox
from citytwin_protos.codec import outcome_to_bytes
from citytwin_protos.session import GatewaySession, Limits
from tests.edge.uplink_scenes import MB, POINTS, SECOND, played


def test_backlog_and_live_are_one_path(tmp_path):
    async def scene(gateway):
        for value in range(200):
            gateway.put(value)
        async with gateway.running():
            await asyncio.sleep(1)
            assert gateway.waiting() == 0
            for value in range(200, 210):
                before = gateway.clock.monotonic_ns()
                gateway.put(value)
                await gateway.hub.until(lambda wanted=value: gateway.values()[-1:] == [wanted])
                assert gateway.clock.monotonic_ns() == before, "it is sent at once, nobody polls"
            await asyncio.sleep(0)

    gateway = played(tmp_path, scene)
    assert gateway.values() == list(range(210))
    assert gateway.hub.hellos[0].software == f"citytwin-edge {version('citytwin-edge')}"
    assert set(gateway.hub.points.values()) == set(POINTS)
    assert gateway.uplink.connects == 1


def test_no_more_is_in_flight_than_the_hub_gave_credit_for(tmp_path):
    async def scene(gateway):
        for value in range(50):
            gateway.put(value)
        gateway.hub.holds_back = True
        async with gateway.running():
            await asyncio.sleep(1)
            assert gateway.values() == list(range(4))
            gateway.hub.holds_back = False
            gateway.hub.session.acknowledge(4)
            gateway.hub._poke()
            await asyncio.sleep(1)

    gateway = played(tmp_path, scene, hub_limits=Limits(window_entries=4))
    assert gateway.values() == list(range(50))
    assert gateway.hub.repeated == 0


def test_acknowledgements_that_come_meanwhile_go_to_the_disk_together(tmp_path):
    async def scene(gateway):
        for value in range(60):
            gateway.put(value)
        gateway.disk_s = 0.05
        async with gateway.running():
            await asyncio.sleep(10)
            assert gateway.waiting() == 0

    gateway = played(tmp_path, scene)
    assert gateway.hub.acknowledgements == 60
    assert gateway.disk_calls.count("acknowledge") < 20


def test_a_hub_that_accepts_bytes_and_answers_nothing_is_dropped(tmp_path):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(1)
            gateway.hub.mute = True
            for value in range(30):
                gateway.put(value)
            await asyncio.sleep(14)
            assert gateway.uplink.connected
            await asyncio.sleep(3)
            assert not gateway.uplink.connected
            gateway.hub.mute = False
            await asyncio.sleep(30)
            assert gateway.uplink.connected
            assert gateway.waiting() == 0

    gateway = played(tmp_path, scene)
    assert gateway.values() == list(range(30))
    assert gateway.uplink.connects == 2


def test_what_was_durable_before_the_line_broke_is_not_sent_again(tmp_path):
    async def scene(gateway):
        gateway.hub.holds_back = True
        for value in range(10):
            gateway.put(value)
        async with gateway.running():
            await asyncio.sleep(1)
            assert gateway.waiting() == 10
            await gateway.hub.lines[-1].close()
            gateway.hub.holds_back = False
            await asyncio.sleep(5)
            assert gateway.waiting() == 0

    gateway = played(tmp_path, scene)
    assert gateway.values() == list(range(10))
    assert gateway.hub.repeated == 0


def test_bad_lines_lose_and_repeat_nothing(tmp_path):
    faults = Faults(cut=0.02, mutate=0.01, stall=0.01, delay_s_max=0.2, stall_s=20)

    async def scene(gateway):
        chance = Random(3)

        async def connect():
            return FaultyLink(await gateway.hub.connect(), faults, chance)

        gateway.connect = connect
        async with gateway.running():
            for value in range(600):
                gateway.put(value)
                await asyncio.sleep(1)
            gateway.connect = gateway.hub.connect
            await asyncio.sleep(120)
            assert gateway.waiting() == 0

    gateway = played(tmp_path, scene)
    refused = [row["number"] for row in reopened(tmp_path).inspect("refused", 1000)]
    assert sorted(gateway.values()) == [v for v in range(600) if v + 1 not in refused]
    assert gateway.uplink.connects > 5


def reopened(tmp_path):
    return Outbox(tmp_path / "outbox.db", size_bytes_max=64 * MB)


def test_commands_come_and_outcomes_go(tmp_path):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(1)
            now_ns = gateway.clock.now_ns()
            command = Command(
                id="0" * 32, point=POINTS[0].id, value=1.0, issued_by="aigul", issued_ns=now_ns,
                expires_ns=now_ns + 60 * SECOND, readback=Readback(POINTS[0].id, 1.0, 0.1, 5),
            )  # fmt: skip
            gateway.hub.order(command)
            await asyncio.sleep(0.1)
            assert gateway.commands == [command]
            outcome = Outcome(command="0" * 32, state=OutcomeState.EXECUTED, at_ns=now_ns)
            alarm = gateway.put(9, EntryKind.ALARM)
            gateway.outbox.append_many([NewEntry(EntryKind.OUTCOME, outcome_to_bytes(outcome), 0)])
            gateway.uplink.wake()
            await asyncio.sleep(0.1)
            assert gateway.hub.outcomes == [outcome]
            assert [number for number, _ in gateway.hub.entries] == [alarm, alarm + 1]

    played(tmp_path, scene)


def test_texts_are_announced_before_the_entry_that_needs_them(tmp_path):
    async def scene(gateway):
        before = gateway.numbering.intern("old")
        async with gateway.running():
            await asyncio.sleep(1)
            assert gateway.hub.texts == {before: "old"}
            number = gateway.numbering.intern("Іске қосылды")
            gateway.put(0)
            await gateway.hub.until(lambda: gateway.values() == [0])
            assert gateway.hub.texts[number] == "Іске қосылды"

    played(tmp_path, scene)


def test_a_hub_that_knows_the_points_is_not_told_them(tmp_path):
    async def scene(gateway):
        gateway.hub.announce_wanted = False
        gateway.hub.points = dict(zip(gateway.numbers.tolist(), POINTS, strict=True))
        gateway.numbering.intern("old")
        gateway.put(0)
        async with gateway.running():
            await asyncio.sleep(1)
            assert gateway.waiting() == 0
            assert gateway.hub.texts == {}
            assert gateway.hub.hellos[0].announce_digest == gateway.numbering.announcement().digest

    played(tmp_path, scene)


def test_the_hubs_clock_is_learnt(tmp_path):
    async def scene(gateway):
        gateway.hub.wall_offset_ns = 7 * SECOND
        gateway.clock.is_synchronised = False
        async with gateway.running():
            await asyncio.sleep(1)
            assert gateway.trust.offset_ns == 7 * SECOND
            gateway.clock.step_wall(3600 * SECOND)
            gateway.hub.wall_offset_ns -= 3600 * SECOND  # the hub's clock was not set
            await asyncio.sleep(6)
            assert gateway.trust.offset_ns == (7 - 3600) * SECOND
            assert gateway.trust.steps == 1

    played(tmp_path, scene)


def test_who_stops_says_so(tmp_path):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        (ending,) = gateway.hub.endings
        assert (ending.reason, ending.by_peer) == ("shutdown", True)

    played(tmp_path, scene)


def test_it_connects_anew_at_once_when_the_hub_is_elsewhere(tmp_path):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(5)
            for _ in range(2):
                gateway.put(1)
                gateway.uplink.reconnect("the address of the hub has changed")
                await asyncio.sleep(0.01)
            assert gateway.uplink.connects == 3
            gateway.hub.down = True
            gateway.uplink.reconnect("again")
            await asyncio.sleep(200)  # it waits for the next try by now
            gateway.hub.down = False
            gateway.uplink.reconnect("to where it is")
            await asyncio.sleep(0.01)
            assert gateway.uplink.connected
            assert gateway.uplink.durable_through == 2

    played(tmp_path, scene)


def test_points_that_change_are_announced_before_what_needs_them(tmp_path):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(1)
            news = [Point(id="g/d/p0", unit="kPa"), Point(id="g/d/new")]
            numbers = gateway.numbering.numbers([*POINTS[1:], *news])
            gateway.numbering.use(numbers)
            gateway.numbers = numbers[1:]  # the small hub insists that they were announced
            gateway.put(5)
            await asyncio.sleep(1)
            assert gateway.hub.gone == {1}
            assert gateway.hub.points[1] == POINTS[0]
            assert gateway.values() == [5]
        assert gateway.uplink.connects == 1

    played(tmp_path, scene)


def test_more_changes_than_fit_a_session_make_a_new_one(tmp_path, monkeypatch):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(1)
            for turn in range(3):
                points = [Point(id=f"g/d/p{n}", unit="bar", attribute=f"a{turn}") for n in range(3)]
                gateway.numbering.numbers(points)
                gateway.put(turn)
                await asyncio.sleep(2)
            assert gateway.hub.points[1].attribute == "a2"
            assert gateway.values() == [0, 1, 2]
            assert gateway.uplink.connects == 2

    small = Limits(announce_points_max=9)
    monkeypatch.setattr("citytwin_edge.uplink.GatewaySession", lambda: GatewaySession(small))
    played(tmp_path, scene, hub_limits=small)


def test_when_the_hub_acknowledged_last_is_known_and_what_is_wrong_now(tmp_path):
    async def scene(gateway):
        uplink = gateway.uplink
        gateway.hub.down = True
        async with gateway.running():
            await asyncio.sleep(10)
            assert uplink.acknowledged_ns == 0
            assert "hub is down" in uplink.trouble
            gateway.hub.down = False
            await asyncio.sleep(60)
            gateway.put(1)
            await asyncio.sleep(1)
            assert gateway.clock.now_ns() - uplink.acknowledged_ns < 2 * SECOND
            assert uplink.trouble == ""

    played(tmp_path, scene)


def test_an_outbox_that_was_put_back_from_an_older_copy_loses_nothing(tmp_path):
    """A technician writes last month's image back to the card: its numbers come a second time."""

    async def scene(gateway):
        async with gateway.running():
            for value in range(8):
                gateway.put(value)
            await asyncio.sleep(5)
            assert gateway.waiting() == 0
        await gateway.hub.until(lambda: len(gateway.hub.entries) == 8)
        # The hub has eight; the copy has given three numbers, one of which waits.
        older = gateway.outbox
        older._db.execute("UPDATE sqlite_sequence SET seq = 2 WHERE name = 'entries'")
        gateway.put(100)
        stream = older.stream
        async with gateway.running():
            await asyncio.sleep(10)
            for value in (101, 102, 103, 104, 105, 106, 107):
                gateway.put(value)
                await asyncio.sleep(1)
            await asyncio.sleep(5)
            assert gateway.waiting() == 0
        assert older.stream != stream

    with structlog.testing.capture_logs() as logs:
        gateway = played(tmp_path, scene)
    assert gateway.values() == [*range(8), *range(100, 108)]
    assert [line["durable_through"] for line in logs if "put_back" in line["event"]] == [8]
