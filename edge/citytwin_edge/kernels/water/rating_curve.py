"""Rating curve: the flow of a river or a tank's outlet from its stage, as it was gauged.

Either a table of stage and flow, with straight lines between its rows, or segments of power laws,

    Q = c · (h − zero)^exponent        from the stage at which a segment begins to that of the next

Source: ISO 1100-2 (today ISO 18320), stage-discharge relation. A curve holds between the lowest
and the highest stage that was gauged. Beyond them, by up to ``beyond_m``, the result is
``uncertain: range`` (a table goes on as its outermost line does); further out ``bad: out of
range``. A curve has no memory: with a loop (unsteady flow) or with backwater the stage alone does
not say the flow. The standard was not read in print.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from citytwin.batch import Float64
from citytwin.point import Point
from citytwin_edge.kernels.formula import Ages, Builtin, Calculate, Limited, Reads
from citytwin_edge.kernels.water.flows import EDGE_M, FLOW, above, finite

ROWS_MAX: Final = 1000
SEGMENTS_MAX: Final = 20
READS: Final = (Reads("stage", "m"),)
GIVES: Final = (FLOW,)


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One power law.

    Attributes:
        from_m: stage at which it begins, in m.
        c: factor: the flow in m³/s at 1 m above ``zero``.
        zero: stage at which the flow would cease, in m.
        exponent: of the height above ``zero``.
    """

    from_m: float
    c: float
    zero: float
    exponent: float

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        finite(from_m=self.from_m, zero=self.zero)
        above(c=self.c, exponent=self.exponent)
        if self.from_m < self.zero:
            raise ValueError("from_m must not be below zero, the stage at which the flow ceases")


class RatingSettings(Ages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The curve: ``table`` or ``segment``.

    Attributes:
        table: rows of stage in m and flow in m³/s, both rising.
        segment: power laws, from the lowest stage up.
        stage_m_max: highest stage that the segments were gauged to, in m; a table has its last row.
        beyond_m: how far below and above the gauged stages a flow is still given, in m.
    """

    table: tuple[tuple[float, float], ...] = ()
    segment: tuple[Segment, ...] = ()
    stage_m_max: float = math.nan
    beyond_m: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        Ages.__post_init__(self)
        if bool(self.table) == bool(self.segment):
            raise ValueError("write either table or segment")
        if not 0 <= self.beyond_m < math.inf:
            raise ValueError("beyond_m must not be below 0")
        if self.table:
            self._check_table()
        else:
            self._check_segments()

    def _check_table(self) -> None:
        if not 2 <= len(self.table) <= ROWS_MAX:
            raise ValueError(f"table must have from 2 to {ROWS_MAX} rows of stage and flow")
        if not all(math.isfinite(number) for row in self.table for number in row):
            raise ValueError("table must hold numbers")
        if any(two[0] <= one[0] or two[1] < one[1] for one, two in pairwise(self.table)):
            raise ValueError("table must rise: each stage above the one before, no flow below it")
        if self.table[0][1] < 0:
            raise ValueError("table must not hold a flow below 0")
        if not math.isnan(self.stage_m_max):
            raise ValueError("stage_m_max belongs to segment; a table ends with its last row")

    def _check_segments(self) -> None:
        if len(self.segment) > SEGMENTS_MAX:
            raise ValueError(f"there must be at most {SEGMENTS_MAX} segments")
        begins = [one.from_m for one in self.segment]
        if any(two <= one for one, two in pairwise(begins)):
            raise ValueError("each segment must begin above the one before")
        if not begins[-1] < self.stage_m_max < math.inf:
            raise ValueError("stage_m_max must be above from_m of the last segment")


def flow(settings: RatingSettings) -> Calculate:
    """Return what makes of a stage the flow in m³/s and whether it is beyond what was gauged."""
    curve = _table if settings.table else _segments
    low = settings.table[0][0] if settings.table else settings.segment[0].from_m
    high = settings.table[-1][0] if settings.table else settings.stage_m_max
    further = settings.beyond_m + EDGE_M

    def calculate(values: Float64) -> Float64:
        stage = values[0]
        out = (stage < low - further) | (stage > high + further)
        beyond = (stage < low - EDGE_M) | (stage > high + EDGE_M)
        result = np.maximum(curve(settings, stage), 0.0)
        return np.array([np.where(out, np.nan, result), beyond])

    return calculate


def _table(settings: RatingSettings, stage: Float64) -> Float64:
    stages, flows = np.array(settings.table).T
    row = np.clip(np.searchsorted(stages, stage, side="right") - 1, 0, len(stages) - 2)
    part = (stage - stages[row]) / (stages[row + 1] - stages[row])
    result: Float64 = flows[row] + part * (flows[row + 1] - flows[row])
    return result


def _segments(settings: RatingSettings, stage: Float64) -> Float64:
    begins, c, zero, exponent = np.array(
        [(one.from_m, one.c, one.zero, one.exponent) for one in settings.segment]
    ).T
    row = np.maximum(np.searchsorted(begins, stage, side="right") - 1, 0)
    height = np.where(stage < zero[row], 0 * stage, stage - zero[row])
    result: Float64 = c[row] * height ** exponent[row]
    return result


def make(settings: RatingSettings, inputs: Sequence[Point]) -> Limited:
    """Return the kernel (ConfigError)."""
    return Limited(
        "rating-curve", inputs, READS, GIVES, flow(settings), age_s_max=settings.age_s_max
    )  # fmt: skip


RATING_CURVE: Final = Builtin(
    RatingSettings,
    make,
    READS,
    GIVES,
    "flow from a stage by a gauged curve, a table or power laws (ISO 1100-2, ISO 18320)",
)
