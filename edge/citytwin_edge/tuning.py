"""Tuning: limits and a budget of alarms for a point, from its history, with the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS
from citytwin.point import Point
from citytwin_edge.kernels import PointRules
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from citytwin_edge.scoring import History, months, score

FAR: Final = 1.0
"""``valid`` lies so many widths of the usual values further out."""
PLAIN_BUDGET: Final = 1.0
BUDGETS: Final = (0.5, 1.0, 2.0, 4.0)
SHOWN_MAX: Final = 5
TAIL: Final = 0.001
"""This part of the values may lie outside of ``normal``, on each side, before it is widened."""
MARGIN: Final = 0.1
RATE_PART: Final = 0.9999
FACTOR: Final = 2.0
ROWS_MIN: Final = 100
DAYS_MIN: Final = 7.0


class Line(NamedTuple):
    """A suggested field with what speaks for it."""

    field: str
    value: str
    evidence: str


class Tried(NamedTuple):
    """What a budget would have raised.

    Attributes:
        budget: in alarms a month.
        alarms: so many came.
        shown: the first of them, in words.
    """

    budget: float
    alarms: int
    shown: list[str]


def limits(history: History) -> list[Line]:
    """Return fields for ``[[device.point]]`` that this history speaks for; may be empty."""
    seen = ~np.isnan(history.value)
    value, time_ns = history.value[seen], history.time_ns[seen]
    if len(value) < ROWS_MIN:
        return []
    low, high = np.quantile(value, [TAIL, 1 - TAIL]).tolist()
    width = high - low
    found = []
    if width > 0:
        low, high = low - MARGIN * width, high + MARGIN * width
        outside = int(((value < low) | (value > high)).sum())
        found.append(
            Line("normal", f"[{low:.4g}, {high:.4g}]",
                 f"{outside} of {len(value)} values lie outside; lowest {value.min():.4g}, "
                 f"highest {value.max():.4g}")
        )  # fmt: skip
        found.append(_valid(value, width))
    return found + _paces(value, time_ns / SECOND_NS)


def _valid(value: np.ndarray, width: float) -> Line:
    """Return what is credible at all: as far again beyond what is usual, not below 0 if never."""
    usual = np.quantile(value, [TAIL, 1 - TAIL])
    low, high = float(usual[0]) - FAR * width, float(usual[1]) + FAR * width
    least = ", never below 0" if value.min() >= 0 else ""
    low = max(low, 0.0) if least else low
    outside = int(((value < low) | (value > high)).sum())
    return Line(
        "valid", f"[{low:.4g}, {high:.4g}]",
        f"{outside} of {len(value)} values lie outside of that, which is the span of all but "
        f"{2 * TAIL:.1%} and as much on each side{least}; the instrument's own span is better",
    )  # fmt: skip


def budget(found: Sequence[Tried], span: float) -> Line:
    """Return the largest budget that this history kept, ``span`` being its months.

    It kept a budget when it raised no more alarms than that allows for its time, or one. A smaller
    one is less sensitive for nothing; a larger one would have asked for more time than it says.
    """
    if span * 30.4 < DAYS_MIN:
        said = f"{span * 30.4:.1f} days tell nothing of months; this is where to begin"
        return Line("anomaly", f"{{ budget = {PLAIN_BUDGET:g} }}", said)
    kept = [one for one in found if one.alarms <= max(one.budget * span, 1.0)]
    best = max(kept or found[:1])
    said = f"the largest of those tried that was kept: {best.alarms} alarms in {span:.2f} months"
    if not kept:
        said = f"none was kept, and this is the least: {best.alarms} alarms in {span:.2f} months"
    above = [one for one in found if one.budget > best.budget]
    if kept and above:
        said += f"; with {above[0].budget:g} it had been {above[0].alarms}"
    return Line("anomaly", f"{{ budget = {best.budget:g} }}", said)


def _paces(value: np.ndarray, time_s: np.ndarray) -> list[Line]:
    passed = np.diff(time_s)
    on = passed > 0
    rate = np.abs(np.diff(value)[on]) / passed[on]
    found = []
    usual = float(np.quantile(rate, RATE_PART)) if len(rate) else 0.0
    if usual > 0:
        above = int((rate > FACTOR * usual).sum())
        found.append(
            Line("rate_per_s_max", f"{FACTOR * usual:.4g}",
                 f"{above} of {len(rate)} steps were faster; fastest {rate.max():.4g}")
        )  # fmt: skip
    moves = np.flatnonzero(np.diff(value) != 0)
    if len(moves) > 1:
        longest = float(np.diff(time_s[moves]).max())
        found.append(
            Line("flatline_s_max", f"{FACTOR * longest:.4g}",
                 f"the longest time without a change was {longest:.4g} s")
        )  # fmt: skip
    return found


def tried(history: History, point: Point, rules: PointRules, zone: str) -> list[Tried]:
    """Return what budgets would have raised in this history."""
    found = []
    settings = rules.anomaly or AnomalySettings(time_zone=zone)
    for budget in BUDGETS:
        anomaly = msgspec.structs.replace(settings, budget=budget)
        scored = score(history, point, msgspec.structs.replace(rules, anomaly=anomaly))
        raised = np.flatnonzero(scored.alarm > 0)
        shown = [
            f"{history.stamps[row]}: {history.value[row]:.4g} instead of "
            f"{scored.expected[row]:.4g} ({scored.kernel[row]}, score {scored.score[row]:.2f})"
            for row in raised[:SHOWN_MAX].tolist()
        ]
        found.append(Tried(budget, len(raised), shown))
    return found


def doubts(history: History) -> list[str]:
    """Return why suggestions from this history should not be trusted much."""
    found = []
    days = months(history) * 30.4
    if days < DAYS_MIN:
        found.append(f"{days:.1f} days of history; a week shows weekends")
    missing = int(np.isnan(history.value).sum())
    if missing:
        found.append(f"{missing} readings have no value")
    late = int((np.diff(history.time_ns) <= 0).sum())
    if late:
        found.append(f"{late} rows are not later than the one before them")
    return found
