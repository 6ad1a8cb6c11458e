"""Chain: one step of one channel, from a value to what is to be said of it.

Written with the operations of arithmetic.py: over columns of channels with numpy, over the numbers
of one channel when compiled. ``state`` is float64, shape (NUMBERS,) or (NUMBERS, channels);
``counts`` uint16, shape (CALIBRATED, BINS) or (CALIBRATED, BINS, channels).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from citytwin.batch import Float64
from citytwin_edge.kernels.anomaly import activity as act
from citytwin_edge.kernels.anomaly import budget as bud
from citytwin_edge.kernels.anomaly import drift as dri
from citytwin_edge.kernels.anomaly import envelope as env
from citytwin_edge.kernels.anomaly import holt_winters as hw
from citytwin_edge.kernels.anomaly import likelihood as lik
from citytwin_edge.kernels.anomaly import neighbours as nei
from citytwin_edge.kernels.anomaly import profile as pro
from citytwin_edge.kernels.anomaly import pvalue as pva
from citytwin_edge.kernels.anomaly import recurrence as rec
from citytwin_edge.kernels.anomaly import step as ste
from citytwin_edge.kernels.anomaly.activity import activity
from citytwin_edge.kernels.anomaly.arithmetic import get, larger, pick, smaller
from citytwin_edge.kernels.anomaly.budget import alarm, maturity
from citytwin_edge.kernels.anomaly.drift import drift
from citytwin_edge.kernels.anomaly.envelope import envelope
from citytwin_edge.kernels.anomaly.holt_winters import holt_winters
from citytwin_edge.kernels.anomaly.likelihood import likelihood
from citytwin_edge.kernels.anomaly.neighbours import neighbours
from citytwin_edge.kernels.anomaly.profile import profile
from citytwin_edge.kernels.anomaly.pvalue import pvalue
from citytwin_edge.kernels.anomaly.recurrence import recurrence
from citytwin_edge.kernels.anomaly.step import step

HALVES: Final = 48
HOURS: Final = 24
WEEK: Final = 84
HALF_HOUR_S: Final = 1800.0
GAP: Final = 3.0
"""So many times the usual pace is a gap."""
PACE_RATE: Final = 0.05

FIRST, LATEST, SUM, COUNT, STEP, STEPS, PACE, RIPE = range(8)
"""What intake and chain know; RIPE is the maturity and 1, so 0 is a channel without a step."""
CALIBRATED: Final = 5
"""How many p-values there are: of week, step, activity, envelope, and neighbours."""
LIKELIHOODS: Final = 7
BUDGET: Final = 8
P: Final = BUDGET + bud.NUMBERS
HALF: Final = P + CALIBRATED * pva.NUMBERS
HOUR: Final = HALF + pro.numbers(HALVES)
DAYS: Final = HOUR + pro.numbers(HOURS)
WINTERS: Final = DAYS + pro.numbers(WEEK)
STEPPING: Final = WINTERS + hw.numbers(HALVES)
ACTIVITY: Final = STEPPING + ste.NUMBERS
ENVELOPE: Final = ACTIVITY + act.NUMBERS
DRIFT: Final = ENVELOPE + env.NUMBERS
LIKELY: Final = DRIFT + dri.NUMBERS
RECURRING: Final = LIKELY + LIKELIHOODS * lik.NUMBERS
NEAR: Final = RECURRING + rec.NUMBERS
NUMBERS: Final = NEAR + nei.NUMBERS
P_NEAR: Final = CALIBRATED - 1
"""Which of the p-values is that of the neighbours."""

NAMES: Final = ("", "half-hour", "hour", "week", "holt-winters", "step", "activity", "envelope",
                "drift", "neighbours")  # fmt: skip
"""What a kernel's number in the explanation means."""
PARTS: Final = 13.0
"""So many scores are averaged; the neighbours, where they are asked for, are one more."""
WIDTHS: Final = 8.0
"""A value an eighth of its width outside of the envelope scores 1."""
SUMS: Final = 0.1
"""A drift of ten deviations scores 1."""
PART_MAX: Final = 4.0


def nearness(state: Any, counts: Any, x: Any) -> Any:
    """Return the neighbours' score of a value, and learn it; of channels that ask for it.

    Args:
        state, counts: all of a channel's; see the module.
        x: the value.
    """
    deviation = neighbours(state, NEAR, x)
    return pvalue(state, P + P_NEAR * pva.NUMBERS, counts[P_NEAR], deviation)


def advance(state: Any, counts: Any, x: Any, when: Any, aim: Any) -> Any:
    """Take a step; returns what there is to say.

    Args:
        state, counts: see the module.
        x: the value.
        when: its time, UTC seconds; seconds since the step before, 0 for the first; half-hour of
            the local day, two hours of the local week, local day.
        aim: alarms wanted in a sensor-month, the threshold that goes with that, what ``nearness``
            gave (0 where it was not asked), and 1 over how many scores there are.

    Returns:
        (score, alarm event, kernel's number, expected value, seconds since the onset, the days with
        the like as ``recurrence`` keeps them, maturity, whether that is new, threshold).
    """
    time_s, passed_s, half, _, day = when
    budget, begins, s_near, scale = aim
    pace = get(state, PACE)
    pace = pick(pace > 0.0, pace + PACE_RATE * (smaller(passed_s, GAP * pace) - pace), passed_s)
    state[PACE] = pace
    scores, expected = _scores(state, counts, x, when, pace)
    s_half, s_hour, s_week, s_winters, s_step, s_activity, s_envelope, s_drift = scores
    e_half, e_hour, e_week, e_winters, e_step, e_envelope = expected
    total = s_half + s_hour + s_week + s_winters + s_step + s_activity + s_envelope + s_drift
    fused = (total + s_near) * scale
    score, similar = recurrence(state, RECURRING, fused, half, day)
    steps = get(state, STEPS) + 1.0
    state[STEPS] = steps
    told = get(state, RIPE)
    ripe = larger(told - 1.0, maturity(time_s - get(state, FIRST), steps))
    state[RIPE] = ripe + 1.0
    event, onset_s, threshold = alarm(
        state, BUDGET, score, time_s, smaller(passed_s, GAP * pace), ripe, (budget, begins)
    )
    led = s_half, e_half, pick(s_half >= 0.0, 1, 0)
    led = _lead(led, s_hour, e_hour, 2)
    led = _lead(led, s_week, e_week, 3)
    led = _lead(led, s_winters, e_winters, 4)
    led = _lead(led, s_step, e_step, 5)
    led = _lead(led, s_activity, e_half, 6)
    led = _lead(led, s_envelope, e_envelope, 7)
    led = _lead(led, s_drift, e_half, 8)
    _, sought, kernel = _lead(led, s_near, e_half, 9)
    return score, event, kernel, sought, onset_s, similar, ripe, ripe + 1.0 > told, threshold


def _scores(state: Any, counts: Any, x: Any, when: Any, pace: Any) -> Any:
    """Return (scores, expected values) of the kernels; arguments as of ``advance``."""
    _, passed_s, half, week, _ = when
    follows = (passed_s > 0.0) & (passed_s <= GAP * pace)
    share = smaller(pace / HALF_HOUR_S, 1.0)
    d_half, e_half = profile(state, HALF, HALVES, half, x, share)
    d_hour, e_hour = profile(state, HOUR, HOURS, half // 2, x, 0.5 * share)
    d_week, e_week = profile(state, DAYS, WEEK, week, x, 0.25 * share)
    d_winters, e_winters = holt_winters(state, WINTERS, half, x)
    d_step, e_step = step(state, STEPPING, x)
    d_activity = activity(state, ACTIVITY, x, follows)
    d_envelope, e_envelope = envelope(state, ENVELOPE, x)
    d_drift = drift(state, DRIFT, d_half, x > e_half)
    s_half = likelihood(state, LIKELY, d_half)
    s_hour = likelihood(state, LIKELY + lik.NUMBERS, d_hour)
    s_week = likelihood(state, LIKELY + 2 * lik.NUMBERS, d_week)
    s_week = s_week + pvalue(state, P, counts[0], d_week)
    s_winters = likelihood(state, LIKELY + 3 * lik.NUMBERS, d_winters)
    s_step = likelihood(state, LIKELY + 4 * lik.NUMBERS, d_step)
    s_step = s_step + pvalue(state, P + pva.NUMBERS, counts[1], d_step)
    s_activity = likelihood(state, LIKELY + 5 * lik.NUMBERS, d_activity)
    s_activity = s_activity + pvalue(state, P + 2 * pva.NUMBERS, counts[2], d_activity)
    s_envelope = likelihood(state, LIKELY + 6 * lik.NUMBERS, d_envelope)
    s_envelope = s_envelope + pvalue(state, P + 3 * pva.NUMBERS, counts[3], d_envelope)
    s_envelope = s_envelope + smaller(WIDTHS * d_envelope, PART_MAX)
    s_drift = smaller(SUMS * d_drift, PART_MAX)
    scores = s_half, s_hour, s_week, s_winters, s_step, s_activity, s_envelope, s_drift
    return scores, (e_half, e_hour, e_week, e_winters, e_step, e_envelope)


def _lead(led: Any, score: Any, expected: Any, kernel: int) -> Any:
    """Return who leads: (score, expected, kernel)."""
    better = score > led[0]
    return (
        pick(better, score, led[0]), pick(better, expected, led[1]), pick(better, kernel, led[2]),
    )  # fmt: skip


def is_sound(numbers: Float64) -> bool:
    """Tell whether a state, shape (channels, NUMBERS), has all its places within bounds."""
    bounds = {STEPPING + ste.PLACE: ste.RING, STEPPING + ste.TURN: ste.SHORT}
    bounds |= {P + n * pva.NUMBERS + pva.EDGE: pva.BINS for n in range(CALIBRATED)}
    return bool(np.isfinite(numbers).all()) and all(
        bool(((numbers[:, place] >= 0) & (numbers[:, place] < end)).all())
        for place, end in bounds.items()
    )
