"""California algorithm #8: incidents between two stations, with compression waves suppressed.

    OCCDF = up − down        OCCRDF = OCCDF / up        DOCCTD = (down(t−2) − down(t)) / down(t−2)

Source: H. J. Payne, S. C. Tignor, Freeway incident-detection algorithms based on decision trees
with states, Transportation Research Record 682, 1978. The paper could not be read for this kernel:
the states and what leads from one to another are as a public program has them that follows it
(Organic Traffic Control, California 8). Intervals are of one minute.

    free       down ≥ T5: DOCCTD < T2 begins a compression wave, else free
               down < T5: OCCDF ≥ T1, OCCRDF ≥ T3 and DOCCTD ≥ T4 make a tentative incident
    wave 1–5   DOCCTD < T2 with down ≥ T5 begins it anew, else one further; after the fifth free
    tentative  OCCRDF ≥ T3 confirms it; else DOCCTD < T2 with down ≥ T5 is a wave, else free
    confirmed  goes on while OCCRDF ≥ T3

Thresholds belong to a road and its detectors, so all of them must be written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.point import Point
from citytwin_edge.kernels.formula import Builtin
from citytwin_edge.kernels.traffic.watch import INCIDENT, OCCUPANCIES, Watch, WatchSettings

FREE: Final = 0
WAVE_LAST: Final = 5
TENTATIVE: Final = 6
CONFIRMED: Final = 7
Percent = Annotated[float, Meta(ge=0, le=100)]
Part = Annotated[float, Meta(ge=-10, le=1)]


class CaliforniaSettings(WatchSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The five thresholds.

    Attributes:
        t1_occdf: difference of occupancies, in percent of occupancy.
        t2_docctd: below this (negative) change of the one downstream there is a wave.
        t3_occrdf: relative difference of occupancies, as a part of 1.
        t4_docctd: fall of the occupancy downstream over two intervals, as a part of 1.
        t5_docc: occupancy downstream that is congestion, in percent.
    """

    t1_occdf: Percent
    t2_docctd: Part
    t3_occrdf: Part
    t4_docctd: Part
    t5_docc: Percent


class California8(Watch):
    """Gives the alarm when an incident is confirmed, and its return."""

    def __init__(self, settings: CaliforniaSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        super().__init__("california-8", settings, inputs, OCCUPANCIES)
        self._settings = settings
        self._keep({"state": np.zeros(1, np.int64), "past": np.full(2, np.nan)})

    def _judge(self, values: Sequence[float], raised: bool) -> bool:
        columns, limits = self._columns, self._settings
        up, down = values
        before = float(columns["past"][0])
        columns["past"][...] = columns["past"][1], down
        if not np.isfinite(before):
            return raised
        fall = (before - down) / before if before > 0 else 0.0
        relative = (up - down) / up if up > 0 else 0.0
        wave = down >= limits.t5_docc and fall < limits.t2_docctd
        state = int(columns["state"][0])
        if state >= TENTATIVE:
            if relative >= limits.t3_occrdf:
                state = CONFIRMED
            else:
                state = 1 if wave and state == TENTATIVE else FREE
        elif wave:
            state = 1
        elif state:
            state = state + 1 if state < WAVE_LAST else FREE
        elif down < limits.t5_docc and (
            up - down >= limits.t1_occdf
            and relative >= limits.t3_occrdf
            and fall >= limits.t4_docctd
        ):
            state = TENTATIVE
        columns["state"][0] = state
        return state == CONFIRMED


CALIFORNIA_8: Final = Builtin(
    CaliforniaSettings,
    California8,
    OCCUPANCIES,
    (INCIDENT,),
    "incidents between two stations by their occupancies (California algorithm #8)",
)
