"""Unlocking the page: a PIN once, five guesses, an end; sans I/O."""

import pytest

from citytwin_edge.console.page import unlocking as module
from citytwin_edge.console.page.unlocking import GUESSES_MAX, Unlocking
from citytwin_edge.console.protocol import ConsoleError

MINUTE = 60 * 10**9


class Clock:
    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def unlocking(clock):
    return Unlocking(clock, lambda: ["http://10.0.0.1:8080"])


def wrong(pin):
    return f"{(int(pin) + 1) % 1_000_000:06}"


def test_a_pin_opens_one_session(unlocking):
    pin = unlocking.offer(15)["pin"]
    assert len(pin) == 6
    session = unlocking.unlock(f" {pin} ")
    assert unlocking.may_act(session.cookie, session.word)
    assert not unlocking.may_act(session.cookie, "another word")
    assert not unlocking.may_act("another cookie", session.word)
    with pytest.raises(ConsoleError, match="there is no PIN now"):
        unlocking.unlock(pin)


def test_it_ends_with_its_time(unlocking, clock):
    session = unlocking.unlock(unlocking.offer(15)["pin"])
    clock.now = 10 * MINUTE
    assert unlocking.seconds_left(session.cookie) == 300
    clock.now = 15 * MINUTE
    assert not unlocking.may_act(session.cookie, session.word)
    assert unlocking.seconds_left(session.cookie) == 0
    assert unlocking.session(session.cookie) is None


def test_a_pin_is_void_after_its_time(unlocking, clock):
    pin = unlocking.offer(1)["pin"]
    clock.now = MINUTE
    with pytest.raises(ConsoleError, match="there is no PIN now"):
        unlocking.unlock(pin)


def test_guessing_voids_the_pin(unlocking):
    pin = unlocking.offer(15)["pin"]
    for left in range(GUESSES_MAX - 1, 0, -1):
        with pytest.raises(ConsoleError, match=f"{left} attempts are left"):
            unlocking.unlock(wrong(pin))
    with pytest.raises(ConsoleError, match="there is no PIN now"):
        unlocking.unlock(wrong(pin))
    with pytest.raises(ConsoleError, match="there is no PIN now"):
        unlocking.unlock(pin)
    assert unlocking.unlock(unlocking.offer(15)["pin"])


def test_without_a_pin_nothing_is_one(unlocking):
    for guess in ("", "000000", "ё"):
        with pytest.raises(ConsoleError):
            unlocking.unlock(guess)


def test_locking_ends_every_session_and_ending_only_one(unlocking):
    one, other = (unlocking.unlock(unlocking.offer(15)["pin"]) for _ in range(2))
    unlocking.end(one.cookie)
    unlocking.end("nobody's")
    assert unlocking.session(one.cookie) is None
    assert unlocking.session(other.cookie)
    pin = unlocking.offer(15)["pin"]
    unlocking.lock()
    assert unlocking.session(other.cookie) is None
    with pytest.raises(ConsoleError):
        unlocking.unlock(pin)


def test_there_are_few_sessions(unlocking, monkeypatch):
    monkeypatch.setattr(module, "SESSIONS_MAX", 2)
    sessions = [unlocking.unlock(unlocking.offer(15)["pin"]) for _ in range(3)]
    assert [bool(unlocking.session(one.cookie)) for one in sessions] == [False, True, True]


@pytest.mark.parametrize("minutes", [0, -1, 24 * 60 + 1, float("nan")])
def test_how_long_is_bounded(unlocking, minutes):
    with pytest.raises(ConsoleError, match="above 0 and at most 1440"):
        unlocking.offer(minutes)
