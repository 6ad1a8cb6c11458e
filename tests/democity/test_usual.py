"""Usual spans: a quiet day stays inside them, a burst does not."""

import contextlib

import pytest

from democity.truth import SECOND_NS, WaterTruth
from democity.usual import usual_day


@pytest.mark.parametrize("hour", [0, 7, 13, 18, 22])
def test_a_quiet_city_stays_within_its_usual_spans_whenever_it_starts(hour):
    pressures, flows = usual_day()
    with contextlib.closing(WaterTruth(hour * 3600 * SECOND_NS)) as truth:
        for quarter in range(12):
            truth.advance((hour * 3600 + quarter * 900) * SECOND_NS)
            outside = [
                name
                for spans, read in ((pressures, truth.pressure_m), (flows, truth.flow_m3h))
                for name, (low, high) in spans.items()
                if not low <= read(name) <= high
            ]
            assert outside == []
        truth.burst("111", 200.0)
        low, _ = pressures["111"]
        assert truth.pressure_m("111") < low
        _, high = flows["120"]
        assert truth.flow_m3h("120") > high
