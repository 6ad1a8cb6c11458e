"""Interval flow: what a detector counted in its interval, as vehicles per hour.

q = n · 3600 / T        10 vehicles in 30 s are 1,200 veh/h

Source: definition; there is no standard to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Point
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Reads
from citytwin_edge.kernels.traffic.loop_aggregates import FLOW

READS: Final = (Reads("vehicles of an interval", "{vehicles}"),)


class IntervalSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The interval of the detector.

    Attributes:
        interval_s: length of the interval in which the detector counts, in seconds.
    """

    interval_s: Annotated[float, Meta(ge=1, le=86_400)]


def _build(settings: IntervalSettings, inputs: Sequence[Point]) -> Formula:
    def flow(values: Float64) -> Float64:
        return np.where(values >= 0, values * 3600 / settings.interval_s, np.nan)

    age = settings.age_s_max
    return Formula("interval-flow", inputs, READS, (FLOW,), flow, age_s_max=age)


INTERVAL_FLOW: Final = Builtin(
    IntervalSettings, _build, READS, (FLOW,), "flow of the vehicles that a detector counted"
)
