"""Weir: flow over a thin plate, from the head above its crest.

    v-notch       Q = 8/15 · C · √(2g) · tan(θ/2) · (h + k)^(5/2)             Kindsvater-Shen
    rectangular   Q = 2/3 · (a + a'·h/p) · √(2g) · (b + k_b) · (h + 1 mm)^(3/2)  Kindsvater-Carter
    full-width    Q = 2/3 · (0.602 + 0.083·h/p) · √(2g) · b · (h + 1.2 mm)^(3/2)       Rehbock
                  Q = 0.564 · (1 + 0.150·h/p) · √g · b · (h + 1 mm)^(3/2)               Ackers

h is the head above the crest or the vertex, p the height of that above the floor of the approach
channel, b the width of the notch, B that of the channel, θ the angle of the notch.

Source: ISO 1438, thin-plate weirs; C and k of the V-notch as functions of θ are fitted to the curve
of Shen (U.S. Geological Survey Water-Supply Paper 1617-B; Kulin and Compton, 1975); a, a' and k_b
depend on b/B (Kindsvater and Carter, 1957) and are taken from the straight line between the rows
of the table; Ackers is of "Weirs and flumes for flow measurement", 1978. The
standard was not read in print.

The formulas are for free, aerated overfall: not for a weir that is drowned from below. The limits
are those of the methods (:data:`LIMITS`); outside them, at a head of a few centimetres above all,
the result is ``uncertain: range``. Below the crest the flow is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from citytwin.batch import Float64
from citytwin.point import Point
from citytwin_edge.kernels.formula import Ages, Builtin, Calculate, Limited, Reads
from citytwin_edge.kernels.water.flows import FLOW, GRAVITY, above, finite

FOOT_M: Final = 0.3048
ROOT_2G: Final = math.sqrt(2 * GRAVITY)
READS: Final = (Reads("level", "m"),)
GIVES: Final = (FLOW,)
NOTCH_C: Final = (6.10393334e-6, -8.74466963e-4, 0.607165052)
"""C of a V-notch, a polynomial of its angle in degrees."""
NOTCH_K_FT: Final = (-1.06215442e-8, 3.29819003e-6, -3.3955535e-4, 0.0144902648)
"""k of a V-notch in feet, a polynomial of its angle in degrees."""
CARTER: Final = np.array([
    # b/B, a, a'
    (0.0, 0.587, -0.0023), (0.2, 0.589, -0.0018), (0.4, 0.591, 0.0058), (0.6, 0.593, 0.018),
    (0.7, 0.594, 0.030), (0.8, 0.596, 0.045), (0.9, 0.598, 0.064), (1.0, 0.602, 0.075),
]).T  # fmt: skip
CARTER_K_M: Final = np.array([
    # b/B, k_b in m
    (0.0, 0.0024), (0.2, 0.0024), (0.4, 0.0027), (0.6, 0.0036), (0.8, 0.0042), (1.0, -0.0009),
]).T  # fmt: skip


class Limit(NamedTuple):
    """Within what a method was proven.

    Attributes:
        head_m_min, head_m_max: head above the crest.
        part_max: of h/p.
        crest_m_min: of p.
        width_m_min: of b; of B for a V-notch.
        channel_part_max: of h/B.
    """

    head_m_min: float
    head_m_max: float
    part_max: float
    crest_m_min: float
    width_m_min: float
    channel_part_max: float = math.inf


LIMITS: Final = {
    "kindsvater-shen": Limit(0.05, 0.38, 0.4, 0.45, 0.90, 0.2),
    "kindsvater-carter": Limit(0.03, math.inf, 2.5, 0.10, 0.15),
    "rehbock": Limit(0.03, 0.75, 1.0, 0.10, 0.30),
    "ackers": Limit(0.02, math.inf, 2.2, 0.15, 0.0),
}


class WeirSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plate and its channel.

    Attributes:
        shape: v-notch, rectangular (narrower than its channel) or full-width.
        crest_height_m: of the crest or vertex above the floor of the approach channel, in m.
        channel_width_m: of the approach channel, in m.
        width_m: of a rectangular notch, in m.
        angle_deg: between the edges of a V-notch, from 25 to 100 degrees.
        method: for a full width: rehbock or ackers.
        zero_m: reading of the gauge when the water stands at the crest, in m.
    """

    shape: Literal["v-notch", "rectangular", "full-width"]
    crest_height_m: float
    channel_width_m: float
    width_m: float = 0.0
    angle_deg: float = 0.0
    method: Literal["", "rehbock", "ackers"] = ""
    zero_m: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        Ages.__post_init__(self)
        above(crest_height_m=self.crest_height_m, channel_width_m=self.channel_width_m)
        finite(zero_m=self.zero_m)
        if self.shape == "rectangular":
            above(width_m=self.width_m)
            if self.width_m >= self.channel_width_m:
                raise ValueError("width_m must be below channel_width_m; else it is full-width")
        elif self.width_m:
            raise ValueError(f"width_m is of a rectangular notch, not of a {self.shape} weir")
        if self.shape == "v-notch":
            if not 25 <= self.angle_deg <= 100:
                raise ValueError("angle_deg must be from 25 to 100")
        elif self.angle_deg:
            raise ValueError(f"angle_deg is of a v-notch, not of a {self.shape} weir")
        if self.method and self.shape != "full-width":
            raise ValueError(f"method is of a full-width weir, not of a {self.shape} one")


def _shen(settings: WeirSettings, head: Float64) -> Float64:
    angle = settings.angle_deg
    c, k = np.polyval(NOTCH_C, angle), np.polyval(NOTCH_K_FT, angle) * FOOT_M
    tangent = math.tan(math.radians(angle) / 2)
    result: Float64 = 8 / 15 * c * ROOT_2G * tangent * (head + k) ** 2.5
    return result


def _carter(settings: WeirSettings, head: Float64) -> Float64:
    ratio = settings.width_m / settings.channel_width_m
    a, more = (np.interp(ratio, CARTER[0], column) for column in CARTER[1:])
    width = settings.width_m + np.interp(ratio, *CARTER_K_M)
    c = a + more * head / settings.crest_height_m
    result: Float64 = 2 / 3 * c * ROOT_2G * width * (head + 0.001) ** 1.5
    return result


def _rehbock(settings: WeirSettings, head: Float64) -> Float64:
    c = 0.602 + 0.083 * head / settings.crest_height_m
    result: Float64 = 2 / 3 * c * ROOT_2G * settings.channel_width_m * (head + 0.0012) ** 1.5
    return result


def _ackers(settings: WeirSettings, head: Float64) -> Float64:
    c = 0.564 * (1 + 0.150 * head / settings.crest_height_m)
    result: Float64 = c * math.sqrt(GRAVITY) * settings.channel_width_m * (head + 0.001) ** 1.5
    return result


METHODS: Final[dict[str, Callable[[WeirSettings, Float64], Float64]]] = {
    "kindsvater-shen": _shen,
    "kindsvater-carter": _carter,
    "rehbock": _rehbock,
    "ackers": _ackers,
}
DEFAULT: Final = {
    "v-notch": "kindsvater-shen", "rectangular": "kindsvater-carter", "full-width": "rehbock",
}  # fmt: skip
SIDE_M_MIN: Final = 0.10
"""From the side of the channel to a rectangular notch."""


def flow(settings: WeirSettings) -> Calculate:
    """Return what makes of a reading the flow in m³/s and whether it is outside the limits."""
    name = settings.method or DEFAULT[settings.shape]
    limit, crest, channel = LIMITS[name], settings.crest_height_m, settings.channel_width_m
    width = settings.width_m or channel
    wrong = crest < limit.crest_m_min or width < limit.width_m_min
    wrong |= settings.shape == "rectangular" and (channel - width) / 2 < SIDE_M_MIN

    def beyond(head: Float64) -> Any:
        small = (head < limit.head_m_min) | (head > limit.head_m_max)
        part = (head / crest > limit.part_max) | (head / channel > limit.channel_part_max)
        return (head > 0) & (small | part | wrong)

    def calculate(values: Float64) -> Float64:
        head = np.maximum(values[0] - settings.zero_m, 0.0)
        result = np.where(head == 0, 0.0, METHODS[name](settings, head))
        return np.array([result, beyond(head)])

    return calculate


def make(settings: WeirSettings, inputs: Sequence[Point]) -> Limited:
    """Return the kernel (ConfigError)."""
    return Limited(
        "weir", inputs, READS, GIVES, flow(settings), age_s_max=settings.age_s_max
    )  # fmt: skip


WEIR: Final = Builtin(
    WeirSettings,
    make,
    READS,
    GIVES,
    "flow over a thin-plate weir, V-notch or rectangular, from the level above it (ISO 1438)",
)
