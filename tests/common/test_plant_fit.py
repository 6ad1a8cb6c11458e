"""Fitting a plant: what it finds, that limits are of unseen blocks, what it refuses."""

import numpy as np
import pytest

from citytwin.errors import CityTwinError
from citytwin.plant import BASE, day, smoothed
from citytwin.plant_fit import LIMIT_PART, fit
from tests.common.plants import FLOW, LEVEL, NAMES, PRESSURE, SPARE, START_NS, plant

HOUR_S = 3600


def fitted(days=60, **options):
    return fit(NAMES, START_NS, HOUR_S, plant(days), **options)


def deviations(found, values):
    model = found.model
    table = model.standard(values)
    left = [
        table[row] - model.expected(START_NS + row * HOUR_S * 10**9, table[row - 1], table[row])
        for row in range(1, len(table))
    ]
    return np.abs(smoothed(np.array(left), model.smoothing)) / model.limit


def test_clean_hours_that_it_has_not_seen_fit():
    found = fitted()
    assert found.steps == 60 * 24 - 1
    unseen = deviations(found, plant(60, seed=2))
    assert np.mean(unseen > 1) < 0.005
    assert np.mean(found.peaks > 1) < len(NAMES) * (1 - LIMIT_PART) * 1.5


def test_a_value_that_does_not_fit_deviates():
    found = fitted()
    values = plant(60, seed=2)
    values[500:510, PRESSURE] -= 3.0  # within its range, but not with this level and flow
    assert values[:, PRESSURE].min() < values[505, PRESSURE] < values[:, PRESSURE].max()
    size = deviations(found, values)
    assert size[504, PRESSURE] > 3
    assert size[:499].max() < 2


def test_no_channel_predicts_itself_and_what_is_still_predicts_nothing():
    found = fitted()
    weights, count = found.model.weights, len(NAMES)
    assert (np.diag(weights[BASE + count :]) == 0).all()
    assert found.still == ("spare/status",)
    assert not weights[:, SPARE].any()
    assert not weights[[BASE + SPARE, BASE + count + SPARE]].any()


def test_a_still_channel_that_moves_deviates():
    found = fitted()
    values = plant(30, seed=2)
    values[300:, SPARE] = 1.0
    assert np.argmax(deviations(found, values)[301]) == SPARE


def test_limits_are_those_of_blocks_that_were_left_out():
    """A channel that moves in one block only is not taken for known by it."""
    values = plant(60)
    values[100:110, SPARE] = 1.0
    values[100:110, FLOW] += 5.0
    found = fit(NAMES, START_NS, HOUR_S, values)
    alone = fit(NAMES, START_NS, HOUR_S, plant(60))
    assert found.model.limit[SPARE] > 1.0
    assert found.model.limit[FLOW] > alone.model.limit[FLOW]


def test_the_threshold_keeps_to_the_alarms_in_a_year():
    found = fitted(days=365)
    for allowed in (2.0, 10.0):
        threshold = found.threshold(allowed)
        assert found.alarms(threshold) <= allowed
        assert threshold == 1.0 or found.alarms(threshold - 0.1) > allowed
    assert found.alarms(1e9) == 0


def test_steps_without_all_points_are_left_out():
    values = plant(60)
    values[200, LEVEL] = np.nan
    assert fit(NAMES, START_NS, HOUR_S, values).steps == 60 * 24 - 3


def test_the_hour_is_known():
    noon, midnight = day(START_NS + 12 * HOUR_S * 10**9), day(START_NS)
    assert noon[0] == midnight[0] == 1
    assert not np.allclose(noon, midnight)
    assert np.allclose(day(START_NS + 86_400 * 10**9), midnight)


@pytest.mark.parametrize(
    ("names", "step_s", "values", "words"),
    [
        (NAMES[:1], HOUR_S, plant(9)[:, :1], "a model has 2 to 100 points, not 1"),
        (NAMES, HOUR_S, plant(9)[:, :5], r"values have the shape \(216, 5\), not \(steps, 6\)"),
        (NAMES, 0, plant(9), "a step is 1 to 86400 s, not 0"),
        (NAMES, HOUR_S, plant(4), r"has 95 steps of 3600 s .* 6 points need 168"),
        (NAMES, HOUR_S, np.full((300, 6), np.nan), "tank/level, .*: no good value"),
        (NAMES, 1, np.broadcast_to(1.0, (4_000_000, 6)), "are more than 20000000"),
    ],
)
def test_what_cannot_be_fitted_is_said(names, step_s, values, words):
    with pytest.raises(CityTwinError, match=words):
        fit(names, START_NS, step_s, values)
