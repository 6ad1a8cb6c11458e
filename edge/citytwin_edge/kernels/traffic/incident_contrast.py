"""Incident contrast: ours; a difference between two stations that is not usual for them.

    d = up − down        e = d − usual d        S ← max(0, S + clip(e / scale, ±3) − drift)

S is a cumulative sum (E. S. Page, Biometrika 41, 1954) of the excess over what is usual between
these two, in units of its own scatter: it needs no threshold of the road. The alarm is raised at
``decision`` when the occupancy upstream is at least ``occupancy_min``. Two things hold it back:

- What comes from downstream: where the occupancy there rises by more than three of its own
  scatters, a queue or a wave runs up the road. S is 0 then and for ``hold`` turns more.
- Learning: for the first 30 turns there is no alarm.

It returns when the difference was usual for three turns. What is usual is learned over ``memory``
turns with every step limited, four times slower while an alarm stands, so that a lane that is
closed for weeks becomes usual.

Source: ours; Page's paper is cited from knowledge and was not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Point
from citytwin_edge.kernels.formula import Builtin
from citytwin_edge.kernels.traffic.watch import INCIDENT, OCCUPANCIES, Watch, WatchSettings

READY: Final = 30
CLEAR: Final = 3
CLIP: Final = 3.0
SCALE_MIN: Final = 0.5
"""No scatter is believed to be smaller, in percent of occupancy."""
SIGMA: Final = 1.2533
"""Standard deviation by mean absolute deviation, of a normal distribution."""


class ContrastSettings(WatchSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much must be unusual, and for how long.

    Attributes:
        decision: the sum at which the alarm is raised.
        drift: so many scatters are still usual.
        occupancy_min: no incident where the occupancy upstream is lower, in percent.
        hold: turns for which a wave from downstream holds back the alarm.
        memory: turns over which is learned what is usual.
    """

    decision: Annotated[float, Meta(gt=0, le=100)] = 6.0
    drift: Annotated[float, Meta(gt=0, le=3)] = 1.0
    occupancy_min: Annotated[float, Meta(ge=0, le=100)] = 15.0
    hold: Annotated[int, Meta(ge=0, le=60)] = 5
    memory: Annotated[int, Meta(ge=10, le=10_000)] = 60


class IncidentContrast(Watch):
    """Gives the alarm of an unusual difference, and its return."""

    def __init__(self, settings: ContrastSettings, inputs: Sequence[Point]) -> None:
        """Check the inputs (ConfigError)."""
        super().__init__("incident-contrast", settings, inputs, OCCUPANCIES)
        self._settings = settings
        # The two that are learned: the difference, and the occupancy downstream.
        self._columns |= {
            "usual": np.full(2, np.nan),
            "scatter": np.full(2, SCALE_MIN),
            "turns": np.zeros(1, np.int64),
        }
        self._keep(
            {"sum": np.zeros(1), "wave": np.zeros(1, np.int64), "clear": np.zeros(1, np.int64)}
        )

    def _judge(self, values: Sequence[float], raised: bool) -> bool:
        columns, settings = self._columns, self._settings
        up, down = values
        seen = np.array([up - down, down])
        if not columns["turns"][0]:
            columns["usual"][...] = seen
        score = (seen - columns["usual"]) / (SIGMA * np.maximum(columns["scatter"], SCALE_MIN))
        self._learn(seen, slower=raised or float(columns["sum"][0]) > settings.decision / 2)
        if columns["turns"][0] < READY:
            return raised
        columns["wave"][0] = settings.hold if score[1] > CLIP else max(columns["wave"][0] - 1, 0)
        excess = float(np.clip(score[0], -CLIP, CLIP))
        if raised:
            columns["clear"][0] = columns["clear"][0] + 1 if excess < settings.drift else 0
            columns["sum"][0] = 0
            return bool(columns["clear"][0] < CLEAR)
        total = 0.0 if columns["wave"][0] else max(columns["sum"][0] + excess - settings.drift, 0.0)
        columns["sum"][0] = total
        columns["clear"][0] = 0
        return total >= settings.decision and up >= settings.occupancy_min

    def _learn(self, seen: Float64, *, slower: bool) -> None:
        """Learn what is usual, by limited steps."""
        columns = self._columns
        columns["turns"][0] = turns = min(int(columns["turns"][0]) + 1, self._settings.memory)
        rate = 1 / (4 * turns if slower else turns)
        error = seen - columns["usual"]
        limit = CLIP * np.maximum(columns["scatter"], SCALE_MIN)
        columns["usual"] += rate * np.clip(error, -limit, limit)
        columns["scatter"] += rate * (np.minimum(np.abs(error), limit) - columns["scatter"])


INCIDENT_CONTRAST: Final = Builtin(
    ContrastSettings,
    IncidentContrast,
    OCCUPANCIES,
    (INCIDENT,),
    "incidents between two stations by a difference that is not usual for them (ours)",
)
