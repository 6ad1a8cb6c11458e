"""Exchange: another serial number, a counter that begins anew, and what is none of these."""

import numpy as np
import pytest

from citytwin import Batch, Kind, Point, Quality
from citytwin_edge.kernels.anomaly.exchange import Exchange, named

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
INPUTS = [
    Point(id="g/d/flow"), Point(id="g/d/heat"), Point(id="g/d/power"),
    Point(id="g/d/serial"), Point(id="g/d/total", kind=Kind.COUNTER),
]  # fmt: skip
FLOW, HEAT, POWER, SERIAL, TOTAL = range(5)
EXCHANGE = ["d/serial", "d/serial", "d/total"]


def seen(exchange, *samples):
    """Return the rows, and what is measured, of (point, value) or (point, value, s, quality)."""
    whole = [(*one, n, 0)[:4] if len(one) == 2 else one for n, one in enumerate(samples)]
    point, value, at_s, quality = (list(column) for column in zip(*whole, strict=True))
    times = NOW + np.array(at_s) * SECOND
    batch = Batch.of(point, times, value, np.array(quality, np.uint8))
    return [(row, points.tolist()) for row, points in exchange.seen(batch)]


@pytest.fixture
def exchange():
    return Exchange(INPUTS, EXCHANGE)


def test_a_serial_number_that_is_another_one(exchange):
    assert named(INPUTS[SERIAL]) == "d/serial"
    first = seen(exchange, (SERIAL, 4711), (FLOW, 1), (SERIAL, 4711), (SERIAL, 4812), (FLOW, 2))
    assert first == [(3, [FLOW, HEAT])]
    assert seen(exchange, (SERIAL, 4711, 9, 0)) == [(0, [FLOW, HEAT])]


def test_a_counter_that_begins_anew(exchange):
    assert seen(exchange, (TOTAL, 1e5), (TOTAL, 1.1e5), (TOTAL, 3.0), (TOTAL, 4.0)) == [
        (2, [POWER])
    ]
    assert seen(exchange, (TOTAL, 3.9, 20, 0)) == [], "a small step back is a correction"


@pytest.mark.parametrize(("value", "quality"), [(np.nan, 0x81), (9.0, 0x81), (9.0, 0x41)])
def test_what_is_not_good_is_no_exchange(exchange, value, quality):
    assert seen(exchange, (SERIAL, 4711), (SERIAL, value, 1, quality), (SERIAL, 4711)) == []
    assert quality == Quality(quality)


def test_late_and_repeated_ones_are_none(exchange):
    assert seen(exchange, (SERIAL, 4711), (SERIAL, 4812)) == [(1, [FLOW, HEAT])]
    assert seen(exchange, (SERIAL, 4711, 0, 0), (SERIAL, 4711, 1, 0)) == []
    assert seen(exchange, (SERIAL, 4711, -4000, 0)) == [(0, [FLOW, HEAT])], "a clock was set back"


def test_the_last_that_was_said_is_state(exchange):
    seen(exchange, (SERIAL, 4711))
    other = Exchange(INPUTS, EXCHANGE)
    other.columns = exchange.columns
    assert seen(other, (SERIAL, 4812, 5, 0)) == [(0, [FLOW, HEAT])]
    assert {len(column) for column in other.columns.values()} == {len(INPUTS)}


def test_without_meters_nothing_is_looked_at():
    assert seen(Exchange(INPUTS, ["", "", ""]), (SERIAL, 1), (SERIAL, 2)) == []
