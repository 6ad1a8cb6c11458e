"""Level of service of a city street: its travel speed against the free one, by limits of yours.

Source: the Highway Capacity Manual, which was not read. It grades a street by its travel speed in
percent of the free one; the limits differ between its editions (2000, 2010, 6th) and could not be
checked for this kernel, so ``percent_min`` is what you read in the edition that your city goes by.
The result is 1 for A, faster than the first limit, to 6 for F, not faster than the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Point
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Reads
from citytwin_edge.kernels.traffic.level_of_service import SERVICE

READS: Final = (Reads("travel speed", "km/h"),)


class StreetSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The street.

    Attributes:
        free_speed_km_h: speed of the empty street, in km/h.
        percent_min: above how many percent of it A, B, C, D and E begin, falling.
    """

    free_speed_km_h: Annotated[float, Meta(ge=10, le=150)]
    percent_min: tuple[float, float, float, float, float]

    def __post_init__(self) -> None:
        """Refuse limits that do not fall (ValueError)."""
        super().__post_init__()
        falls = all(first > second for first, second in pairwise(self.percent_min))
        if not (falls and self.percent_min[-1] > 0 and self.percent_min[0] < 200):
            raise ValueError("percent_min must fall from A to E, between 0 and 200")


def _build(settings: StreetSettings, inputs: Sequence[Point]) -> Formula:
    limits = np.array(settings.percent_min[::-1])

    def service(values: Float64) -> Float64:
        percent = 100 * values / settings.free_speed_km_h
        level = 6.0 - np.searchsorted(limits, percent, side="left")
        return np.where(percent >= 0, level, np.nan)

    age = settings.age_s_max
    return Formula("street-service", inputs, READS, (SERVICE,), service, age_s_max=age)


STREET_SERVICE: Final = Builtin(
    StreetSettings, _build, READS, (SERVICE,), "level of service of a city street, by your limits"
)
