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
LIKELIHOODS: Final = 3
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
NUMBERS: Final = RECURRING + rec.NUMBERS

NAMES: Final = ("", "half-hour", "hour", "week", "holt-winters", "step", "activity", "envelope",
                "drift")  # fmt: skip
"""What a kernel's number in the explanation means."""
P_HALF, P_HOUR, P_STEP, P_ACTIVITY, P_WINTERS = 1.0, 1.0, 1.0, 1.0, 0.25
L_HALF, L_HOUR, L_WEEK = 1.0, 1.0, 0.5
PART_ENVELOPE, PART_DRIFT = 0.25, 0.25
"""What each kernel weighs in the score: of p-values, likelihoods, and what needs neither."""
WEIGHTS: Final = (
    P_HALF + P_HOUR + P_STEP + P_ACTIVITY + P_WINTERS + L_HALF + L_HOUR + L_WEEK
    + PART_ENVELOPE + PART_DRIFT
)  # fmt: skip
WIDTHS: Final = 8.0
"""A value an eighth of its width outside of the envelope scores 1."""
SUMS: Final = 0.1
"""A drift of ten deviations scores 1."""
PART_MAX: Final = 4.0


def advance(state: Any, counts: Any, x: Any, when: Any, aim: Any) -> Any:
    """Take a step; returns what there is to say.

    Args:
        state, counts: see the module.
        x: the value.
        when: its time, UTC seconds; seconds since the step before, 0 for the first; half-hour of
            the local day, two hours of the local week, local day.
        aim: alarms wanted in a sensor-month, and the threshold that goes with that.

    Returns:
        (score, alarm event, kernel's number, expected value, seconds since the onset, days since
        the like, maturity, whether that is new, threshold).
    """
    time_s, passed_s, half, week, day = when
    pace = get(state, PACE)
    pace = pick(pace > 0.0, pace + PACE_RATE * (smaller(passed_s, GAP * pace) - pace), passed_s)
    state[PACE] = pace
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
    s_half = P_HALF * pvalue(state, P, counts[0], d_half)
    s_half = s_half + L_HALF * likelihood(state, LIKELY, d_half)
    s_hour = P_HOUR * pvalue(state, P + pva.NUMBERS, counts[1], d_hour)
    s_hour = s_hour + L_HOUR * likelihood(state, LIKELY + lik.NUMBERS, d_hour)
    s_week = L_WEEK * likelihood(state, LIKELY + 2 * lik.NUMBERS, d_week)
    s_step = P_STEP * pvalue(state, P + 2 * pva.NUMBERS, counts[2], d_step)
    s_activity = P_ACTIVITY * pvalue(state, P + 3 * pva.NUMBERS, counts[3], d_activity)
    s_winters = P_WINTERS * pvalue(state, P + 4 * pva.NUMBERS, counts[4], d_winters)
    s_envelope = PART_ENVELOPE * smaller(WIDTHS * d_envelope, PART_MAX)
    s_drift = PART_DRIFT * smaller(SUMS * d_drift, PART_MAX)
    total = s_half + s_hour + s_week + s_step + s_activity + s_winters + s_envelope + s_drift
    fused = total * (1.0 / WEIGHTS)
    score, similar = recurrence(state, RECURRING, fused, half, day)
    steps = get(state, STEPS) + 1.0
    state[STEPS] = steps
    told = get(state, RIPE)
    ripe = larger(told - 1.0, maturity(time_s - get(state, FIRST), steps))
    state[RIPE] = ripe + 1.0
    event, onset_s, threshold = alarm(
        state, BUDGET, score, time_s, smaller(passed_s, GAP * pace), ripe, aim
    )
    led = s_half, e_half, pick(s_half >= 0.0, 1, 0)
    led = _lead(led, s_hour, e_hour, 2)
    led = _lead(led, s_week, e_week, 3)
    led = _lead(led, s_winters, e_winters, 4)
    led = _lead(led, s_step, e_step, 5)
    led = _lead(led, s_activity, e_half, 6)
    led = _lead(led, s_envelope, e_envelope, 7)
    _, expected, kernel = _lead(led, s_drift, e_half, 8)
    return score, event, kernel, expected, onset_s, similar, ripe, ripe + 1.0 > told, threshold


def _lead(led: Any, score: Any, expected: Any, kernel: int) -> Any:
    """Return who leads: (score, expected, kernel)."""
    better = score > led[0]
    return (
        pick(better, score, led[0]), pick(better, expected, led[1]), pick(better, kernel, led[2]),
    )  # fmt: skip


def is_sound(numbers: Float64) -> bool:
    """Tell whether a state, shape (channels, NUMBERS), has all its places within bounds."""
    bounds = {STEPPING + ste.PLACE: ste.RING, STEPPING + ste.TURN: ste.SHORT}
    bounds |= {LIKELY + n * lik.NUMBERS + lik.PLACE: lik.SHORT for n in range(LIKELIHOODS)}
    bounds |= {P + n * pva.NUMBERS + pva.EDGE: pva.BINS for n in range(CALIBRATED)}
    return bool(np.isfinite(numbers).all()) and all(
        bool(((numbers[:, place] >= 0) & (numbers[:, place] < end)).all())
        for place, end in bounds.items()
    )
