"""NowCast: what particles are in the air now, weighted by how fast it changes.

    w = max(c_min / c_max, 1/2)        NowCast = Σ wⁱ cᵢ / Σ wⁱ,  i = 0 the newest of 12 hours

Source: US EPA, Technical Assistance Document for the Reporting of Daily Air Quality
(EPA-454/B-24-002, May 2024), "How the NowCast is calculated". Hours without a mean are left out of
both sums. Two of the three newest hours must be there, else the result is ``bad: stale``. A mean
below zero, the noise of an instrument in clean air, counts as 0 (ours: the document is silent).
Its example was read, and is a test. The NowCast of ozone is another one (``ozone-nowcast``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from citytwin.batch import Float64, UInt8
from citytwin.point import Label, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.air.concentration import scale
from citytwin_edge.kernels.air.hours import Hours, HourSettings
from citytwin_edge.kernels.formula import Builtin, Gives, Reads

HOURS: Final = 12
NEWEST: Final = 3
NEWEST_MIN: Final = 2
WEIGHT_MIN: Final = 0.5
READS: Final = (Reads("PM2.5 or PM10", "ug/m3"),)
GIVES: Final = (Gives("nowcast", "ug/m3", Label(kk="NowCast", ru="NowCast", en="NowCast")),)


def nowcast(mean: Float64, weight_min: float = WEIGHT_MIN) -> float:
    """Return the NowCast of hourly means, newest first; NaN where too few are there.

    >>> round(nowcast(np.array([13, 16, 10, 21, 74, 64, 53, 82, 90, 75, 80, 50.0])), 4)
    17.4139
    """
    known = np.isfinite(mean)
    if np.count_nonzero(known[:NEWEST]) < NEWEST_MIN:
        return float("nan")
    value = np.maximum(mean[known], 0.0)
    most = float(value.max())
    if most == 0:
        return 0.0
    age = np.flatnonzero(known)
    # Counted from the newest one there is: the same, and of a weight of 0 that one is left.
    weight = max(float(value.min()) / most, weight_min) ** (age - age[0])
    return float((weight * value).sum() / weight.sum())


class NowCast(Hours):
    """Gives the NowCast at the end of every hour."""

    def __init__(self, settings: HourSettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        factor = scale(inputs, "ug/m3")
        outputs = [one.point(inputs[0]) for one in GIVES]
        super().__init__(
            "nowcast", inputs, outputs, scale=factor, hours=HOURS, step_min=settings.step_min
        )

    def _hour(self, mean: Float64, quality: UInt8) -> Iterator[tuple[float, int]]:
        value = nowcast(mean)
        known = np.isfinite(value)
        yield value, int(quality.max()) if known else int(Quality.BAD_STALE)


NOWCAST: Final = Builtin(
    HourSettings, NowCast, READS, GIVES, "NowCast of PM2.5 or PM10 of the last 12 hours (US EPA)"
)
