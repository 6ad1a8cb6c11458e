"""Flume: flow through a Parshall flume, from the head in its converging part.

    throat 0.152 m            Q = 0.381 · h^1.58
    throat 0.25 to 2.4 m      Q = 0.372 · b · (h / 0.305)^(1.569 · b^0.026)
    throat 3.05 to 15.24 m    Q = (2.292 · b + 0.474) · h^1.6

Source: ISO 9826, Parshall flumes of standard sizes; b is the width of the throat and h the head at
the standard's place, two thirds of the converging wall upstream of the throat. Outside the heads of
:data:`SIZES` the result is ``uncertain: range``. The flow is free where the head in the throat is
below 0.6 (0.7 from 0.3 m, 0.8 from 3.05 m of width) of the head upstream; where the second level is
read too, a flume that is drowned more than that gives ``uncertain: range``: the flow is less than
the formula says.

The standard was not read in print: its formulas are as two tables have them that follow it. The
second flume of ISO 9826, of SANIIRI, is not built: no public source was found that gives its
formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from citytwin.batch import Float64
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin_edge.kernels.formula import Ages, Builtin, Calculate, Limited, Reads
from citytwin_edge.kernels.water.flows import FLOW, finite

SIZES: Final = {
    0.152: (0.03, 0.45), 0.25: (0.03, 0.60), 0.30: (0.03, 0.75), 0.45: (0.03, 0.75),
    0.60: (0.05, 0.75), 0.75: (0.06, 0.75), 0.90: (0.06, 0.75), 1.00: (0.06, 0.80),
    1.20: (0.06, 0.80), 1.50: (0.06, 0.80), 1.80: (0.08, 0.80), 2.10: (0.08, 0.80),
    2.40: (0.08, 0.80), 3.05: (0.09, 1.07), 3.66: (0.09, 1.37), 4.57: (0.09, 1.67),
    6.10: (0.09, 1.83), 7.62: (0.09, 1.83), 9.14: (0.09, 1.83), 12.19: (0.09, 1.83),
    15.24: (0.09, 1.83),
}  # fmt: skip
"""Width of the throat in m: lowest and highest head in m."""
MEDIUM_M_MIN: Final = 0.3
LARGE_M_MIN: Final = 3.0
READS: Final = (Reads("level", "m"), Reads("level in the throat", "m"))
"""The second one may be left out."""
GIVES: Final = (FLOW,)


class FlumeSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The flume.

    Attributes:
        throat_m: width of the throat in m, a standard size.
        zero_m: reading of both gauges where the water stands at the floor of the converging part,
            in m.
    """

    throat_m: float
    zero_m: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        Ages.__post_init__(self)
        finite(zero_m=self.zero_m)
        if self.throat_m not in SIZES:
            raise ValueError(f"throat_m must be one of {', '.join(f'{one:g}' for one in SIZES)}")


def law(throat_m: float) -> tuple[float, float]:
    """Return factor and exponent of h in m for Q in m³/s."""
    if throat_m == min(SIZES):
        return 0.381, 1.58
    if throat_m >= LARGE_M_MIN:
        return 2.292 * throat_m + 0.474, 1.6
    exponent = 1.569 * throat_m**0.026
    return 0.372 * throat_m / 0.305**exponent, exponent


def drowned_from(throat_m: float) -> float:
    """Return the head in the throat, in parts of that upstream, up to which the flow is free."""
    return 0.8 if throat_m >= LARGE_M_MIN else 0.7 if throat_m >= MEDIUM_M_MIN else 0.6


def flow(settings: FlumeSettings) -> Calculate:
    """Return what makes of one or two readings the flow in m³/s and whether it is in doubt."""
    factor, exponent = law(settings.throat_m)
    low, high = SIZES[settings.throat_m]
    free = drowned_from(settings.throat_m)

    def calculate(values: Float64) -> Float64:
        heads = np.maximum(values - settings.zero_m, 0.0)
        head = heads[0]
        beyond = (head > 0) & ((head < low) | (head > high))
        if len(heads) > 1:
            beyond |= heads[1] > free * head
        return np.array([factor * head**exponent, beyond])

    return calculate


def make(settings: FlumeSettings, inputs: Sequence[Point]) -> Limited:
    """Return the kernel (ConfigError)."""
    if len(inputs) > len(READS):
        raise ConfigError(f"it reads the level, and the level in the throat; not {len(inputs)}")
    return Limited(
        "flume", inputs, READS[: len(inputs)], GIVES, flow(settings), age_s_max=settings.age_s_max
    )  # fmt: skip


FLUME: Final = Builtin(
    FlumeSettings,
    make,
    READS,
    GIVES,
    "flow through a Parshall flume from the level in it (ISO 9826)",
)
