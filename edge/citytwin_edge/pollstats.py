"""Poll statistics: what a poller counts, and by which name a failure goes."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from citytwin.batch import SECOND_NS, Batch
from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused, WireError
from citytwin.quality import Quality

LATENCIES_MAX: Final = 128
"""So many of the newest polls say how long a device takes: half a kilobyte for each device."""


@dataclass(slots=True)
class PollStats:
    """What a poller counts, from its start.

    Attributes:
        polls: attempts to read; for a listener, failures and batches heard.
        answered: those that brought samples.
        skipped: slots of the grid that passed during a longer poll.
        samples: emitted, those of bad quality included.
        failures: by reason: silent, malformed, refused, overflow (a listener had to leave out),
            fault (an error nobody foresaw).
        in_row: failures since the last answer.
        latency_ns: how long the last answered poll took.
        error: the last failure, in words.
        answered_ns: when it answered last, UTC nanoseconds; 0: never.
        since_ns: since when it answers, or fails to, UTC nanoseconds; 0: neither has happened.
    """

    polls: int = 0
    answered: int = 0
    skipped: int = 0
    samples: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    in_row: int = 0
    latency_ns: int = 0
    error: str = ""
    answered_ns: int = 0
    since_ns: int = 0
    _latencies_s: array[float] = field(default_factory=lambda: array("f"))
    _timed: int = 0

    def took(self, latency_ns: int) -> None:
        """An answered poll took so long."""
        self.latency_ns = latency_ns
        latency_s = latency_ns / SECOND_NS
        if len(self._latencies_s) < LATENCIES_MAX:
            self._latencies_s.append(latency_s)
        else:
            self._latencies_s[self._timed % LATENCIES_MAX] = latency_s
        self._timed += 1

    def latency_s(self, part: float) -> float | None:
        """Return how long this part of the newest polls took at most; None before the first."""
        if not self._latencies_s:
            return None
        ordered = sorted(self._latencies_s)
        return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]

    @property
    def success(self) -> float:
        """Part of the polls that were answered, 0 to 1; 1 before the first."""
        return self.answered / self.polls if self.polls else 1.0


_REASONS: Final = {
    Quality.BAD_SILENT: "silent",
    Quality.BAD_MALFORMED: "malformed",
    Quality.BAD_REFUSED: "refused",
}


def reason_of(error: BaseException) -> tuple[Quality, str]:
    """Return the quality and the name of a failure."""
    if isinstance(error, DeviceRefused):
        quality = Quality.BAD_REFUSED
    elif isinstance(error, DeviceMalformed | WireError):
        quality = Quality.BAD_MALFORMED
    elif isinstance(error, DeviceError | OSError):  # TimeoutError is one
        quality = Quality.BAD_SILENT
    else:
        return Quality.BAD_MALFORMED, "fault"
    return quality, _REASONS[quality]


def complaint(heard: Batch) -> str:
    """Return what a device that speaks by itself says is wrong: overflow, silent, or nothing."""
    if (heard.quality == Quality.BAD_OVERFLOW).any():
        return "overflow"
    return "silent" if len(heard) and (heard.quality == Quality.BAD_SILENT).all() else ""
