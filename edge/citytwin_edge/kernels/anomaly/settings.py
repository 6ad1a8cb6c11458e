"""Settings: ``anomaly = { … }`` of a point; ``[anomaly]`` has what all points share."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

FREE_DAYS_MAX = 1000
MARK_CHARS_MAX = 64
EXCHANGE_CHARS_MAX = 200


class AnomalySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``anomaly = { … }``: watch a point for what is out of the ordinary.

    Attributes:
        budget: how many alarms a month this point may raise; the threshold keeps to it.
        every_s: the shortest time between two looks, in seconds; what comes between is averaged.
        neighbours: compare the course of the last values with that of the last half-day, too; that
            takes more time than all else.
        learn_from: any mark, the date of a meter exchange say; when it changes, all is learnt anew.
        exchange: device/point by which an exchange of the meter is seen, and all is learnt anew: a
            serial number (whatever it is next), or a counter (when it falls below half of what it
            was). Of a ``[[kernel]]`` it is one of the inputs, and is not watched itself.
        trace: send score, kernel and expected value of every look, not only of alarms.
        time_zone: IANA name of the zone in which people here live.
        holidays: whose public holidays count as Sundays; "none" for nobody's.
        free_days: further days that count as Sundays, as YYYY-MM-DD.
    """

    budget: Annotated[float, msgspec.Meta(ge=0.05, le=1000)] = 1.0
    every_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 60.0
    neighbours: bool = False
    learn_from: Annotated[str, msgspec.Meta(max_length=MARK_CHARS_MAX)] = ""
    exchange: Annotated[str, msgspec.Meta(max_length=EXCHANGE_CHARS_MAX)] = ""
    trace: bool = False
    time_zone: str = "Asia/Almaty"
    holidays: Literal["kz", "none"] = "kz"
    free_days: Annotated[tuple[str, ...], msgspec.Meta(max_length=FREE_DAYS_MAX)] = ()

    def __post_init__(self) -> None:
        """Refuse a zone or a day that is none (ValueError)."""
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f'time_zone "{self.time_zone}" is not known here; write one such as "Asia/Almaty"'
            ) from None
        for day in self.free_days:
            try:
                date.fromisoformat(day)
            except ValueError:
                raise ValueError(f'free_days are written YYYY-MM-DD, not "{day}"') from None

    @property
    def learns_by(self) -> tuple[float, str, str]:
        """What the state of a point stands on: when it changes, all is learnt anew."""
        return (self.every_s, self.learn_from, self.time_zone)
