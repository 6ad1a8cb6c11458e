"""Gas mass: parts of volume of a gas as mass in a volume of air, at a stated temperature.

    µg/m³ = ppb · M p / (10³ · R T)        as ``concentration`` has it the other way

For whoever needs µg/m³ of an instrument that tells ppb: limits are written in mg/m³.

Source: the equation of ideal gases, with R and M of ``concentration``; ours, there is no standard
to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from citytwin.batch import Float64
from citytwin.point import Label, Point
from citytwin_edge.kernels.air.concentration import Celsius, HectoPascal, parts_per_billion
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Gives, Reads

READS: Final = (Reads("concentration of a gas in parts", "[ppb]"),)
GIVES: Final = (
    Gives(
        "mass",
        "ug/m3",
        Label(
            kk="Массалық концентрация", ru="Массовая концентрация", en="Concentration by mass"
        ),
    ),
)  # fmt: skip


class GasSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which gas, and to what the mass is to refer.

    Attributes:
        gas: which gas it is.
        temperature_c: to which the mass in a volume refers, in °C.
        pressure_hpa: to which the mass in a volume refers, in hPa.
    """

    gas: Literal["o3", "no2", "so2", "co"]
    temperature_c: Celsius
    pressure_hpa: HectoPascal


def _build(settings: GasSettings, inputs: Sequence[Point]) -> Formula:
    ppb = parts_per_billion(settings.gas, settings.temperature_c, settings.pressure_hpa)

    def mass(values: Float64) -> Float64:
        return values / ppb

    return Formula("gas-mass", inputs, READS, GIVES, mass, age_s_max=settings.age_s_max)


GAS_MASS: Final = Builtin(GasSettings, _build, READS, GIVES, "µg/m³ of a gas that is told in ppb")
