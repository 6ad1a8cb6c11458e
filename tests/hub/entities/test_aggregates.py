"""What values come to, period by period."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_hub.entities import aggregates
from citytwin_hub.entities.aggregates import Method, Periods, aggregate, methods
from citytwin_hub.entities.durations import WHOLE, Duration, parse
from citytwin_hub.entities.errors import BadRequestData, TooComplexQuery

DAY = 86_400 * 10**9
ALL = Periods(WHOLE, 0, 100)


def one(method, values, periods=ALL):
    results = aggregate(range(len(values)), values, [method], periods)[method]
    return [value for value, _, _ in results]


def test_numbers():
    values = [2, 4, 4, 4, 5, 5, 7, 9.0]
    expected = {
        Method.COUNT: 8, Method.DISTINCT: 5, Method.SUM: 40.0, Method.AVG: 5.0, Method.MIN: 2.0,
        Method.MAX: 9.0, Method.STDDEV: 2.0, Method.SUMSQ: 232.0,
    }  # fmt: skip
    for method, value in expected.items():
        (found,) = one(method, values)
        assert found == value
        assert type(found) is type(value)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(-1e6, 1e6)), min_size=1, max_size=40),
    st.integers(1, 20),
)
def test_periods_of_numbers_are_what_plain_sums_say(pairs, length):
    pairs.sort(key=lambda pair: pair[0])
    times, values = zip(*pairs, strict=True)
    made = aggregate(times, values, list(Method), Periods(Duration(ns=length), 0, 51))
    by_period = {}
    for at, value in pairs:
        by_period.setdefault(at // length, []).append(value)
    plain = {
        Method.COUNT: len,
        Method.DISTINCT: lambda some: len({repr(value) for value in some}),
        Method.SUM: math.fsum,
        Method.AVG: statistics.fmean,
        Method.MIN: min,
        Method.MAX: max,
        Method.STDDEV: statistics.pstdev,
        Method.SUMSQ: lambda some: math.fsum(value * value for value in some),
    }
    for method, calculate in plain.items():
        assert [span for _, *span in made[method]] == [
            [number * length, (number + 1) * length] for number in by_period
        ]
        for (found, _, _), some in zip(made[method], by_period.values(), strict=True):
            assert found == pytest.approx(calculate(some), rel=1e-9, abs=1e-3)


def test_periods_may_begin_before_and_follow_the_calendar():
    times = [0, 31 * DAY, 58 * DAY, 59 * DAY]
    periods = Periods(parse("P1M"), 0, 0)
    made = aggregate(times, [1, 2, 3, 4], [Method.COUNT], periods)[Method.COUNT]
    assert made == [(1, 0, 31 * DAY), (2, 31 * DAY, 59 * DAY), (1, 59 * DAY, 90 * DAY)]
    early = Periods(Duration(ns=10), -5, 0)
    assert aggregate([0], [1], [Method.SUM], early)[Method.SUM] == [(1.0, -5, 5)]


@pytest.mark.parametrize(
    ("method", "values", "expected"),
    [
        (Method.COUNT, ["b", "a", "b"], [3]),
        (Method.DISTINCT, ["b", "a", "b"], [2]),
        (Method.DISTINCT, [{"a": 1, "b": 2}, {"b": 2, "a": 1}, True, 1], [3]),
        (Method.MIN, ["b", "a", "ә"], ["a"]),
        (Method.MAX, ["b", "a", "ә"], ["ә"]),
        (Method.AVG, ["b", "a"], []),
        (Method.AVG, [True, False, True, True], [0.75]),
        (Method.SUM, [[1, 2], [3]], [3.0]),
        (Method.MAX, [{"a": 1}], []),
        (Method.SUM, ["x", 2, None], [2.0]),
        (Method.SUM, [10**400, 2], [2.0]),
        (Method.SUM, [], []),
    ],
)
def test_other_values(method, values, expected):
    assert one(method, values) == expected


def test_methods_are_named():
    assert methods(["avg", "max", "avg"]) == [Method.AVG, Method.MAX]
    for names in (["median"], []):
        with pytest.raises(BadRequestData, match="aggrMethods"):
            methods(names)


def test_periods_have_a_limit(monkeypatch):
    monkeypatch.setattr(aggregates, "PERIODS_MAX", 3)
    for duration, times in (
        (Duration(ns=1), range(5)),
        (Duration(months=1), [index * 31 * DAY for index in range(6)]),
    ):
        with pytest.raises(TooComplexQuery, match="aggrPeriodDuration"):
            aggregate(times, [1] * len(times), [Method.SUM], Periods(duration, 0, 0))
