"""Level of service of a freeway, by its density.

    A to 11, B to 18, C to 26, D to 35, E to 45 passenger cars per mile and lane; F above

Source: Highway Capacity Manual, 6th edition (TRB, 2016), chapter 12, basic freeway segments; the
same in the editions of 2000 and 2010. Demand above capacity, which is F too, is not looked at. The
result is 1 for A to 6 for F. The manual was not read, but a textbook and notes that quote its
table. Vehicles become passenger cars by 1 + P (E − 1), P the share of heavy ones and E how many
cars one of them is.

City streets have another measure, their travel speed against the free one (chapters 16 and 18);
its limits differ between editions and could not be checked: they are what ``street-service`` asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Kind, Label, Point
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Gives, Reads

MILE_KM: Final = 1.609344
DENSITIES: Final = (11.0, 18.0, 26.0, 35.0, 45.0)
"""Highest density of A to E, in passenger cars per mile and lane."""
READS: Final = (Reads("density of all lanes", "{vehicles}/km"),)
SERVICE: Final = Gives(
    "service",
    "1",
    Label(
        kk="Қызмет деңгейі (1 = A)",
        ru="Уровень обслуживания (1 = A)",
        en="Level of service (1 = A)",
    ),
    kind=Kind.STATE,
)


class ServiceSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The road, and how many of its vehicles are heavy.

    Attributes:
        lanes: how many lanes the density is of.
        heavy_percent: share of lorries and buses, in percent.
        heavy_equivalent: how many passenger cars one of them is; the manual has it by terrain.
    """

    lanes: Annotated[int, Meta(ge=1, le=12)]
    heavy_percent: Annotated[float, Meta(ge=0, le=100)] = 0.0
    heavy_equivalent: Annotated[float, Meta(ge=1, le=20)] = 1.0

    def __post_init__(self) -> None:
        """Refuse a share without its weight (ValueError)."""
        super().__post_init__()
        if self.heavy_percent and self.heavy_equivalent == 1:
            raise ValueError("heavy_percent needs heavy_equivalent, above 1")


def _build(settings: ServiceSettings, inputs: Sequence[Point]) -> Formula:
    cars = 1 + settings.heavy_percent / 100 * (settings.heavy_equivalent - 1)

    def service(values: Float64) -> Float64:
        density = values * MILE_KM * cars / settings.lanes
        level = 1.0 + np.searchsorted(DENSITIES, density, side="left")
        return np.where(density >= 0, level, np.nan)

    age = settings.age_s_max
    return Formula("level-of-service", inputs, READS, (SERVICE,), service, age_s_max=age)


LEVEL_OF_SERVICE: Final = Builtin(
    ServiceSettings, _build, READS, (SERVICE,), "level of service of a freeway (HCM, 6th edition)"
)
