"""Notices: what a subscriber is to be told, who sends it, and how far behind he is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from citytwin.errors import CityTwinError
from citytwin_hub.entities.store import Change
from citytwin_hub.entities.subscriptions import Subscription


class Undelivered(CityTwinError):
    """A receiver did not take a notification; the text says why."""


class Notice(NamedTuple):
    """What is to be told.

    Attributes:
        changes: each of another entity; of a notification that comes by the clock the entity is
            the same before and after.
        at_ns: when it is sent.
    """

    changes: tuple[Change, ...]
    at_ns: int


Deliver = Callable[[Subscription, Notice], Awaitable[None]]
"""Sends a notification; raises ``Undelivered``, or an ``EntityError`` if it cannot be written."""


class Lag(NamedTuple):
    """How far a subscriber is behind.

    Attributes:
        records: of the evolution that he was not told of, at most (also those that do not concern
            him).
        since_ns: when the oldest thing was written that he waits for; None: he is in step.
        pending: changes that wait in memory.
    """

    records: int
    since_ns: int | None
    pending: int
