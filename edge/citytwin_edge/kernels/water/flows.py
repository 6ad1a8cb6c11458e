"""Limited: a formula that is doubtful outside the limits of its standard, and says so."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from citytwin.batch import Batch
from citytwin.point import Label
from citytwin.quality import Quality, worse
from citytwin_edge.kernels.formula import Formula, Gives

GRAVITY: Final = 9.80665
"""Standard gravity, in m/s²; over the Earth it differs by 0.3 % at most."""
EDGE_M: Final = 1e-9
"""So much beyond a limit is the rounding of a unit's conversion: 330 cm are 3.3 m."""
FLOW_LABEL: Final = Label(kk="Су шығыны", ru="Расход воды", en="Flow")
FLOW: Final = Gives("flow", "m3/s", FLOW_LABEL, "flow")
VELOCITY: Final = Gives(
    "velocity", "m/s", Label(kk="Ағын жылдамдығы", ru="Скорость", en="Velocity")
)


class Limited(Formula):
    """A formula whose calculation gives one row more: above 0 where it is outside its limits.

    There the results are ``uncertain: range``, unless they are worse already.
    """

    def step(self, batch: Batch) -> Batch:
        """Return what follows from these samples."""
        made = super().step(batch)
        inside = made.point < len(self.inputs) + len(self.outputs)
        beyond = made.value[~inside] > 0
        said = made.select(inside)
        doubt = np.where(beyond, np.uint8(Quality.UNCERTAIN_RANGE), np.uint8(Quality.GOOD))
        quality = worse(said.quality, np.tile(doubt, len(self.outputs)))
        return Batch(said.point, said.time_ns, said.value, quality)


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
