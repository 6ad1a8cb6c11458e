"""Concentration: mass per volume and parts of volume, one into the other where one may.

    ppb = 10³ · (µg/m³) · R T / (M p)        of an ideal gas; R = 8.314462618 J/(mol K) (SI, 2019)

M of the abridged standard atomic weights of IUPAC. What temperature and pressure a standard or an
instrument refers to differs (25 °C here, 20 °C or 0 °C there): so nothing stands here by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from citytwin.conversion import Scale, between
from citytwin.errors import ConfigError, UnitError
from citytwin.point import Point

MOLAR_G: Final = {"o3": 47.997, "no2": 46.005, "so2": 64.058, "co": 28.010}
"""Molar masses in g/mol: O 15.999, C 12.011, N 14.007, S 32.06."""
GAS_CONSTANT: Final = 8.314462618
ZERO_K: Final = 273.15
Celsius = Annotated[float, msgspec.Meta(ge=-60, le=60)]
HectoPascal = Annotated[float, msgspec.Meta(ge=500, le=1100)]


def parts_per_billion(gas: str, temperature_c: float, pressure_hpa: float) -> float:
    """Return how many ppb one µg/m³ of a gas is at a temperature and pressure."""
    kelvin, pascal = temperature_c + ZERO_K, pressure_hpa * 100
    return 1e3 * GAS_CONSTANT * kelvin / (MOLAR_G[gas] * pascal)


def scale(
    inputs: Sequence[Point],
    unit: str,
    gas: str = "",
    temperature_c: float | None = None,
    pressure_hpa: float | None = None,
) -> Scale:
    """Return how values of the one input become values in ``unit``.

    Args:
        inputs: one point.
        unit: ug/m3, [ppb] or another of their kinds.
        gas: a key of MOLAR_G, or empty for particles.
        temperature_c, pressure_hpa: to which a mass in a volume refers; None where nobody said.

    Raises:
        ConfigError: not one input, no concentration, or what it takes to convert is not known.
    """
    if len(inputs) != 1:
        raise ConfigError(f"it reads 1, not {len(inputs)}: a concentration ({unit})")
    point = inputs[0]
    try:
        return between(point.unit, unit)
    except UnitError:
        pass
    try:
        mass = between(point.unit, "ug/m3").factor
    except UnitError:
        mass = 0.0
    if not (mass and gas in MOLAR_G):
        raise ConfigError(
            f"input 1 is a concentration, in {unit} or a unit that can become it; "
            f"{point.id} is in {point.unit}"
        )
    if temperature_c is None or pressure_hpa is None:
        raise ConfigError(
            f"{point.id} is in {point.unit}: write temperature_c and pressure_hpa to which that "
            f"refers, as the instrument's papers say, for it is calculated in {unit}"
        )
    to_unit = between("[ppb]", unit).factor
    return Scale(mass * parts_per_billion(gas, temperature_c, pressure_hpa) * to_unit, 0.0)
