"""Scoring: a history of one point through the kernels that the gateway runs, row by row."""

from __future__ import annotations

import csv
import datetime
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from citytwin.batch import SECOND_NS, Batch, Float64, Int64
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin_edge.gateway import GatewayPoint
from citytwin_edge.kernels import AddedKernel, PointRules, build
from citytwin_edge.kernels.anomaly.chain import NAMES
from citytwin_edge.kernels.anomaly.exchange import named
from citytwin_edge.kernels.anomaly.kernel import SUFFIX
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from citytwin_edge.pipeline import Pipeline

ROWS_MAX: Final = 5_000_000
TICK_ROWS: Final = 1000
COLUMNS: Final = ("timestamp", "value")
SCORED: Final = (*COLUMNS, "score", "alarm", "kernel", "expected")
_EPOCH_DIGITS: Final = 9


class History(NamedTuple):
    """A file's rows, in its order.

    Attributes:
        stamps: as they are written.
        time_ns: UTC, shape (n,).
        value: shape (n,), NaN where there is none.
    """

    stamps: list[str]
    time_ns: Int64
    value: Float64


class Scored(NamedTuple):
    """What the gateway says of each row; NaN and "" where it took no look.

    Attributes:
        score: shape (n,).
        alarm: shape (n,): 1 where an alarm is raised, -1 where it returns.
        kernel: name of the one that leads.
        expected: shape (n,).
    """

    score: Float64
    alarm: Float64
    kernel: list[str]
    expected: Float64


def read(path: Path, zone: str) -> History:
    """Return the rows of a CSV with the columns timestamp and value.

    A timestamp is ISO 8601 or seconds since 1970; without an offset it is in ``zone``. An empty
    value, or nan, is a reading that failed.

    Raises:
        ConfigError: something is wrong with a row; the text names file and line.
    """
    stamps: list[str] = []
    times: list[int] = []
    values: list[float] = []
    local = ZoneInfo(zone)
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.reader(lines)
            head = [name.strip().lower() for name in next(rows, [])]
            if any(name not in head for name in COLUMNS):
                raise ConfigError(f"{path}:1: the first line must name timestamp and value")
            at, of = (head.index(name) for name in COLUMNS)
            for row in rows:
                where = f"{path}:{rows.line_num}"
                if not row:
                    continue
                if len(row) <= max(at, of):
                    raise ConfigError(
                        f"{where}: has {len(row)} columns, the first line {len(head)}"
                    )
                if len(stamps) >= ROWS_MAX:
                    raise ConfigError(f"{where}: there are at most {ROWS_MAX} rows")
                times.append(_time_ns(row[at].strip(), local, where))
                values.append(_value(row[of].strip(), where))
                stamps.append(row[at])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: is no CSV in UTF-8: {error}") from None
    if not stamps:
        raise ConfigError(f"{path}: has no rows")
    return History(stamps, np.array(times, np.int64), np.array(values))


def _time_ns(text: str, local: ZoneInfo, where: str) -> int:
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else None
        if seconds is None or len(text.partition(".")[0]) < _EPOCH_DIGITS:
            moment = datetime.datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=local)
            seconds = moment.timestamp()
    except ValueError:
        raise ConfigError(
            f'{where}: timestamp "{text}" is neither ISO 8601 nor seconds since 1970'
        ) from None
    return round(seconds * 1e6) * 1000


def _value(text: str, where: str) -> float:
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f'{where}: value "{text}" is no number') from None
    if math.isinf(value):
        raise ConfigError(f"{where}: an infinite value is not a measurement")
    return value


def watched(
    points: Sequence[GatewayPoint], kernels: Sequence[AddedKernel] = ()
) -> dict[str, tuple[Point, PointRules]]:
    """Return the points that are watched, with what is done with them, by device/point.

    A ``[[kernel]]`` of kind anomaly watches what other kernels give, which has no rules of its own,
    or points of devices, whose rules stand before it.
    """
    found = {named(one.point): (one.point, one.rules) for one in points if one.rules.anomaly}
    rules = {named(one.point): one.rules for one in points}
    for kernel in kernels:
        settings = kernel.settings
        if not isinstance(settings, AnomalySettings):
            continue
        for one in kernel.inputs:
            if named(one) != settings.exchange:
                own = rules.get(named(one), PointRules())
                found.setdefault(named(one), (one, msgspec.structs.replace(own, anomaly=settings)))
    return found


def chosen(
    points: Sequence[GatewayPoint], name: str, kernels: Sequence[AddedKernel] = ()
) -> tuple[Point, PointRules]:
    """Return the point to score and its rules: the named one, else the only one that is watched.

    Raises:
        ConfigError: there is none, or there are several.
    """
    known = watched(points, kernels)
    if name:
        if name not in known:
            raise ConfigError(f"{name} has no anomaly = {{ … }}; {_those(list(known))}")
        return known[name]
    if len(known) != 1:
        raise ConfigError(f"say which with --point; {_those(list(known))}")
    return next(iter(known.values()))


def _those(watched: Sequence[str]) -> str:
    return f"these have: {', '.join(watched)}" if watched else "no point has it"


def absent_meter(point: Point, rules: PointRules) -> str:
    """Return the device/point by which an exchange would be seen, if it is not the point itself."""
    meter = rules.anomaly.exchange if rules.anomaly is not None else ""
    return "" if meter == named(point) else meter


def score(history: History, point: Point, rules: PointRules) -> Scored:
    """Run a history through the point's kernels, thinning left out, as the agent would.

    A history is of one point, so what another one would say of an exchange is not known.
    """
    settings = msgspec.structs.replace(rules.anomaly or AnomalySettings(), trace=True)
    if absent_meter(point, rules):
        settings = msgspec.structs.replace(settings, exchange="")
    rules = msgspec.structs.replace(
        rules, anomaly=settings, deadband=None, swinging_door=None, counter=None
    )
    kernels = build([(point, rules)])
    points = [point, *(made for kernel in kernels.values() for made in kernel.outputs)]
    pipeline = Pipeline(kernels, points, np.arange(len(points), dtype=np.int32))
    places = {made.id.removeprefix(point.id + SUFFIX): n for n, made in enumerate(points)}
    count = len(history.stamps)
    told = {name: np.full(count, np.nan) for name in ("-score", "", "-kernel", "-expected")}
    for rows in _ticks(history.time_ns):
        quality = np.where(np.isnan(history.value[rows]), Quality.BAD_NOT_A_NUMBER, 0)
        pipeline.take(Batch.of(np.zeros(rows.stop - rows.start), history.time_ns[rows],
                               history.value[rows], quality))  # fmt: skip
        parcel = pipeline.tick()
        made = Batch.concat([parcel.telemetry, parcel.alarms])
        for name, column in told.items():
            mine = made.select(made.point == places[name])
            at = np.searchsorted(history.time_ns[rows], mine.time_ns)
            column[rows.start + at] = mine.value
    alarm = np.select([told[""] > 0, told[""] == 0], [1.0, -1.0], 0.0)
    names = ["" if math.isnan(one) else NAMES[int(one)] for one in told["-kernel"].tolist()]
    return Scored(told["-score"], alarm, names, told["-expected"])


def _ticks(time_ns: Int64) -> Iterator[slice]:
    """Yield the rows of each tick: many where time goes on, else one, so results have their row."""
    most = TICK_ROWS if bool((np.diff(time_ns) > 0).all()) else 1
    for start in range(0, len(time_ns), most):
        yield slice(start, min(start + most, len(time_ns)))


def write(path: Path, history: History, scored: Scored) -> None:
    """Write a CSV with the columns SCORED; ``alarm`` is 1 where one is raised, else 0."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines, lineterminator="\n")
        rows.writerow(SCORED)
        columns = (history.value, scored.score, scored.alarm, scored.expected)
        numbers = zip(*(column.tolist() for column in columns), strict=True)
        for stamp, kernel, (value, one, alarm, expected) in zip(
            history.stamps, scored.kernel, numbers, strict=True
        ):
            rows.writerow([stamp, _text(value, 17), _text(one, 6), int(alarm > 0), kernel,
                           _text(expected, 10)])  # fmt: skip


def _text(number: float, digits: int) -> str:
    return "" if math.isnan(number) else f"{number:.{digits}g}"


def months(history: History) -> float:
    """Return how many months of 30.4 days a history spans."""
    return float(history.time_ns.max() - history.time_ns.min()) / SECOND_NS / 86_400 / 30.4
