"""McMaster algorithm: congestion at a station, and what the next one downstream says of its cause.

Flow over occupancy of a station is cut into areas:

    1 left of ``occupancy_critical``, flow ≥ ``lud_slope`` · occupancy: uncongested
    2 left of it, below that line (LUD, the lower bound of uncongested data)
    3 right of it
    4 right of it, flow ≥ ``flow_discharge``: what flows out of a queue

Area 2 or 3 upstream for ``persist`` intervals is congestion. The next station tells its cause: 1 or
2 there is an incident between them, 4 a bottleneck as every day, 3 a queue from further down.

Source: F. L. Hall, Y. Shi, G. Atala, On-line testing of the McMaster incident detection algorithm
under recurrent congestion, Transportation Research Record 1394, 1993; B. N. Persaud, F. L. Hall,
Catastrophe theory and patterns in 30-second freeway traffic data, 1989. Neither paper could be read
for this kernel. The areas are as remembered, the line is straight here where the paper has a curve,
and what is said of the cause could not be checked. A thesis of McMaster University (B. B. Lyall)
recommends to let congestion persist for three intervals of 30 s rather than two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.point import Point
from citytwin_edge.kernels.formula import Builtin, Reads
from citytwin_edge.kernels.traffic.watch import INCIDENT, Watch, WatchSettings

READS: Final = (
    Reads("occupancy upstream", "%"),
    Reads("flow upstream", "{vehicles}/h"),
    Reads("occupancy downstream", "%"),
    Reads("flow downstream", "{vehicles}/h"),
)


class McMasterSettings(WatchSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The areas, alike for both stations.

    Attributes:
        occupancy_critical: above it there is congestion or discharge, in percent.
        lud_slope: uncongested flow is at least so many vehicles per hour for each percent.
        flow_discharge: what flows out of a queue at least, in vehicles per hour.
        persist: intervals that congestion must last, and be gone, to count.
    """

    occupancy_critical: Annotated[float, Meta(gt=0, le=100)]
    lud_slope: Annotated[float, Meta(gt=0, le=10_000)]
    flow_discharge: Annotated[float, Meta(gt=0, le=50_000)]
    persist: Annotated[int, Meta(ge=1, le=20)] = 3


class McMaster(Watch):
    """Gives the alarm when congestion is of an incident, and its return."""

    def __init__(self, settings: McMasterSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        super().__init__("mcmaster", settings, inputs, READS)
        self._settings = settings
        self._keep({"congested": np.zeros(1, np.int64), "clear": np.zeros(1, np.int64)})

    def area(self, occupancy: float, flow: float) -> int:
        """Return the area of a station, 1 to 4."""
        settings = self._settings
        if occupancy <= settings.occupancy_critical:
            return 1 if flow >= settings.lud_slope * occupancy else 2
        return 4 if flow >= settings.flow_discharge else 3

    def _judge(self, values: Sequence[float], raised: bool) -> bool:
        columns, persist = self._columns, self._settings.persist
        upstream, downstream = self.area(*values[:2]), self.area(*values[2:])
        congested = upstream in (2, 3)
        columns["congested"][0] = columns["congested"][0] + 1 if congested else 0
        columns["clear"][0] = 0 if congested else columns["clear"][0] + 1
        if raised:
            return bool(columns["clear"][0] < persist)
        return bool(columns["congested"][0] >= persist and downstream in (1, 2))


MCMASTER: Final = Builtin(
    McMasterSettings,
    McMaster,
    READS,
    (INCIDENT,),
    "incidents by areas of flow and occupancy of two stations (after McMaster)",
)
