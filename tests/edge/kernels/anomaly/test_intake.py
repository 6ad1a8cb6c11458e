"""The intake: late and repeated samples say nothing, what comes too often is averaged."""

from __future__ import annotations

import numpy as np

from citytwin_edge.kernels.anomaly import chain
from citytwin_edge.kernels.anomaly.intake import intake

BEGIN = 1.7e9


def taken(pairs, every_s=60.0):
    """Return (second, value) of each step that these (second, value) make."""
    state, steps = np.zeros((chain.BUDGET, 1)), []
    for second, value in pairs:
        due, x, _ = intake(state, *(np.array([v]) for v in (value, BEGIN + second, every_s)))
        if due[0]:
            steps.append((second, float(x[0])))
    return steps


def test_what_comes_more_often_is_averaged():
    assert taken([(s, float(s)) for s in range(0, 130)]) == [(0, 0.0), (54, 27.5), (108, 81.5)]


def test_a_slow_point_takes_a_step_with_every_sample():
    assert len(taken([(s, 1.0) for s in range(0, 3000, 300)])) == 10


def test_late_and_repeated_samples_say_nothing():
    assert taken([(0, 1.0), (60, 2.0), (60, 9.0), (30, 9.0), (120, 3.0)]) == [
        (0, 1.0), (60, 2.0), (120, 3.0),
    ]  # fmt: skip


def test_a_clock_that_was_set_back_begins_anew():
    assert taken([(0, 1.0), (60, 2.0), (-7200, 3.0), (-7140, 4.0)]) == [
        (0, 1.0), (60, 2.0), (-7200, 3.0), (-7140, 4.0),
    ]  # fmt: skip
