"""Ozone NowCast: how much ozone is in the air now, of the last 8 hours; the method of 2016 to 2019.

    w = c_min / c_max        NowCast = Σ wⁱ cᵢ / Σ wⁱ,  i = 0 the newest of 8 hours

As that of particles, of 8 hours instead of 12 and with no least weight. Source: AirNow Data
Management Center, Updates to ozone real-time reporting and daily reporting, April 2016, with its
example, which was read and is a test. Hours without a mean are left out of both sums, as for
particles; the sum that the example shows below the line has the missing hour in it, which makes a
thousandth. Two of the three newest hours must be there, else the result is ``bad: stale``.

What AirNow shows since August 2019 is another one: a partial least squares regression on two weeks
of each monitor, published as a program of US EPA and not as a formula. It is not here, so numbers
differ from AirNow's of today.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from citytwin.batch import Float64, UInt8
from citytwin.conversion import Scale
from citytwin.errors import ConfigError
from citytwin.point import Label, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.air.hours import Hours, HourSettings
from citytwin_edge.kernels.air.nowcast import nowcast
from citytwin_edge.kernels.formula import Builtin, Gives, Reads

HOURS: Final = 8
READS: Final = (Reads("ozone", "[ppb]"),)
LABEL: Final = Label(kk="Озон NowCast", ru="NowCast озона", en="Ozone NowCast")
GIVES: Final = (Gives("ozone-nowcast", "[ppb]", LABEL),)


class OzoneNowCast(Hours):
    """Gives the NowCast at the end of every hour, in the unit of the input."""

    def __init__(self, settings: HourSettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        if len(inputs) != 1:
            raise ConfigError(f"it reads 1, not {len(inputs)}: ozone")
        gives = Gives("ozone-nowcast", inputs[0].unit, LABEL)
        super().__init__(
            "ozone-nowcast",
            inputs,
            [gives.point(inputs[0])],
            scale=Scale(1.0, 0.0),
            hours=HOURS,
            step_min=settings.step_min,
        )

    def _hour(self, mean: Float64, quality: UInt8) -> Iterator[tuple[float, int]]:
        value = nowcast(mean, weight_min=0.0)
        known = np.isfinite(value)
        yield value, int(quality.max()) if known else int(Quality.BAD_STALE)


OZONE_NOWCAST: Final = Builtin(
    HourSettings, OzoneNowCast, READS, GIVES, "NowCast of ozone of the last 8 hours (AirNow, 2016)"
)
