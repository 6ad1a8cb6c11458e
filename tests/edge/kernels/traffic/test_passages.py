"""Passages: repeated stamps, bad samples, empty intervals and silence."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin_edge.kernels.traffic.loop_aggregates import LOOP_AGGREGATES
from tests.edge.kernels.built import at, built, of, settings
from tests.edge.kernels.traffic.vehicles import vehicles


def counts(batch, **fields):
    kernel = built(LOOP_AGGREGATES, ["km/h"], interval_s=30, **fields)
    return of(kernel.step(batch), 1)


def test_a_repeated_stamp_is_one_vehicle():
    assert counts(vehicles([1, 1, 2], [50, 50, 60], until_s=30))[0] == [2]


def test_a_bad_sample_is_no_vehicle_and_makes_the_count_doubtful():
    batch = Batch.of([0, 0, 0], at(1, 2, 30), [50, np.nan, 50], [0, Quality.BAD_SILENT, 0])
    assert counts(batch) == ([1], [Quality.UNCERTAIN_STALE])


def test_a_doubtful_sample_makes_the_count_doubtful():
    batch = vehicles([1, 2], [50, 60], until_s=30, quality=Quality.UNCERTAIN_CLOCK)
    assert counts(batch) == ([2], [Quality.UNCERTAIN_CLOCK])


def test_intervals_without_a_vehicle_are_empty():
    assert counts(vehicles([1], [50], until_s=125)) == ([1, 0, 0, 0], [Quality.GOOD] * 4)


def test_a_detector_that_is_silent_for_long_is_not_an_empty_road():
    values, quality = counts(vehicles([1], [50], until_s=500), silent_s_max=70)
    assert values == pytest.approx([1, 0, np.nan], nan_ok=True)
    assert quality == [Quality.GOOD, Quality.GOOD, Quality.BAD_STALE]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"interval_s": 7 * 7}, "must divide a day"),
        ({"interval_s": 5}, ">= 10"),
        ({"silent_s_max": 0}, "> 0"),
        ({"reads": ["weight"]}, "Invalid enum value"),
        ({"colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(LOOP_AGGREGATES, **fields)


@pytest.mark.parametrize(
    ("units", "reads", "words"),
    [
        (["km/h"], ["speed", "occupied"], "it reads 2, not 1"),
        (["s"], ["speed"], "input 1 is the speed of each vehicle, in km/h"),
        (["km/h", "km/h"], ["speed", "speed"], "once at most"),
        ([], [], "once at most"),
    ],
)
def test_wrong_inputs_are_named(units, reads, words):
    with pytest.raises(ConfigError, match=words):
        built(LOOP_AGGREGATES, units, reads=reads)
