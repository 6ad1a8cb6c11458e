"""Command checks: what may be wished of a point, by whom, and when; refusals are sentences."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from citytwin import reasons
from citytwin.batch import SECOND_NS
from citytwin.command import LIFETIME_NS_MAX, Command, Readback
from citytwin.errors import CommandError, IdentityError
from citytwin.point import Point
from citytwin_hub.policy.permit import Permit
from citytwin_hub.registry import Registry

LIFE_S: Final = 30.0
READBACK_NS: Final = 30 * SECOND_NS
TOLERANCE: Final = 0.01
"""Read-back may be off by a hundredth of the writable span where the point says nothing."""
AHEAD_NS_MAX: Final = 30 * 86_400 * SECOND_NS
"""So far ahead a command may be scheduled."""


class CommandRefused(CommandError):
    """A command may not be submitted; ``status`` is HTTP's, ``field`` what is wrong."""

    def __init__(self, status: int, message: str, field: str = "") -> None:
        """Refuse with 400, 403, 404, 409, 422 or 429."""
        super().__init__(message)
        self.status, self.field = status, field


class Wish(NamedTuple):
    """What somebody wants a point to be.

    Attributes:
        user: who.
        point: its id; ``value``: in its unit.
        expires_s: for how long it may be carried out.
        at_ns: not before this; None: at once.
    """

    user: Permit
    point: str
    value: float
    expires_s: float = LIFE_S
    at_ns: int | None = None


def known_point(registry: Registry, point_id: str) -> tuple[int, Point]:
    """Return a point and its row.

    Raises:
        CommandRefused: there is none.
    """
    row = registry.row(point_id)
    point = registry.points.get(row or 0)
    if row is None or point is None:
        raise CommandRefused(404, reasons.NO_POINT.said(point=repr(point_id[:200])), "point")
    return row, point


def command_of(wish: Wish, point: Point, command_id: str, now_ns: int) -> Command:
    """Return a wish as a command.

    Raises:
        CommandRefused: it can be none; the text says which field is wrong.
    """
    value, due_ns = wish.value, now_ns if wish.at_ns is None else max(wish.at_ns, now_ns)
    if not math.isfinite(value):
        raise CommandRefused(422, reasons.NOT_FINITE.said(), "value")
    if not 1 <= wish.expires_s <= LIFETIME_NS_MAX / SECOND_NS:
        raise CommandRefused(422, "expires_s must be 1 to 86400", "expires_s")
    if due_ns - now_ns > AHEAD_NS_MAX:
        days = AHEAD_NS_MAX // (86_400 * SECOND_NS)
        raise CommandRefused(422, f"a command is scheduled at most {days} days ahead", "at")
    span = point.writable
    width = span.high - span.low if span else 0.0
    tolerance = point.tolerance or max(
        width * TOLERANCE if math.isfinite(width) else 0.0, abs(value) * 1e-6, 1e-9
    )
    try:
        return Command(
            id=command_id,
            point=wish.point,
            value=value,
            issued_by=wish.user.name,
            issued_ns=due_ns,
            expires_ns=due_ns + int(wish.expires_s * SECOND_NS),
            readback=Readback(wish.point, value, tolerance, READBACK_NS),
        )
    except (CommandError, IdentityError, ValueError) as error:
        raise CommandRefused(422, str(error), "id") from None


def refused(registry: Registry, may: bool | None, command: Command) -> CommandRefused | None:
    """Return why a command may not be carried out; None if it may.

    Args:
        registry: what points there are now.
        may: whether who issued it may command this point; None: he may command none.
        command: what is wanted.
    """
    if may is None:
        return CommandRefused(403, reasons.LOOKER.said(user=command.issued_by))
    point = registry.points.get(registry.row(command.point) or 0)
    if point is None:
        words = reasons.NO_POINT.said(point=repr(command.point[:200]))
        return CommandRefused(404, words, "point")
    if not may:
        words = reasons.NOT_YOURS.said(user=command.issued_by, point=point.id)
        return CommandRefused(403, words)
    span, value = point.writable, command.value
    if span is None:
        return CommandRefused(422, reasons.NOT_WRITABLE.said(point=point.id), "point")
    if value not in span:
        outside = reasons.OUTSIDE.said(value=f"{value:g}", **reasons.ends(span))
        return CommandRefused(422, outside, "value")
    if not point.on_step(value):
        return CommandRefused(422, reasons.off_step(point, value), "value")
    return None
