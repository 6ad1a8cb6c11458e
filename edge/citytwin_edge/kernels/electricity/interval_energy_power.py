"""Interval energy of a power: the area below it in each 15, 30 or 60 minutes of the local clock.

Between two readings the power goes in a straight line; the result has the time of the interval's
end. `demand` is its mean power, as tariffs count it. Power below zero counts against power
above.

- Readings further apart than `gap_s_max` make the intervals between them `uncertain: stale`. Over
  more than a day nothing is shared out.
- An interval that was not seen from its beginning gives nothing, such as the first one.

A counter sees what is between two readings: where there is one, take `interval-energy`.

Source: definition, and ours in what is doubtful; there is no standard to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from citytwin.point import Point
from citytwin_edge.kernels.electricity.intervals import (
    GIVES,
    Intervals,
    IntervalSettings,
    Stretch,
)
from citytwin_edge.kernels.formula import Builtin, Reads

READS: Final = (Reads("power", "kW"),)


class IntervalEnergyOfPower(Intervals):
    """Shares out the area below a power."""

    def __init__(self, settings: IntervalSettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        super().__init__("interval-energy-power", settings, inputs, READS[0])

    def stretch(self, begins: int, ends: int, before: float, after: float) -> Stretch | None:
        """Return the line from one reading to the next."""
        return Stretch(begins, ends, before, after)


INTERVAL_ENERGY_POWER: Final = Builtin(
    IntervalSettings,
    IntervalEnergyOfPower,
    READS,
    GIVES,
    "energy and demand of each 15, 30 or 60 minutes, of a power",
)
