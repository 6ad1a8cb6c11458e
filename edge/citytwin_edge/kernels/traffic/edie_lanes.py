"""Edie's definitions of what detectors have counted already: several lanes, or places, together.

    q = Σ qⱼ        k = Σ qⱼ / vⱼ        v = q / k

qⱼ is the flow of lane j and vⱼ its speed, which should be the space-mean one; with a time-mean
speed the density comes out a little low. Source: L. C. Edie, 1963 (as ``edie``), which could not be
read.

A lane without flow adds nothing, whatever its speed; one with a flow and no speed above 0 makes the
result undefined. A lane whose samples are bad makes the result bad: what the others carry is not
the road.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from citytwin.batch import Float64
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Reads
from citytwin_edge.kernels.traffic.edie import GIVES

LANES_MAX: Final = 12
READS: Final = (Reads("flow of a lane", "{vehicles}/h"), Reads("speed of that lane", "km/h"))


def combine(values: Float64) -> Float64:
    """Return flow, density and speed, shape (3, n), of rows of flow and speed in turn."""
    flow, speed = values[0::2], values[1::2]
    density = np.where(flow == 0, 0.0, flow / np.where(speed > 0, speed, np.nan)).sum(axis=0)
    total = np.where((flow >= 0).all(axis=0), flow.sum(axis=0), np.nan)
    return np.array([total, density, total / np.where(density > 0, density, np.nan)])


def _build(settings: Ages, inputs: Sequence[Point]) -> Formula:
    if not inputs or len(inputs) % 2 or len(inputs) > 2 * LANES_MAX:
        raise ConfigError(
            f"it reads flow and speed of 1 to {LANES_MAX} lanes in turn, not {len(inputs)} inputs"
        )
    reads = READS * (len(inputs) // 2)
    return Formula("edie-lanes", inputs, reads, GIVES, combine, age_s_max=settings.age_s_max)


EDIE_LANES: Final = Builtin(
    Ages, _build, READS, GIVES, "flow, density and speed of several lanes together, after Edie"
)
