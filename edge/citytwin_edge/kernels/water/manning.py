"""Manning: flow and velocity of a channel or a sewer that is partly full, from its depth.

    v = R^(2/3) · S^(1/2) / n        Q = v · A        R = A / P

Source: ISO 1070 (slope-area method), Manning's formula; A is the wetted area, P the wetted
perimeter, S the slope of the energy line, here that of the bed: the flow must be uniform. It is not
where water backs up behind a gate, a screen or another river; then the result is too high. The
standard was not read in print; the formula is in every textbook.

Sections: rectangular, trapezoidal (both sides alike), circular. Without water the flow is 0, and so
it is below the zero of the gauge. Above the banks, or above the crown of a pipe, depth says nothing
of the flow any more: ``bad: out of range``. In a pipe that is more than 93.8 % full two depths have
the same flow, and waves close it: ``uncertain: range``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from citytwin.batch import Float64
from citytwin.point import Point
from citytwin_edge.kernels.formula import Ages, Builtin, Calculate, Limited, Reads
from citytwin_edge.kernels.water.flows import EDGE_M, FLOW, VELOCITY, above, finite

FULLEST: Final = 0.938
"""Depth in parts of the diameter at which a circular section carries most."""
READS: Final = (Reads("depth", "m"),)
GIVES: Final = (FLOW, VELOCITY)


class ManningSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The channel.

    Attributes:
        section: rectangular, trapezoidal or circular.
        width_m: of the bottom, or the inner diameter of a circular section, in m.
        slope: fall of the bed, in m per m.
        roughness_n: Manning's n, in s/m^(1/3): 0.013 for concrete, 0.03 for a natural bed.
        depth_m_max: depth at which the banks are full, in m; not for a circular section.
        side_slope: of a trapezoid, horizontal to vertical: 1.5 for 1:1.5.
        zero_m: reading of the gauge where the channel is empty, in m.
    """

    section: Literal["rectangular", "trapezoidal", "circular"]
    width_m: float
    slope: float
    roughness_n: float
    depth_m_max: float = 0.0
    side_slope: float = 0.0
    zero_m: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        Ages.__post_init__(self)
        above(width_m=self.width_m, slope=self.slope, roughness_n=self.roughness_n)
        finite(zero_m=self.zero_m)
        if self.slope > 1 or self.roughness_n > 1:
            raise ValueError("slope and roughness_n must be at most 1")
        if self.section == "circular":
            if self.depth_m_max:
                raise ValueError("a circular section has no depth_m_max; width_m is its diameter")
        else:
            above(depth_m_max=self.depth_m_max)
        if self.section == "trapezoidal":
            above(side_slope=self.side_slope)
        elif self.side_slope:
            raise ValueError(f"a {self.section} section has no side_slope")


def wetted(settings: ManningSettings, depth: Float64) -> tuple[Float64, Float64]:
    """Return area in m² and perimeter in m that are wet at a depth in m, shape (n,)."""
    width, side = settings.width_m, settings.side_slope
    if settings.section == "circular":
        angle = 2 * np.arccos(np.clip(1 - 2 * depth / width, -1, 1))
        return width**2 / 8 * (angle - np.sin(angle)), width / 2 * angle
    return (width + side * depth) * depth, width + 2 * depth * np.sqrt(1 + side**2)


def flow(settings: ManningSettings) -> Calculate:
    """Return what makes of a reading the flow in m³/s, the velocity in m/s and whether in doubt."""
    circular = settings.section == "circular"
    most = settings.width_m if circular else settings.depth_m_max

    def calculate(values: Float64) -> Float64:
        depth = np.maximum(values[0] - settings.zero_m, 0.0)
        depth = np.where(depth > most + EDGE_M, np.nan, depth)
        area, perimeter = wetted(settings, depth)
        radius = np.where(depth > 0, area / perimeter, 0 * depth)
        velocity = radius ** (2 / 3) * settings.slope**0.5 / settings.roughness_n
        beyond = np.where(circular & (depth > FULLEST * most), 1.0, 0.0)
        return np.array([velocity * area, velocity, beyond])

    return calculate


def make(settings: ManningSettings, inputs: Sequence[Point]) -> Limited:
    """Return the kernel (ConfigError)."""
    return Limited(
        "manning", inputs, READS, GIVES, flow(settings), age_s_max=settings.age_s_max
    )  # fmt: skip


MANNING: Final = Builtin(
    ManningSettings,
    make,
    READS,
    GIVES,
    "flow of an open channel or a sewer from its depth, by Manning's formula (ISO 1070)",
)
