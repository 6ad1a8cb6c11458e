"""Occupancy to density and speed, by the effective length of vehicles (the g-factor).

    k = occupancy / g · lanes        v = q / k        g = length of a vehicle + length of the loop

Source: P. Athol, Interdependence of certain operational characteristics within a moving traffic
stream, Highway Research Record 72, 1965; cited from knowledge, not read. g is what must be
measured: at a place with known speeds, g = occupancy · v / q of a lane. It follows the share of
lorries; 6 to 8 m are usual of cars and a loop of 2 m, so a speed is good to a tenth or two, and bad
where few vehicles pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Point
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Reads
from citytwin_edge.kernels.traffic.edie import DENSITY, SPACE_SPEED

READS: Final = (Reads("occupancy", "%"), Reads("flow", "{vehicles}/h"))
GIVES: Final = (DENSITY, SPACE_SPEED)


class OccupancySettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Vehicles and lanes.

    Attributes:
        effective_length_m: length of a vehicle and of the loop together, in metres; measured.
        lanes: how many lanes the flow is of; the occupancy is the mean of their loops.
    """

    effective_length_m: Annotated[float, Meta(ge=2, le=30)]
    lanes: Annotated[int, Meta(ge=1, le=12)] = 1


def _build(settings: OccupancySettings, inputs: Sequence[Point]) -> Formula:
    def calculate(values: Float64) -> Float64:
        occupancy = np.where((values[0] >= 0) & (values[0] <= 100), values[0], np.nan)
        density = occupancy / 100 * 1000 / settings.effective_length_m * settings.lanes
        if len(values) == 1:
            return np.array([density])
        flow = values[1]
        return np.array([density, np.where((density > 0) & (flow >= 0), flow / density, np.nan)])

    count = 1 if len(inputs) == 1 else 2
    return Formula(
        "occupancy-density",
        inputs,
        READS[:count],
        GIVES[:count],
        calculate,
        age_s_max=settings.age_s_max,
    )


OCCUPANCY_DENSITY: Final = Builtin(
    OccupancySettings,
    _build,
    READS,
    GIVES,
    "density, and with a flow speed, of the occupancy of loops (g-factor)",
)
