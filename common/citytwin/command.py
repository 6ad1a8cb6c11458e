"""Command and Outcome: what is to be done to a writable point, and what became of it."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import Final

import msgspec

from citytwin.errors import CommandError
from citytwin.identity import split_point_id

REASON_CHARS_MAX: Final = 400
LIFETIME_NS_MAX: Final = 24 * 3600 * 1_000_000_000
"""A command that lives longer than a day is a schedule, and schedules live at the hub."""
_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


class Readback(msgspec.Struct, frozen=True):
    """What must be read back for a command to count as done.

    Attributes:
        point: id of the point to watch (often the commanded one).
        value: what it must read, in its unit.
        tolerance: how far it may be off, in its unit.
        within_ns: how long after execution it may take.
    """

    point: str
    value: float
    tolerance: float
    within_ns: int

    def __post_init__(self) -> None:
        """Refuse values that are not finite (ValueError)."""
        split_point_id(self.point)
        if not (math.isfinite(self.value) and math.isfinite(self.tolerance)):
            raise ValueError("read-back value and tolerance must be finite")
        if self.tolerance < 0 or not 0 < self.within_ns <= LIFETIME_NS_MAX:
            raise ValueError("read-back tolerance and time must be positive, the time within a day")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """An order to set one point (immutable).

    Attributes:
        id: 32 lower-case hexadecimal digits (a UUID without dashes); carried out at most once.
        point: id of a writable point.
        value: what to set, in the point's unit; finite.
        issued_by: who asked; ``approved_by``: who agreed, empty when nobody needed to.
        issued_ns, expires_ns: UTC nanoseconds; not carried out after ``expires_ns``.
        readback: how to see that it was done.
    """

    id: str
    point: str
    value: float
    issued_by: str
    issued_ns: int
    expires_ns: int
    readback: Readback
    approved_by: str = ""

    def __post_init__(self) -> None:
        """Refuse what can never be carried out (CommandError)."""
        if not _ID.match(self.id):
            raise CommandError(f"command id {self.id[:40]!r} is not 32 hexadecimal digits")
        split_point_id(self.point)
        if not math.isfinite(self.value):
            raise CommandError(f"command {self.id}: value {self.value} is not a finite number")
        if not self.issued_ns < self.expires_ns <= self.issued_ns + LIFETIME_NS_MAX:
            raise CommandError(
                f"command {self.id}: it must expire after it is issued, within a day"
            )
        if not self.issued_by or len(self.issued_by) > REASON_CHARS_MAX:
            raise CommandError(f"command {self.id}: issued_by must name who asked")


class OutcomeState(StrEnum):
    """What a gateway did with a command."""

    EXECUTED = "executed"
    """The device accepted the write; whether it took effect is for the read-back to say."""
    REFUSED = "refused"
    """Not tried: unknown or not writable point, out of limits, interlock, repeated id."""
    EXPIRED = "expired"
    """Not tried: it arrived, or its turn came, after ``expires_ns``."""
    FAILED = "failed"
    """Tried; the device was silent or said no, so the state of the device is not known."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway did with a command (immutable); ``reason`` is one sentence for people."""

    command: str
    state: OutcomeState
    at_ns: int
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse malformed ids and reasons without bound (CommandError)."""
        if not _ID.match(self.command):
            raise CommandError(f"command id {self.command[:40]!r} is not 32 hexadecimal digits")
        if len(self.reason) > REASON_CHARS_MAX:
            raise CommandError(f"the reason has over {REASON_CHARS_MAX} characters")
