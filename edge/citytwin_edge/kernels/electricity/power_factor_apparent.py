"""Power factor of active and apparent power: the true one, with harmonics.

    λ = P / S

Source: IEC 60050-131 (131-11-46), IEEE Std 1459. The sign is that of P, positive for import, as IEC
has it; whether the load is inductive these two do not tell, so there is no sign of IEEE here. The
standards were not read in print.

Without power, at most `apparent_kva_min`, there is none: `bad: out of range`. So it is where P is
more than 1 % larger than S, which cannot be; what is less is the rounding of a meter, and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Point
from citytwin_edge.kernels.electricity.power_factor import GIVES
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Reads

READS: Final = (Reads("active power", "kW"), Reads("apparent power", "kV.A"))
ROUNDING_MAX: Final = 1.01
"""A power factor up to it is 1, rounded by the meter."""


class ApparentSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when there is a power factor.

    Attributes:
        apparent_kva_min: up to this apparent power there is none, in kVA.
    """

    apparent_kva_min: Annotated[float, Meta(ge=0, le=1e6)] = 0.0


def build(settings: ApparentSettings, inputs: Sequence[Point]) -> Formula:
    """Return the kernel (ConfigError)."""

    def calculate(values: Float64) -> Float64:
        active, apparent = values
        factor = active / apparent
        none = (apparent <= settings.apparent_kva_min) | (np.abs(factor) > ROUNDING_MAX)
        return np.where(none, np.nan, np.clip(factor, -1, 1))[np.newaxis]

    return Formula(
        "power-factor-apparent", inputs, READS, GIVES, calculate, age_s_max=settings.age_s_max
    )


POWER_FACTOR_APPARENT: Final = Builtin(
    ApparentSettings,
    build,
    READS,
    GIVES,
    "power factor of active and apparent power, with the sign of the active power (IEC)",
)
