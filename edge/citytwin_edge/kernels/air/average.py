"""Average of air: the mean of the last 1, 8 or 24 full hours, at the end of every hour.

Three quarters of the hours must be there (6 of 8, 18 of 24), as 40 CFR Part 50, Appendices N and
U, want it, else the result is ``bad: stale``. The 24 hours are the last ones, not those of a
calendar day, as an operator wants it. The unit stays that of the input.

Source: 40 CFR Part 50, Appendices N and U, for the three quarters; not
read in the rule itself, but as programs have it that follow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import numpy as np

from citytwin.batch import Float64, UInt8
from citytwin.conversion import Scale
from citytwin.errors import ConfigError
from citytwin.point import Label, Point
from citytwin.quality import Quality
from citytwin_edge.kernels.air.hours import PART_MIN, Hours, HourSettings
from citytwin_edge.kernels.formula import Builtin, Gives, Reads

READS: Final = (Reads("concentration", "ug/m3"),)
LABEL: Final = Label(kk="Орташа концентрация", ru="Средняя концентрация", en="Mean concentration")
GIVES: Final = (Gives("mean", "ug/m3", LABEL),)


class AverageSettings(HourSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of how many hours.

    Attributes:
        hours: of so many hours: 1, 8 or 24.
    """

    hours: Literal[1, 8, 24]


class Average(Hours):
    """Gives the mean at the end of every hour, as ``mean-8h``."""

    def __init__(self, settings: AverageSettings, inputs: Sequence[Point]) -> None:
        """Check the input (ConfigError)."""
        if len(inputs) != 1:
            raise ConfigError(f"it reads 1, not {len(inputs)}: a concentration")
        gives = Gives(f"mean-{settings.hours}h", inputs[0].unit, LABEL)
        super().__init__(
            "air-average",
            inputs,
            [gives.point(inputs[0])],
            scale=Scale(1.0, 0.0),
            hours=settings.hours,
            step_min=settings.step_min,
        )

    def _hour(self, mean: Float64, quality: UInt8) -> Iterator[tuple[float, int]]:
        known = np.isfinite(mean)
        if np.count_nonzero(known) < PART_MIN * len(mean):
            yield float("nan"), int(Quality.BAD_STALE)
        else:
            yield float(mean[known].mean()), int(quality.max())


AIR_AVERAGE: Final = Builtin(
    AverageSettings, Average, READS, GIVES, "mean of the last 1, 8 or 24 hours"
)
