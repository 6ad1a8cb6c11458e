"""Tuning: limits and a budget of alarms for a point, from its history, with the evidence."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS
from citytwin.point import Point
from citytwin_edge.kernels import PointRules
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from citytwin_edge.scoring import History, months, score

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
    return found + _paces(value, time_ns / SECOND_NS)


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
