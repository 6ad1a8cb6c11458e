"""Budget: one threshold that every alarm lifts and time lowers, so that alarms keep to a number.

With ``budget`` alarms in a sensor-month, each alarm lifts the threshold by LIFT and a month without
one lowers it by LIFT * budget. The threshold lies between two bounds; while it is within them the
alarms of a time are its months times the budget and what the threshold has moved, over LIFT, and
never more than that with the upper bound, which no score reaches. A sensor that is wrong from its
first day would lift the threshold slowly, so there is a hard bound besides: BURST + BURST_PART *
budget at once, and the budget of each month after.
"""

from __future__ import annotations

import math
from typing import Any, Final

from citytwin_edge.kernels.anomaly.arithmetic import get, larger, pick, smaller

MONTH_S: Final = 30.4 * 86_400.0
LIFT: Final = 0.04
LOWEST: Final = 0.5
HIGHEST: Final = 8.0
HOLD_S: Final = 43_200.0
RETURN_PART: Final = 0.7
RETURN_STEPS: Final = 6.0
LEARNS_S: Final = 3600.0
USEFUL_S: Final = 86_400.0
LEARNS_STEPS: Final = 20.0
USEFUL_STEPS: Final = 100.0
START: Final = 2.57
START_FALL: Final = 0.82
"""Where the threshold begins for a budget: START - START_FALL * log(budget)."""
CAUTION: Final = 0.5
"""So much higher is the threshold before a day has been seen."""
BURST: Final = 2.0
BURST_PART: Final = 6.0
"""So many alarms, and so many times the budget, may come at once; then one for each that a month
allows. On the development data no point came near that, whatever its budget was."""
THRESHOLD, SINCE, RAISED, CALM, ONSET, BEGINS, SPENT = range(7)
NUMBERS: Final = 7
NOTHING, RAISE, RETURN = 0, 1, 2


def maturity(age_s: Any, steps: Any) -> Any:
    """Return 0 while a channel learns, 1 when it is useful, 2 when it is good."""
    useful = (age_s >= LEARNS_S) & (steps >= LEARNS_STEPS)
    good = (age_s >= USEFUL_S) & (steps >= USEFUL_STEPS)
    return pick(good, 2.0, pick(useful, 1.0, 0.0))


def threshold_at(budget: float) -> float:
    """Return where the threshold begins for a budget, as it came out on the development data."""
    return min(max(START - START_FALL * math.log(budget), LOWEST), HIGHEST)


def alarm(
    state: Any, base: int, score: Any, time_s: Any, passed_s: Any, ripe: Any, aim: Any
) -> Any:
    """Return (NOTHING, RAISE or RETURN; seconds since the onset; threshold), and move on.

    Args:
        state, base: as of ``profile``.
        score: as it is after the discount.
        time_s, passed_s: now, and since the step before.
        ripe: as ``maturity`` gives.
        aim: alarms in a sensor-month, and ``threshold_at`` that; when they are changed the
            threshold moves by as much.
    """
    budget, begins = aim
    moved = begins - get(state, base + BEGINS)
    state[base + BEGINS] = begins
    threshold = get(state, base + THRESHOLD) + moved - LIFT * budget * passed_s / MONTH_S
    threshold = smaller(larger(threshold, LOWEST), HIGHEST)
    wanted = threshold + pick(ripe < 2.0, CAUTION, 0.0)
    raised, calmly = get(state, base + RAISED) > 0.0, get(state, base + RAISED) == 0.0
    since = get(state, base + SINCE)
    spent = larger(get(state, base + SPENT) - budget * passed_s / MONTH_S, 0.0)
    allowed = spent + 1.0 <= BURST + BURST_PART * budget
    high = score >= RETURN_PART * wanted
    onset = get(state, base + ONSET)
    onset = pick(high, pick(onset > 0.0, onset, time_s), pick(raised, onset, 0.0))
    rested = (since == 0.0) | (abs(time_s - since) >= HOLD_S)
    raises = calmly & rested & allowed & (score >= wanted) & (ripe > 0.0)
    state[base + SPENT] = pick(raises, spent + 1.0, spent)
    calm = pick(high, 0.0, get(state, base + CALM) + 1.0)
    returns = raised & (calm >= RETURN_STEPS)
    state[base + THRESHOLD] = pick(raises, smaller(threshold + LIFT, HIGHEST), threshold)
    state[base + SINCE] = pick(raises, time_s, since)
    state[base + RAISED] = pick(raises, 1.0, pick(returns, 0.0, get(state, base + RAISED)))
    state[base + CALM] = calm
    state[base + ONSET] = pick(returns, 0.0, onset)
    return pick(raises, 1, pick(returns, 2, 0)), time_s - pick(onset > 0.0, onset, time_s), wanted
