"""Power factor of active and reactive power, with the sign of a named convention.

    λ = ±|P| / √(P² + Q²)

The amount is that of IEC 60050-131 (131-11-46) and IEEE Std 1459 for a sinusoidal current; with
harmonics the true one is smaller, and `power-factor-apparent` gives it. The sign is a convention,
which `sign` names; P and Q are positive towards the load, and an inductive load takes positive Q
(quadrants as in IEC 62053-23, annex C):

- `iec`: that of P, positive for import (quadrants 1 and 4), negative for export (2 and 3);
- `ieee`: that of the kind of load, negative for inductive (lagging, quadrants 1 and 3), positive
  for capacitive (leading, 2 and 4) and where Q is 0. It is that which makers of meters call so.
- `none`: always positive.

Without power, at most `apparent_kva_min`, there is no power factor: `bad: out of range`.

Source: IEC 60050-131 (131-11-46), IEEE Std 1459 and IEC 62053-23, annex C, which were not read in
print.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Label, Point
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Gives, Reads

READS: Final = (Reads("active power", "kW"), Reads("reactive power", "kvar"))
LABEL: Final = Label(kk="Қуат коэффициенті", ru="Коэффициент мощности", en="Power factor")
GIVES: Final = (Gives("power-factor", "1", LABEL, "powerFactor"),)


class PowerFactorSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sign it has, and from when there is one.

    Attributes:
        sign: the convention: "iec", "ieee" or "none".
        apparent_kva_min: up to this apparent power there is no power factor, in kVA.
    """

    sign: Literal["iec", "ieee", "none"] = "iec"
    apparent_kva_min: Annotated[float, Meta(ge=0, le=1e6)] = 0.0


def build(settings: PowerFactorSettings, inputs: Sequence[Point]) -> Formula:
    """Return the kernel (ConfigError)."""

    def calculate(values: Float64) -> Float64:
        active, reactive = values
        apparent = np.hypot(active, reactive)
        amount = np.abs(active) / apparent
        if settings.sign == "iec":
            amount = np.copysign(amount, active)
        elif settings.sign == "ieee":
            amount = np.where(active * reactive > 0, -amount, amount)
        return np.where(apparent > settings.apparent_kva_min, amount, np.nan)[np.newaxis]

    return Formula("power-factor", inputs, READS, GIVES, calculate, age_s_max=settings.age_s_max)


POWER_FACTOR: Final = Builtin(
    PowerFactorSettings,
    build,
    READS,
    GIVES,
    "power factor of active and reactive power, with the sign of IEC or IEEE",
)
