"""Unlocking: a PIN that a person with a shell on the gateway gives to whoever holds the telephone.

Sans I/O. The PIN serves once; what it opens is a session that ends with the time it was given.
Whoever guesses has five attempts, then the PIN is void.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from citytwin.batch import SECOND_NS
from citytwin_edge.console import sentences as say
from citytwin_edge.console.protocol import ConsoleError

PIN_DIGITS: Final = 6
GUESSES_MAX: Final = 5
MINUTES_MAX: Final = 24 * 60.0
SESSIONS_MAX: Final = 4


class Session(NamedTuple):
    """What an unlocked browser holds: its cookie, and the word that each of its orders carries."""

    cookie: str
    word: str
    ends_ns: int


class Unlocking:
    """Who may do more than look; one thread."""

    def __init__(self, now_ns: Callable[[], int], addresses: Callable[[], list[str]]) -> None:
        """Begin locked.

        Args:
            now_ns: the monotonic clock.
            addresses: where the page is, for people.
        """
        self._now_ns, self._addresses = now_ns, addresses
        self._pin = ""
        self._pin_ends_ns = 0
        self._guesses_left = 0
        self._sessions: dict[str, Session] = {}

    def offer(self, minutes: float) -> dict[str, Any]:
        """Make a PIN that is good for so long, once; return it with the page's addresses.

        Raises:
            ConsoleError: so long cannot be.
        """
        if not 0 < minutes <= MINUTES_MAX:
            raise ConsoleError(f"minutes is above 0 and at most {MINUTES_MAX:g}")
        self._pin = f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"
        self._pin_ends_ns = self._now_ns() + int(minutes * 60 * SECOND_NS)
        self._guesses_left = GUESSES_MAX
        return {"pin": self._pin, "minutes": minutes, "addresses": self._addresses()}

    def lock(self) -> None:
        """Forget the PIN and every session."""
        self._pin = ""
        self._sessions.clear()

    def unlock(self, pin: str) -> Session:
        """Take a PIN and return a session for it; the PIN is spent.

        Raises:
            ConsoleError: it is not the PIN, or there is none.
        """
        if not self._pin or self._now_ns() >= self._pin_ends_ns:
            raise ConsoleError(say.NO_PIN.said())
        if not hmac.compare_digest(pin.strip().encode(), self._pin.encode()):
            self._guesses_left -= 1
            if self._guesses_left <= 0:
                self._pin = ""
                raise ConsoleError(say.NO_PIN.said())
            raise ConsoleError(say.WRONG_PIN.said(left=self._guesses_left))
        self._pin = ""
        made = Session(secrets.token_urlsafe(24), secrets.token_urlsafe(24), self._pin_ends_ns)
        while len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[made.cookie] = made
        return made

    def session(self, cookie: str) -> Session | None:
        """Return the session of a cookie while it lasts."""
        found = self._sessions.get(cookie)
        if found is not None and self._now_ns() >= found.ends_ns:
            del self._sessions[cookie]
            return None
        return found

    def may_act(self, cookie: str, word: str) -> bool:
        """Tell whether an order is of an unlocked browser's own page: it knows the word."""
        found = self.session(cookie)
        return found is not None and hmac.compare_digest(found.word.encode(), word.encode())

    def seconds_left(self, cookie: str) -> float:
        """Return for how long a cookie's session is unlocked; 0 when it is not."""
        found = self.session(cookie)
        return 0.0 if found is None else (found.ends_ns - self._now_ns()) / SECOND_NS

    def end(self, cookie: str) -> None:
        """Lock one browser again."""
        self._sessions.pop(cookie, None)
