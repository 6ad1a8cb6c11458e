"""Interval energy of a counter: what it counts in each 15, 30 or 60 minutes of the local clock.

The reading at the end of an interval is taken on the straight line between the readings around it;
the result has the time of that end. `demand` is its mean power, as tariffs count it.

- Readings further apart than `gap_s_max` make the intervals between them `uncertain: stale`: their
  sum is right, their shares are not. Over more than a day nothing is shared out.
- A reading below the one before is a roll-over where `modulus` is set and the power that follows is
  at most `power_kw_max`; else the meter was reset or exchanged. Then, and where a step would be
  more than `power_kw_max`, counting begins anew and that interval gives nothing.
- An interval that was not seen from its beginning gives nothing, such as the first one.

Source: definition, and ours in what is doubtful; there is no standard to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta

from citytwin.point import Point
from citytwin_edge.kernels.electricity.intervals import (
    GIVES,
    HOUR_NS,
    Intervals,
    IntervalSettings,
    Stretch,
)
from citytwin_edge.kernels.formula import Builtin, Reads

READS: Final = (Reads("counter of energy", "kW.h"),)


class IntervalEnergySettings(
    IntervalSettings, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """How long an interval is, and what the counter can count.

    Attributes:
        modulus: the reading at which the counter goes back to 0, in kWh; 0: it never does.
        power_kw_max: the most that can flow, in kW; 0: not known.
    """

    modulus: Annotated[float, Meta(ge=0, le=1e15)] = 0.0
    power_kw_max: Annotated[float, Meta(ge=0, le=1e9)] = 0.0

    def __post_init__(self) -> None:
        """Refuse a roll-over that nobody could tell from a reset (ValueError)."""
        super().__post_init__()
        if self.modulus and not self.power_kw_max:
            raise ValueError("modulus needs power_kw_max, to tell a roll-over from a reset")


class IntervalEnergy(Intervals):
    """Shares out the steps of a counter."""

    def __init__(self, settings: IntervalEnergySettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        super().__init__("interval-energy", settings, inputs, READS[0])
        self._modulus = settings.modulus
        self._most = settings.power_kw_max or float("inf")

    def stretch(self, begins: int, ends: int, before: float, after: float) -> Stretch | None:
        """Return the mean power of a step; None for a reset and what cannot be."""
        step = after - before
        if step < 0 and self._modulus:
            step = self._modulus - before + after
        power = step / (ends - begins) * HOUR_NS
        return Stretch(begins, ends, power, power) if 0 <= power <= self._most else None


INTERVAL_ENERGY: Final = Builtin(
    IntervalEnergySettings,
    IntervalEnergy,
    READS,
    GIVES,
    "energy and demand of each 15, 30 or 60 minutes, of a counter",
)
