"""Interval flow: ten vehicles in 30 s, and what is no count."""

import msgspec
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.interval_flow import INTERVAL_FLOW
from tests.edge.kernels.built import START_NS, built, once, run, settings, shaken


def test_ten_vehicles_in_half_a_minute_are_1200_an_hour():
    assert once(built(INTERVAL_FLOW, ["{vehicles}"], interval_s=30), 10) == ([1200], Quality.GOOD)


def test_a_count_below_zero_is_none():
    kernel = built(INTERVAL_FLOW, ["{vehicles}"], interval_s=30)
    assert once(kernel, -1)[1] == Quality.BAD_OUT_OF_RANGE


def test_it_keeps_every_promise():
    check_kernel(
        lambda: built(INTERVAL_FLOW, ["{vehicles}"], interval_s=30), shaken(7, [30.0], [0, 30, 900])
    )


@pytest.mark.parametrize("fields", [{}, {"interval_s": 0}, {"interval_s": 60, "lanes": 1}])
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(INTERVAL_FLOW, **fields)


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the vehicles of an interval"):
        built(INTERVAL_FLOW, ["km/h"], interval_s=30)


def test_a_gateway_runs_it(tmp_path):
    table = '[[kernel]]\nname = "k"\nkernel = "interval-flow"\ninputs = ["d/a"]\ninterval_s = 30\n'
    made = run(tmp_path, ["{vehicles}"], table, Batch.of([0], START_NS, [10.0]))
    assert made["g/d/a.flow"] == ([1200.0], [Quality.GOOD])
