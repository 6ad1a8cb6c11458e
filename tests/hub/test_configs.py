"""Configurations at the hub: who may push what when, and what gateways say of it."""

import pytest

from citytwin_hub.config_texts import digest_of
from citytwin_hub.configs import AT_GATEWAY, LIFE_NS, ConfigRefused, Configs
from citytwin_protos.config_order import deflated, inflated, order_from_bytes, signed_bytes
from citytwin_protos.session import ConfigReported
from tests.hub.doors import permit

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
ADMIN, OPERATOR = permit("root", "admin"), permit("aigul", "operator")


def text(pace):
    return f'[gateway]\nname = "g"\n[outbox]\nflush_ms = {pace}\n'.encode()


class Hub:
    def __init__(self, folder):
        self.folder, self.connected = folder, True
        self.orders, self.asked, self.now = [], [], NOW
        self.configs = self.opened()

    def opened(self):
        return Configs(
            self.folder / "configs.db", lambda data: b"signed " + data, self.send, self.ask
        )

    def send(self, gateway, order, signature):
        assert signature == b"signed " + signed_bytes(order)
        if self.connected:
            self.orders.append(order_from_bytes(order))
        return self.connected

    def ask(self, gateway, digest):
        self.asked.append((gateway, digest))
        return True

    def report(self, raw, push=0, state="", reason="", remote="keep-limits", with_text=False):
        told = deflated(raw) if with_text else b""
        report = ConfigReported(digest_of(raw), remote, push, state, reason, self.now, told)
        self.configs.reported("g", report, self.now)

    def push(self, raw, user=ADMIN, **options):
        return self.configs.push(user, "g", raw, self.now, **options)

    def states(self, number):
        history = self.configs.history("g")
        (found,) = [one["push"] for one in history if one["number"] == number]
        return [step["state"] for step in found["history"]]


@pytest.fixture
def hub(tmp_path):
    return Hub(tmp_path)


def test_what_a_gateway_runs_is_asked_for_and_kept_once(hub):
    hub.report(text(1))
    assert hub.asked == [("g", digest_of(text(1)))]
    assert hub.configs.summary("g")["number"] is None
    hub.report(text(1), with_text=True)
    hub.report(text(1), with_text=True)
    (version,) = hub.configs.history("g")
    assert (version["number"], version["by"], version["push"]) == (1, AT_GATEWAY, None)
    assert hub.configs.text(ADMIN, "g") == text(1)
    assert hub.asked == [("g", digest_of(text(1)))]
    # What is not what its name says is not kept.
    lie = ConfigReported(digest_of(text(2)), "all", text=deflated(text(3)))
    hub.configs.reported("g", lie, NOW)
    hub.configs.reported("g", ConfigReported(digest_of(text(2)), "all", text=b"junk"), NOW)
    assert len(hub.configs.history("g")) == 1


def test_a_push_to_its_end(hub):
    hub.report(text(1), with_text=True)
    pushed = hub.push(text(2), why="new meter")
    assert (pushed.number, pushed.state) == (2, "sent")
    (order,) = hub.orders
    assert (order.gateway, order.number, order.issued_by, order.why) == (
        "g",
        2,
        "root",
        "new meter",
    )
    assert (order.base, inflated(order.text)) == (digest_of(text(1)), text(2))
    hub.report(text(2), 2, "trial")
    hub.report(text(2), 2, "trial")
    assert hub.configs.summary("g")["wanted"] is None
    hub.report(text(2), 2, "confirmed")
    shown = hub.configs.summary("g")
    assert (shown["number"], shown["wanted"], shown["drift"]) == (2, 2, False)
    assert hub.states(2) == ["submitted", "sent", "applied", "confirmed"]
    hub.report(text(9), 2, "confirmed", with_text=True)
    shown = hub.configs.summary("g")
    assert (shown["number"], shown["wanted"], shown["drift"]) == (3, 2, True)
    names = hub.configs.texts_to_compare(ADMIN, "g")
    assert (names[0], names[1], names[2], names[3]) == (
        "g version 2",
        text(2),
        "g version 3",
        text(9),
    )
    assert hub.configs.accept(ADMIN, "g", NOW) == 3
    assert not hub.configs.summary("g")["drift"]
    # And back: to the one before, as a version of its own.
    back = hub.configs.roll_back(ADMIN, "g", NOW)
    assert (back.number, inflated(hub.orders[-1].text)) == (4, text(2))
    assert hub.orders[-1].why == "back to version 2"


@pytest.mark.parametrize("state", ["refused", "rolled-back"])
def test_what_does_not_stay_is_told_with_its_reason(hub, state):
    hub.report(text(1), with_text=True)
    hub.push(text(2))
    hub.report(text(1), 2, state, "no such chip")
    shown = hub.configs.summary("g")
    assert (shown["push"]["state"], shown["push"]["reason"]) == (state, "no such chip")
    assert (shown["number"], shown["wanted"]) == (1, None)
    assert hub.push(text(2)).number == 3, "the next one may come"


def test_a_gateway_that_comes_back_gets_what_it_has_not_had(hub):
    hub.report(text(1), with_text=True)
    hub.connected = False
    assert hub.push(text(2)).state == "submitted"
    hub.configs.close()
    hub.configs = hub.opened()
    hub.report(text(1))
    assert hub.states(2) == ["submitted"]
    hub.connected = True
    hub.report(text(1))
    assert hub.states(2) == ["submitted", "sent"]
    hub.report(text(1))  # it was lost with its line
    assert [order.number for order in hub.orders] == [2, 2]
    hub.report(text(2), 2, "confirmed")
    assert len(hub.orders) == 2


@pytest.mark.parametrize(
    ("raw", "options", "status", "words"),
    [
        (text(2), {"user": OPERATOR}, 403, "may not configure gateways"),
        (b"[gateway]\nname = 'h'\n", {}, 422, "is 'h', not 'g'"),
        (b"[", {}, 422, "is not TOML"),
    ],
)
def test_what_may_not_be_pushed(hub, raw, options, status, words):
    hub.report(text(1), with_text=True)
    with pytest.raises(ConfigRefused, match=words) as refused:
        hub.push(raw, **options)
    assert refused.value.status == status
    assert not hub.orders


def test_when_nothing_may_be_pushed(hub):
    with pytest.raises(ConfigRefused, match="has not told yet"):
        hub.push(text(2))
    assert hub.push(text(2), force=True).base == ""
    with pytest.raises(ConfigRefused, match="push 1 of g is sent; one at a time"):
        hub.push(text(3), force=True)
    with pytest.raises(ConfigRefused, match="no push of g that has not been sent"):
        hub.configs.cancel(ADMIN, "g", NOW)
    hub.report(text(2), 1, "confirmed", remote="off")
    with pytest.raises(ConfigRefused, match="is locked"):
        hub.push(text(3))
    for ask in (
        lambda: hub.configs.text(OPERATOR, "g"),
        lambda: hub.configs.roll_back(OPERATOR, "g", NOW),
        lambda: hub.configs.cancel(OPERATOR, "g", NOW),
        lambda: hub.configs.accept(OPERATOR, "g", NOW),
    ):
        with pytest.raises(ConfigRefused, match="aigul is operator"):
            ask()
    with pytest.raises(ConfigRefused, match="no such version"):
        hub.configs.text(ADMIN, "g", 77)
    with pytest.raises(ConfigRefused, match="no version to go back to"):
        hub.configs.roll_back(ADMIN, "g", NOW)


def test_a_gateway_that_had_higher_numbers_gets_higher_ones(hub):
    """The hub came back from an old backup."""
    hub.report(text(1), push=41, state="confirmed", with_text=True)
    assert hub.push(text(2)).number == 43


def test_nobody_waits_for_ever(hub):
    hub.report(text(1), with_text=True)
    hub.connected = False
    hub.push(text(2))
    hub.configs.check(NOW + LIFE_NS)
    assert hub.states(2) == ["submitted"]
    hub.configs.check(NOW + LIFE_NS + 1)
    assert hub.states(2) == ["submitted", "expired"]
    hub.now = NOW + LIFE_NS + 2
    hub.push(text(2))
    assert hub.configs.cancel(ADMIN, "g", hub.now).state == "cancelled"
