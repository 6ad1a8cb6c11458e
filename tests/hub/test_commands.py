"""Commands at the hub: refused in words, followed to their end, the same after a restart."""

import numpy as np
import pytest

from citytwin import Batch, Outcome, OutcomeState, Point, Span
from citytwin_hub.access import Role, User
from citytwin_hub.commands import CommandRefused, Commands
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.readers import Entry
from citytwin_hub.registry import Registry
from citytwin_protos.codec import outcome_to_bytes

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
AIGUL, GUEST = User("aigul", Role.OPERATOR), User("guest", Role.VIEWER)
POINT = "g/d/valve"


class Hub:
    def __init__(self, folder):
        self.sent, self.connected = [], True
        self.registry = Registry(folder / "registry.db")
        self.row = int(
            self.registry.rows([Point(id=POINT, writable=Span(0, 10)), Point(id="g/d/level")])[0]
        )
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
