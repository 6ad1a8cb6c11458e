"""Shock wave: how fast the edge between two states of traffic goes, and which way.

    w = (q₂ − q₁) / (k₂ − k₁)

1 is upstream, 2 downstream; below 0 the edge goes against the traffic: a queue that grows. Source:
M. J. Lighthill, G. B. Whitham, On kinematic waves II, Proc. R. Soc. A 229, 1955; P. I. Richards,
Shock waves on the highway, Operations Research 4, 1956; cited from knowledge, not read. Where the
densities differ by less than ``density_min`` there is no edge: ``bad: out of range``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from citytwin.batch import Float64
from citytwin.point import Label, Point
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Gives, Reads

READS: Final = (
    Reads("flow upstream", "{vehicles}/h"),
    Reads("density upstream", "{vehicles}/km"),
    Reads("flow downstream", "{vehicles}/h"),
    Reads("density downstream", "{vehicles}/km"),
)
GIVES: Final = (
    Gives(
        "shock-speed",
        "km/h",
        Label(kk="Соққы толқынының жылдамдығы", ru="Скорость ударной волны", en="Shock wave speed"),
    ),
)


class ShockSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts as an edge.

    Attributes:
        density_min: densities that differ by less are one state, in vehicles per km.
    """

    density_min: Annotated[float, Meta(gt=0, le=1000)] = 1.0


def _build(settings: ShockSettings, inputs: Sequence[Point]) -> Formula:
    def speed(values: Float64) -> Float64:
        flow_up, density_up, flow_down, density_down = values
        step = density_down - density_up
        edge = np.abs(step) >= settings.density_min
        return np.array([np.where(edge, (flow_down - flow_up) / step, np.nan)])

    return Formula("shock-wave", inputs, READS, GIVES, speed, age_s_max=settings.age_s_max)


SHOCK_WAVE: Final = Builtin(
    ShockSettings, _build, READS, GIVES, "speed of the edge between two states of traffic"
)
