"""Commands at the hub: refused in words, followed to their end, the same after a restart."""

import sqlite3

import numpy as np
import pytest

from citytwin import Batch, Outcome, OutcomeState, Point, Span
from citytwin.errors import StoreError
from citytwin_hub import commands as module
from citytwin_hub.command_checks import CommandRefused
from citytwin_hub.commands import Commands
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.readers import Entry
from citytwin_hub.registry import Registry
from citytwin_protos.codec import outcome_to_bytes
from tests.hub.doors import permit

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
AIGUL, GUEST = permit("aigul", "operator"), permit("guest", "viewer")
POINT = "g/d/valve"
STEPPED = "g/d/stepped"


class Hub:
    def __init__(self, folder):
        self.sent, self.connected = [], True
        self.registry = Registry(folder / "registry.db")
        self.row = int(
            self.registry.rows([Point(id=POINT, writable=Span(0, 10)), Point(id="g/d/level")])[0]
        )
        self.registry.rows([Point(id=STEPPED, writable=Span(0, 10), step=0.5, tolerance=0.2)])
        self.commands = Commands(folder / "commands.db", self.registry, self.send)

    def send(self, gateway, command):
        if self.connected:
            self.sent.append((gateway, command.id))
        return self.connected

    def submit(self, value=5.0, point=POINT, user=AIGUL, **options):
        return self.commands.submit(user, point, value, NOW, **options)

    def outcome(self, tracked, state, gateway="g", reason=""):
        outcome = Outcome(
            command=tracked.command.id, state=state, at_ns=NOW + SECOND, reason=reason
        )
        body = outcome_to_bytes(outcome)
        record = Record(RecordKind.OUTCOME, b"s" * 16, 1, NOW, gateway, body)
        self.commands.entry(Entry(record, Batch.empty()))

    def read(self, value, after_s, quality=0):
        batch = Batch.of([self.row], NOW + after_s * SECOND, [value], quality)
        self.commands.entry(Entry(Record(RecordKind.TELEMETRY, b"", 1, NOW, "g", b""), batch))


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"point": "g/d/none"}, 404, "no point"),
        ({"point": "g/d/level"}, 422, "cannot be written"),
        ({"value": 11.0}, 422, "outside 0 … 10"),
        ({"value": float("nan")}, 422, "finite"),
        ({"point": STEPPED, "value": 0.7}, 422, "0.7 is not 0 plus a multiple of 0.5"),
        ({"expires_s": 0}, 422, "expires_s"),
        ({"expires_s": 10**6}, 422, "expires_s"),
        ({"user": GUEST}, 403, "look but not act"),
        ({"command_id": "xyz"}, 422, "32 hexadecimal"),
    ],
)
def test_refusals(tmp_path, options, status, words):
    hub = Hub(tmp_path)
    with pytest.raises(CommandRefused, match=words) as caught:
        hub.submit(**options)
    assert caught.value.status == status
    assert hub.sent == []


def test_refusals_of_real_points_are_journalled(tmp_path):
    hub = Hub(tmp_path)
    with pytest.raises(CommandRefused):
        hub.submit(value=11.0)
    (listed,) = hub.commands.listed()
    assert (listed.state, listed.history[0][2]) == ("refused", "11 is outside 0 … 10")


def test_to_the_read_back(tmp_path):
    hub = Hub(tmp_path)
    tracked = hub.submit()
    assert tracked.state == "sent"
    hub.outcome(tracked, OutcomeState.EXECUTED, gateway="other")
    assert tracked.state == "sent", "only its own gateway is believed"
    hub.outcome(tracked, OutcomeState.EXECUTED)
    hub.read(5.0, after_s=0)
    assert tracked.state == "executed", "a value read before it was executed says nothing"
    hub.read(np.nan, after_s=2, quality=0x81)
    hub.read(3.0, after_s=3)
    assert tracked.state == "executed"
    hub.read(5.05, after_s=4)
    assert tracked.state == "settled"


@pytest.mark.parametrize(("read", "state"), [(3.0, "contradicted"), (None, "unverified")])
def test_read_back_that_does_not_come(tmp_path, read, state):
    hub = Hub(tmp_path)
    tracked = hub.submit()
    hub.outcome(tracked, OutcomeState.EXECUTED)
    if read is not None:
        hub.read(read, after_s=5)
    hub.commands.check(NOW + 40 * SECOND)
    assert tracked.state == state


def test_what_is_not_sent_waits_for_its_gateway_and_expires(tmp_path):
    hub = Hub(tmp_path)
    hub.connected = False
    tracked = hub.submit(expires_s=60)
    assert tracked.state == "submitted"
    hub.connected = True
    hub.commands.connected("g", NOW)
    assert (tracked.state, len(hub.sent)) == ("sent", 1)
    hub.commands.check(NOW + 100 * SECOND)
    assert tracked.state == "expired"


def test_the_same_id_again(tmp_path):
    hub = Hub(tmp_path)
    first = hub.submit(command_id="a" * 32)
    assert hub.submit(command_id="a" * 32) is first
    assert len(hub.sent) == 1
    with pytest.raises(CommandRefused, match="already given") as caught:
        hub.submit(command_id="a" * 32, value=6.0)
    assert caught.value.status == 409


def test_a_restart_takes_up_what_is_open(tmp_path):
    hub = Hub(tmp_path)
    executed, sent = hub.submit(), hub.submit()
    hub.outcome(executed, OutcomeState.EXECUTED)
    hub.commands.close()
    again = Hub(tmp_path)
    again.read(5.0, after_s=4)
    followed = again.commands.find(executed.command.id)
    assert followed is not None
    assert followed.state == "settled"
    again.commands.connected("g", NOW)
    assert again.sent == [("g", sent.command.id)]
    shown = again.commands.described(followed)
    assert [step["state"] for step in shown["history"]] == [
        "submitted", "sent", "executed", "settled",
    ]  # fmt: skip


def test_sent_is_journalled_when_the_session_took_it_and_not_before(tmp_path):
    hub = Hub(tmp_path)
    hub.connected = False
    tracked = hub.submit(expires_s=60)
    hub.commands.connected("g", NOW + SECOND)
    assert tracked.state == "submitted", "it has come, but its line takes nothing now"
    hub.commands.check(NOW + 2 * SECOND)
    assert tracked.state == "submitted"
    hub.connected = True
    hub.commands.check(NOW + 3 * SECOND)
    assert tracked.history[-1] == ("sent", NOW + 3 * SECOND, "")
    hub.commands.check(NOW + 4 * SECOND)
    assert len(hub.sent) == 1
    hub.commands.connected("other", NOW)
    assert len(hub.sent) == 1, "only its own gateway is sent it again"
    hub.commands.connected("g", NOW + 5 * SECOND)
    assert (len(hub.sent), tracked.state) == (2, "sent")
    assert len(tracked.history) == 2


def test_what_was_never_sent_is_not_sent_when_it_has_expired(tmp_path):
    hub = Hub(tmp_path)
    hub.connected = False
    tracked = hub.submit(expires_s=10)
    hub.connected = True
    hub.commands.check(NOW + 11 * SECOND)
    hub.commands.check(NOW + 60 * SECOND)
    assert hub.sent == []
    assert tracked.newest[2] == "the gateway was not reached before the command expired"


def test_repeats_are_journalled_and_do_not_change_the_state(tmp_path):
    hub = Hub(tmp_path)
    tracked = hub.submit(command_id="a" * 32)
    hub.outcome(tracked, OutcomeState.EXECUTED)
    hub.read(5.0, after_s=4)
    assert hub.submit(command_id="a" * 32).state == "settled"
    with pytest.raises(CommandRefused, match="already given"):
        hub.submit(command_id="a" * 32, value=6.0, user=permit("marat", "operator"))
    hub.commands.close()
    found = Hub(tmp_path).commands.find("a" * 32)
    assert found is not None
    assert [step[0] for step in found.history[-2:]] == ["repeated", "repeated"]
    assert found.history[-2][2] == "given again by aigul"
    assert found.history[-1][2] == f"given again by marat for {POINT} = 6: refused"
    shown = hub.commands.described(found)
    assert shown["state"] == "settled"
    assert shown["reason"] == {"kk": "5 оқылды", "ru": "прочитано 5", "en": "read back 5"}
    assert (
        shown["history"][-1]["reason"]["ru"] == f"повторно дана: marat, для {POINT} = 6: отклонена"
    )
    assert len(hub.sent) == 1


def test_repeats_without_end_are_noted_up_to_a_limit(tmp_path):
    hub = Hub(tmp_path)
    tracked = hub.submit(command_id="a" * 32)
    for _ in range(300):
        assert hub.submit(command_id="a" * 32) is tracked
    assert len(tracked.history) == 100
    assert len(hub.sent) == 1


@pytest.mark.parametrize("state", [OutcomeState.REFUSED, OutcomeState.EXPIRED, OutcomeState.FAILED])
def test_what_the_gateway_says_is_the_end(tmp_path, state):
    hub = Hub(tmp_path)
    tracked = hub.submit()
    hub.outcome(tracked, state, reason="сорғы өшік")
    assert (tracked.state, tracked.newest[2]) == (state.value, "сорғы өшік")
    hub.outcome(tracked, OutcomeState.EXECUTED)
    hub.read(5.0, after_s=9)
    hub.commands.check(NOW + 1000 * SECOND)
    assert tracked.state == state.value
    assert len(tracked.history) == 3


def test_a_command_that_cannot_be_journalled_is_not_sent(tmp_path, monkeypatch):
    """Another process holds the file: the same as a full disk, and real."""
    monkeypatch.setattr(module, "BUSY_S_MAX", 0.02)
    hub = Hub(tmp_path)
    other = sqlite3.connect(tmp_path / "commands.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="cannot be journalled, so it was not sent"):
        hub.submit(command_id="a" * 32)
    assert hub.sent == []
    other.execute("ROLLBACK")
    other.close()
    assert hub.commands.find("a" * 32) is None
    assert hub.submit(command_id="a" * 32).state == "sent"


def test_what_becomes_of_a_command_is_kept_as_soon_as_the_disk_takes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUSY_S_MAX", 0.02)
    hub = Hub(tmp_path)
    tracked = hub.submit()
    other = sqlite3.connect(tmp_path / "commands.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    hub.outcome(tracked, OutcomeState.EXECUTED)
    hub.read(5.0, after_s=4)
    hub.read(5.0, after_s=5)
    hub.commands.check(NOW + 6 * SECOND)
    assert tracked.state == "settled"
    assert hub.commands.find(tracked.command.id) is tracked
    other.execute("ROLLBACK")
    hub.commands.check(NOW + 1000 * SECOND)
    other.close()
    hub.commands.close()
    found = Hub(tmp_path).commands.find(tracked.command.id)
    assert found is not None
    assert [step[0] for step in found.history] == ["submitted", "sent", "executed", "settled"]


def test_open_commands_are_taken_up_however_many_came_after(tmp_path, monkeypatch):
    hub = Hub(tmp_path)
    hub.connected = False
    waiting = hub.submit(expires_s=3600)
    for number in range(20):
        with pytest.raises(CommandRefused):
            hub.commands.submit(AIGUL, POINT, 11.0, NOW + number)
    hub.commands.close()
    monkeypatch.setattr(module, "OPEN_MAX", 5)
    again = Hub(tmp_path)
    again.commands.connected("g", NOW + SECOND)
    assert again.sent == [("g", waiting.command.id)]


def test_the_journal_of_commands_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT_MAX", 50)
    hub = Hub(tmp_path)
    for number in range(120):
        with pytest.raises(CommandRefused):
            hub.commands.submit(AIGUL, POINT, 11.0, NOW + number)
    with sqlite3.connect(tmp_path / "commands.db") as other:
        (commands,) = other.execute("SELECT count(*) FROM commands").fetchone()
        (steps,) = other.execute("SELECT count(*) FROM steps").fetchone()
    other.close()
    assert 48 <= commands <= 51
    assert steps == commands
    assert hub.commands.listed()[0].command.issued_ns == NOW + 119


def test_everybody_who_watches_is_told_each_step(tmp_path):
    hub, told = Hub(tmp_path), []
    hub.commands.watch(lambda shown: told.append((shown["state"], shown["value"])))
    tracked = hub.submit()
    hub.outcome(tracked, OutcomeState.EXECUTED)
    hub.read(5.0, after_s=4)
    assert told == [("submitted", 5.0), ("sent", 5.0), ("executed", 5.0), ("settled", 5.0)]
    assert hub.commands.counts == {"submitted": 1, "sent": 1, "executed": 1, "settled": 1}


def test_a_point_says_how_far_a_read_back_may_be_off(tmp_path):
    hub = Hub(tmp_path)
    assert hub.submit(point=STEPPED).command.readback.tolerance == 0.2
    assert hub.submit(point=POINT).command.readback.tolerance == 0.1


def test_a_scheduled_command_waits_for_its_moment_and_is_checked_again(tmp_path):
    hub = Hub(tmp_path)
    roles = {"aigul": AIGUL}
    hub.commands = Commands(tmp_path / "later.db", hub.registry, hub.send, roles.get)
    first = hub.submit(3.0, at_ns=NOW + 60 * SECOND)
    second = hub.submit(4.0, at_ns=NOW + 61 * SECOND)
    assert (first.state, hub.sent) == ("scheduled", [])
    hub.commands.connected("g", NOW)
    hub.commands.check(NOW + 59 * SECOND)
    assert hub.sent == []
    again = Commands(tmp_path / "later.db", hub.registry, hub.send, roles.get)  # a restart
    assert again.open_on(POINT)[0].state == "scheduled"
    again.check(NOW + 60 * SECOND)
    assert hub.sent == [("g", first.command.id)]
    del roles["aigul"]
    again.check(NOW + 61 * SECOND)
    assert [one.state for one in again.listed()] == ["refused", "sent"]
    assert again.listed()[0].command.id == second.command.id
    assert len(hub.sent) == 1


def test_what_was_not_sent_can_be_withdrawn(tmp_path):
    hub = Hub(tmp_path)
    hub.connected = False
    waiting, later = hub.submit(3.0), hub.submit(4.0, at_ns=NOW + 60 * SECOND)
    with pytest.raises(CommandRefused, match="may look but not act"):
        hub.commands.cancel(GUEST, waiting, NOW)
    for one in (waiting, later):
        hub.commands.cancel(AIGUL, one, NOW + SECOND)
        assert one.newest == ("canceled", NOW + SECOND, "canceled by aigul")
    hub.connected = True
    hub.commands.connected("g", NOW + 2 * SECOND)
    hub.commands.check(NOW + 100 * SECOND)
    assert hub.sent == []
    sent = hub.submit(5.0)
    with pytest.raises(CommandRefused, match="was sent already") as caught:
        hub.commands.cancel(AIGUL, sent, NOW)
    assert caught.value.status == 409


def test_commands_are_listed_by_point(tmp_path):
    hub = Hub(tmp_path)
    first, other = hub.submit(3.0), hub.submit(1.0, point=STEPPED)
    assert [one.command.id for one in hub.commands.listed(hub.row)] == [first.command.id]
    assert {one.command.id for one in hub.commands.listed()} == {first.command.id, other.command.id}
    assert [one.command.id for one in hub.commands.open_on(POINT)] == [first.command.id]
