"""Flows: what the formulas of flowing water give, and what they want of settings."""

from __future__ import annotations

import math
from typing import Final

from citytwin.point import Label
from citytwin_edge.kernels.formula import Gives

GRAVITY: Final = 9.80665
"""Standard gravity, in m/s²; over the Earth it differs by 0.3 % at most."""
EDGE_M: Final = 1e-9
"""So much beyond a limit is the rounding of a unit's conversion: 330 cm are 3.3 m."""
FLOW_LABEL: Final = Label(kk="Су шығыны", ru="Расход воды", en="Flow")
FLOW: Final = Gives("flow", "m3/s", FLOW_LABEL, "flow")
VELOCITY: Final = Gives(
    "velocity", "m/s", Label(kk="Ағын жылдамдығы", ru="Скорость", en="Velocity")
)


def above(**least: float) -> None:
    """Refuse settings that are not finite or not above 0 (ValueError, which names the first)."""
    for name, value in least.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be above 0")


def finite(**numbers: float) -> None:
    """Refuse settings that are no numbers (ValueError, which names the first)."""
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} must be a number")
