"""Night flow: the least inflow of a district at night, and what of it nobody is known to use.

    night flow = the smallest moving average in the window        excess = night flow − night use
    night use = connections · use of a connection + exceptional users

Source: minimum night flow analysis of the IWA Water Loss Task Force (District Metered Areas:
Guidance Notes, 2007): between 02:00 and 04:00 people use least and pressure is highest, so what
flows is mostly leakage. The excess is the night's; over a day leakage is less, since pressure is.
The notes were not read in print.

Where less than ``part_percent_min`` of the window was seen, or no whole ``average_min`` of it, the
result is ``bad: stale``; below nine tenths ``uncertain: stale``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Label, Point
from citytwin_edge.kernels.formula import Builtin, Gives, Reads
from citytwin_edge.kernels.water.periods import (
    DAY_MIN,
    LocalDays,
    Periods,
    Result,
    Shape,
    Zone,
    minutes,
    seen,
)

WINDOW_MIN_MAX: Final = 12 * 60
READS: Final = (Reads("inflow", "m3/h"),)
GIVES: Final = (
    Gives(
        "night-flow",
        "m3/h",
        Label(
            kk="Түнгі ең аз шығын", ru="Минимальный ночной расход", en="Minimum night flow"
        ),
    ),
    Gives(
        "night-excess",
        "m3/h",
        Label(
            kk="Түнгі артық шығын",
            ru="Ночной расход сверх потребления",
            en="Night flow beyond consumption",
        ),
    ),
)  # fmt: skip


class NightSettings(LocalDays, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The night, and who uses water in it.

    Attributes:
        begin: local time at which the window begins.
        end: local time at which it ends; it may lie behind midnight, at most 12 h after ``begin``.
        average_min: length of the moving average, in minutes.
        connections: number of connections in the district.
        use_l_h: what a connection uses at night, in L/h; measure it, 1.7 is a usual figure.
        exceptional_m3_h: what large users such as hospitals take at night, in m³/h.
    """

    begin: str = "02:00"
    end: str = "04:00"
    average_min: Annotated[int, Meta(ge=1, le=WINDOW_MIN_MAX)] = 60
    connections: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    use_l_h: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    exceptional_m3_h: Annotated[float, Meta(ge=0, le=1e6)] = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        LocalDays.__post_init__(self)
        length = self.shape.length
        if not 0 < length <= WINDOW_MIN_MAX:
            raise ValueError("end must be after begin, by at most 12 hours")
        if length % self.step_min or self.average_min % self.step_min:
            raise ValueError("step_min must divide the window and average_min")
        if self.average_min > length:
            raise ValueError("average_min must not be longer than the window")

    @property
    def shape(self) -> Shape:
        """The window."""
        begin, end = minutes(self.begin, "begin"), minutes(self.end, "end")
        return Shape(DAY_MIN, begin, (end - begin) % DAY_MIN, self.step_min)

    @property
    def use_m3_h(self) -> float:
        """What is used at night, in m³/h."""
        return self.connections * self.use_l_h / 1000 + self.exceptional_m3_h


class NightFlow(Periods):
    """Gives night flow and excess once a night."""

    def __init__(self, settings: NightSettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        super().__init__("night-flow", inputs, READS, GIVES, Zone(settings.zone), settings.shape)
        self._settings = settings

    def _over(self, means: Float64) -> Iterator[Result]:
        settings = self._settings
        _, quality = seen(means, settings.part_percent_min)
        wide = settings.average_min // settings.step_min
        hours = np.lib.stride_tricks.sliding_window_view(means[0], wide).mean(axis=1)
        known = hours[np.isfinite(hours)]
        least = float(known.min()) if len(known) else np.nan
        yield Result(0, least, int(quality[0]))
        yield Result(1, least - settings.use_m3_h, int(quality[0]))


NIGHT_FLOW: Final = Builtin(
    NightSettings,
    NightFlow,
    READS,
    GIVES,
    "minimum night flow of a district, and what is beyond the use at night (IWA)",
)
