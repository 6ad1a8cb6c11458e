"""Aggregates: what the values of an attribute come to, period by period.

ETSI GS CIM 009, clause 4.5.19. Numbers are taken as they are, truth as 1 and 0, arrays by their
length; texts have a smallest and a largest one (by code points), everything can be counted. A
method that a value has no meaning for passes the value over; a period with nothing has no entry.

>>> from citytwin_hub.entities.durations import Duration
>>> times, values = [0, 10, 3600 * 10**9], [1, 3, 5]
>>> periods = Periods(Duration(), 0, 7200 * 10**9)
>>> aggregate(times, values, [Method.AVG], periods)[Method.AVG]
[(3.0, 0, 7200000000000)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from citytwin_hub.entities.durations import Duration
from citytwin_hub.entities.errors import BadRequestData, TooComplexQuery

PERIODS_MAX: Final = 100_000
"""In one answer, of one attribute."""

Result = list[tuple[Any, int, int]]
"""A value, and when its period begins and ends (UTC nanoseconds), oldest first."""


class Method(StrEnum):
    """What may be asked for (``aggrMethods``)."""

    COUNT = "totalCount"
    DISTINCT = "distinctCount"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    STDDEV = "stddev"
    SUMSQ = "sumsq"


@dataclass(frozen=True, slots=True)
class Periods:
    """Time, cut into periods.

    Attributes:
        duration: of each; the whole range where it is 0.
        start_ns: when the first begins.
        end_ns: when the range ends, for a period that is the whole range.
    """

    duration: Duration
    start_ns: int
    end_ns: int

    def of(self, times_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
        """Return where each period's times begin among sorted times, and the periods.

        Periods without a time are left out.

        Raises:
            TooComplexQuery: there are too many.
        """
        duration, start = self.duration, self.start_ns
        if duration.is_whole:
            return np.zeros(1, np.int64), [(start, self.end_ns)]
        if duration.months:
            edges = [start]
            while edges[-1] <= times_ns[-1]:
                if len(edges) > PERIODS_MAX:
                    raise _too_many()
                edges.append(duration.start(start, len(edges)))
            index = np.searchsorted(np.array(edges), times_ns, side="right") - 1
        else:
            index = (times_ns - start) // duration.ns
        numbers, firsts = np.unique(index, return_index=True)
        if len(numbers) > PERIODS_MAX:
            raise _too_many()
        return firsts, [
            (duration.start(start, int(number)), duration.start(start, int(number) + 1))
            for number in numbers
        ]


def methods(names: Sequence[str]) -> list[Method]:
    """Return the methods that are named.

    Raises:
        BadRequestData: one is not known, or none is named.
    """
    known = {method.value for method in Method}
    for name in names:
        if name not in known:
            raise BadRequestData(f"aggrMethods has {name[:80]!r}; there are {', '.join(Method)}")
    if not names:
        raise BadRequestData("aggregated values need aggrMethods")
    return [Method(name) for name in dict.fromkeys(names)]


def aggregate(
    times_ns: Sequence[int],
    values: Sequence[Any],
    wanted: Sequence[Method],
    periods: Periods,
) -> Mapping[Method, Result]:
    """Return what values come to.

    Args:
        times_ns: of each value, oldest first.
        values: as many.
        wanted: what is asked for.
        periods: into which time is cut.

    Raises:
        TooComplexQuery: there are too many periods.
    """
    if not values:
        return {method: [] for method in wanted}
    firsts, spans = periods.of(np.asarray(times_ns, np.int64))
    numbers = _numbers(values)
    found: dict[Method, Result] = {}
    for method in wanted:
        if numbers is not None and method in _ON_NUMBERS:
            results = _ON_NUMBERS[method](numbers, firsts).tolist()
            found[method] = [(result, *span) for result, span in zip(results, spans, strict=True)]
        else:
            found[method] = list(_each(method, values, firsts, spans))
    return found


def _too_many() -> TooComplexQuery:
    return TooComplexQuery(
        f"there are over {PERIODS_MAX} periods: give a longer aggrPeriodDuration"
    )


def _numbers(values: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return values as numbers if all of them are."""
    if not {type(value) for value in values} <= {int, float}:
        return None
    try:
        return np.asarray(values, np.float64)
    except OverflowError:
        return None


_OnNumbers = Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[Any]]


def _sizes(values: NDArray[np.float64], firsts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.diff(firsts, append=len(values))


def _mean(values: NDArray[np.float64], firsts: NDArray[np.int64]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.add.reduceat(values, firsts) / _sizes(values, firsts)
    return means


def _stddev(values: NDArray[np.float64], firsts: NDArray[np.int64]) -> NDArray[np.float64]:
    sizes = _sizes(values, firsts)
    apart = values - np.repeat(_mean(values, firsts), sizes)
    deviations: NDArray[np.float64] = np.sqrt(np.add.reduceat(apart * apart, firsts) / sizes)
    return deviations


_ON_NUMBERS: Final[Mapping[Method, _OnNumbers]] = {
    Method.COUNT: _sizes,
    Method.SUM: np.add.reduceat,
    Method.AVG: _mean,
    Method.MIN: np.minimum.reduceat,
    Method.MAX: np.maximum.reduceat,
    Method.STDDEV: _stddev,
    Method.SUMSQ: lambda values, firsts: np.add.reduceat(values * values, firsts),
}


def _each(
    method: Method,
    values: Sequence[Any],
    firsts: NDArray[np.int64],
    spans: Sequence[tuple[int, int]],
) -> Iterator[tuple[Any, int, int]]:
    """Yield the entries of values that are not all numbers."""
    ends = [*firsts[1:].tolist(), len(values)]
    for first, end, span in zip(firsts.tolist(), ends, spans, strict=True):
        result = _mixed(method, values[first:end])
        if result is not None:
            yield result, *span


def _mixed(method: Method, values: Sequence[Any]) -> Any:
    if method is Method.COUNT:
        return len(values)
    if method is Method.DISTINCT:
        return len({msgspec.json.encode(value, order="deterministic") for value in values})
    if method in {Method.MIN, Method.MAX}:
        texts = [value for value in values if isinstance(value, str)]
        if texts:
            return min(texts) if method is Method.MIN else max(texts)
    counted = [number for number in map(_number, values) if number is not None]
    if not counted:
        return None
    return _ON_NUMBERS[method](np.asarray(counted), np.zeros(1, np.int64)).tolist()[0]


def _number(value: Any) -> float | None:
    """Return what a value counts for."""
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return None
    return float(len(value)) if isinstance(value, list) else None
