"""Settings of the kernels: what makes no sense is refused where it is written."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from citytwin import Point
from citytwin_edge.kernels import build
from citytwin_edge.kernels.settings import DURATION_S_MAX, CounterSettings, PointRules

COUNTER = {"flow_unit": "m3/h", "factor": 3600.0, "flow_max": 900.0}


@pytest.mark.parametrize(
    "name", ["rate_per_s_max", "flatline_s_max", "deadband", "swinging_door", "silence_s_max"]
)
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_limits_are_above_zero_and_finite(name: str, value: float) -> None:
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({name: value}, PointRules)


@pytest.mark.parametrize("name", ["flatline_s_max", "silence_s_max", "alarm_delay_s"])
@pytest.mark.parametrize("value", [math.inf, math.nan, -1.0, 1e12])
def test_times_are_within_a_year(name: str, value: float) -> None:
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({name: value}, PointRules)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"factor": 0.0}, "above 0"),
        ({"factor": math.nan}, "all finite"),
        ({"flow_max": math.inf}, "all finite"),
        ({"flow_max": -1.0}, "above 0"),
        ({"modulus": -1.0}, "not below"),
        ({"modulus": math.nan}, "all finite"),
        ({"flow_unit": "m3/fortnight"}, "m3/fortnight"),
        ({"moduls": 1.0}, "unknown field"),
    ],
)
def test_counters_that_cannot_be(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(COUNTER | changed, CounterSettings)


def test_one_way_of_thinning_is_chosen() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        PointRules(deadband=1.0, swinging_door=1.0)


def test_what_is_allowed_can_be_built() -> None:
    longest = {"silence_s_max": DURATION_S_MAX, "alarm_delay_s": DURATION_S_MAX}
    for own in ({"deadband": 1e-9}, {"swinging_door": 1e300}, {"flatline_s_max": DURATION_S_MAX}):
        rules = msgspec.convert(
            {**longest, **own, "counter": {**COUNTER, "modulus": 2.0**64}}, PointRules
        )
        assert build([(Point(id="g/d/p", unit="m3"), rules)])
