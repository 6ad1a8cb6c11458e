"""Retries: how long to wait before the hub is tried again, and what is said about it.

The same trouble is told once, not at every attempt: a log that repeats itself for a night hides
what it has to say, and wears out a memory card.
"""

from __future__ import annotations

from random import Random
from typing import Final

import structlog

PAUSE_S_MIN: Final = 0.5
PAUSE_S_MAX: Final = 30.0
REFUSED_S_MAX: Final = 60.0
"""A hub that does not want this gateway is asked again, but seldom."""

_log = structlog.get_logger(__name__)


class Retries:
    """Told of every attempt. Pauses double from half a second to half a minute, with jitter.

    Jitter keeps a thousand gateways from coming back in the same instant.
    """

    def __init__(self, random: Random) -> None:
        """Draw jitter from ``random``."""
        self._random = random
        self._last_s = 0.0
        self._is_refused = False
        self._said = ("", "")
        self.failures = 0

    @property
    def trouble(self) -> str:
        """What is wrong now, in a sentence; empty when the hub takes what we send."""
        event, reason = self._said
        return reason or event

    def succeeded(self) -> None:
        """The hub takes what we send."""
        if self._said != ("", ""):
            _log.info("uplink.delivers", after_failures=self.failures)
        self._last_s, self._is_refused, self._said, self.failures = 0.0, False, ("", ""), 0

    def failed(self, event: str, reason: str) -> None:
        """There is no line, or no longer."""
        self._is_refused = False
        self.failures += 1
        if self._said != (event, reason):
            _log.warning(event, reason=reason)
            self._said = (event, reason)

    def refused(self, reason: str, detail: str) -> None:
        """The hub, or this gateway, will have nothing to do with the other."""
        self._is_refused = True
        self.failures += 1
        if self._said != (reason, detail):
            _log.error("uplink.refused", reason=reason, detail=detail, retry_s=REFUSED_S_MAX)
            self._said = (reason, detail)

    def pause_s(self) -> float:
        """Return how long to wait before the next attempt, in seconds."""
        if self._is_refused:
            self._last_s = PAUSE_S_MAX
            return REFUSED_S_MAX * (0.5 + self._random.random() / 2)
        self._last_s = min(max(2 * self._last_s, 2 * PAUSE_S_MIN), PAUSE_S_MAX)
        return self._last_s * (0.5 + self._random.random() / 2)
