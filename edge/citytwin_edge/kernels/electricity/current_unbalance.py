"""Current unbalance: the largest deviation of three currents from their mean, in percent of it.

    100 · max |Iₙ − mean| / mean

The definition of NEMA MG 1 for voltages, as meters apply it to currents; IEC 61000-4-30 defines the
unbalance of currents by their sequences, for which magnitudes do not suffice where there is a
neutral.

Where the mean is not above `current_min` nothing is switched on, and the unbalance is 0: what is
left of the currents says nothing. A current below zero is no magnitude: `bad: out of range`.

Source: NEMA MG 1 (voltages), which was not read in print; nor was IEC 61000-4-30.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Label, Point
from citytwin_edge.kernels.electricity.voltage_unbalance import deviation
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Gives, Reads

READS: Final = (Reads("current L1", "A"), Reads("current L2", "A"), Reads("current L3", "A"))
LABEL: Final = Label(kk="Ток теңгерімсіздігі", ru="Несимметрия токов", en="Current unbalance")
GIVES: Final = (Gives("unbalance", "%", LABEL),)


class CurrentUnbalanceSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when something is switched on.

    Attributes:
        current_min: up to this mean of the three nothing is, in A.
    """

    current_min: Annotated[float, Meta(ge=0, le=1e6)] = 0.0


def build(settings: CurrentUnbalanceSettings, inputs: Sequence[Point]) -> Formula:
    """Return the kernel (ConfigError)."""

    def calculate(values: Float64) -> Float64:
        idle = values.sum(axis=0) / 3 <= settings.current_min
        percent = np.where(idle, 0.0, deviation(values))
        return np.where((values < 0).any(axis=0), np.nan, percent)[np.newaxis]

    return Formula(
        "current-unbalance", inputs, READS, GIVES, calculate, age_s_max=settings.age_s_max
    )


CURRENT_UNBALANCE: Final = Builtin(
    CurrentUnbalanceSettings,
    build,
    READS,
    GIVES,
    "unbalance of three currents: largest deviation from the mean, after NEMA MG 1",
)
