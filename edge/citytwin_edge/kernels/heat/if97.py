"""IF97: density and enthalpy of liquid water, by the equation for region 1.

Source: IAPWS R7-97(2012), Revised Release on the IAPWS Industrial Formulation 1997 for the
Thermodynamic Properties of Water and Steam, equation 7 with table 2 (region 1), equation 31 with
table 34 (saturation). EN 1434-1 takes the heat coefficient from it. Valid for liquid water from
273.15 K to 623.15 K, from the saturation pressure to 100 MPa. Why the equation is here and not a
library: docs/decisions/0017-water-properties.md.

>>> density, enthalpy = liquid(3.0, np.array([300.0]))
>>> round(float(1 / density[0]), 11), round(float(enthalpy[0]), 6)
(0.00100215168, 115.331273)
>>> round(boiling_k(1.0), 6)
453.035632
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np

from citytwin.batch import Float64

PRESSURE_MPA_MAX: Final = 100.0
"""The highest pressure of the equation."""
KELVIN: Final = 273.15
"""0 °C in K, the lowest temperature of the equation."""
_GAS_CONSTANT: Final = 0.461526
"""Specific, of water, in kJ/(kg K)."""
_TERMS: Final = np.array([
    (0, -2, 0.14632971213167), (0, -1, -0.84548187169114), (0, 0, -0.37563603672040e1),
    (0, 1, 0.33855169168385e1), (0, 2, -0.95791963387872), (0, 3, 0.15772038513228),
    (0, 4, -0.16616417199501e-1), (0, 5, 0.81214629983568e-3), (1, -9, 0.28319080123804e-3),
    (1, -7, -0.60706301565874e-3), (1, -1, -0.18990068218419e-1), (1, 0, -0.32529748770505e-1),
    (1, 1, -0.21841717175414e-1), (1, 3, -0.52838357969930e-4), (2, -3, -0.47184321073267e-3),
    (2, 0, -0.30001780793026e-3), (2, 1, 0.47661393906987e-4), (2, 3, -0.44141845330846e-5),
    (2, 17, -0.72694996297594e-15), (3, -4, -0.31679644845054e-4), (3, 0, -0.28270797985312e-5),
    (3, 6, -0.85205128120103e-9), (4, -5, -0.22425281908000e-5), (4, -2, -0.65171222895601e-6),
    (4, 10, -0.14341729937924e-12), (5, -8, -0.40516996860117e-6), (8, -11, -0.12734301741641e-8),
    (8, -6, -0.17424871230634e-9), (21, -29, -0.68762131295531e-18),
    (23, -31, 0.14478307828521e-19), (29, -38, 0.26335781662795e-22),
    (30, -39, -0.11947622640071e-22), (31, -40, 0.18228094581404e-23),
    (32, -41, -0.93537087292458e-25),
])  # fmt: skip
"""Exponents I and J and the coefficient n of each term."""
_SATURATION: Final = (
    0.11670521452767e4, -0.72421316703206e6, -0.17073846940092e2, 0.12020824702470e5,
    -0.32325550322333e7, 0.14915108613530e2, -0.48232657361591e4, 0.40511340542057e6,
    -0.23855557567849, 0.65017534844798e3,
)  # fmt: skip


def liquid(pressure_mpa: float, temperature_k: Float64) -> tuple[Float64, Float64]:
    """Return density in kg/m³ and specific enthalpy in kJ/kg, each of the shape of temperature.

    Whether it is liquid at all is for the caller to see: below :func:`boiling_k`.

    Args:
        pressure_mpa: absolute.
        temperature_k: shape (n,).
    """
    i, j, n = _TERMS.T[:, :, np.newaxis]
    pi, tau = 7.1 - pressure_mpa / 16.53, 1386.0 / temperature_k - 1.222
    # The derivatives of the dimensionless Gibbs free energy, table 4 of the release. Added up in
    # the order of the table: np.sum adds otherwise for one temperature than for many.
    by_pressure = np.cumsum(-n * i * pi ** (i - 1) * tau**j, axis=0)[-1]
    by_temperature = np.cumsum(n * pi**i * j * tau ** (j - 1), axis=0)[-1]
    volume = _GAS_CONSTANT * temperature_k / 1000 / 16.53 * by_pressure
    return 1 / volume, _GAS_CONSTANT * 1386.0 * by_temperature


def boiling_k(pressure_mpa: float) -> float:
    """Return at which temperature water boils, in K; for 0.000612 to 22.064 MPa, absolute."""
    n = _SATURATION
    beta = sqrt(sqrt(pressure_mpa))
    e = beta**2 + n[2] * beta + n[5]
    f = n[0] * beta**2 + n[3] * beta + n[6]
    g = n[1] * beta**2 + n[4] * beta + n[7]
    d = 2 * g / (-f - sqrt(f**2 - 4 * e * g))
    return (n[9] + d - sqrt((n[9] + d) ** 2 - 4 * (n[8] + n[9] * d))) / 2
