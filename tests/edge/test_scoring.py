"""Scoring: what the live pipeline says sample by sample, and every bad row named with its line."""

from __future__ import annotations

import csv
import datetime

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Point
from citytwin.errors import ConfigError
from citytwin_edge.gateway import GatewayPoint
from citytwin_edge.kernels import PointRules, build
from citytwin_edge.kernels.anomaly.chain import NAMES
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from citytwin_edge.pipeline import Pipeline
from citytwin_edge.scoring import SCORED, chosen, months, read, score, write
from tests.edge.kernels.anomaly.days import BEGIN, STEP_S, days

POINT = Point(id="g/d/flow", unit="m3/h")
WATCHED = AnomalySettings(budget=2.0, time_zone="UTC", holidays="none")
RULES = PointRules(anomaly=WATCHED)


def stamp(second: float) -> str:
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture
def file(tmp_path):
    """A fortnight with an event, a failed reading, and a row that comes twice."""
    values = days(14)
    values[2600:2640] += 12
    rows = [(stamp(BEGIN + n * STEP_S), f"{value!r}") for n, value in enumerate(values.tolist())]
    rows[100] = (rows[100][0], "")
    rows.insert(200, rows[199])
    path = tmp_path / "flow.csv"
    path.write_text("timestamp,value\n" + "".join(f"{a},{b}\n" for a, b in rows))
    return path


def live(history, budget):
    """Return rows of (score, alarm, kernel, expected) that a pipeline gives, sample by sample.

    ``trace`` is on, as an operator has it who wants to see more than alarms.
    """
    traced = msgspec.structs.replace(WATCHED, budget=budget, trace=True)
    kernels = build([(POINT, PointRules(anomaly=traced))])
    points = [POINT, *(made for kernel in kernels.values() for made in kernel.outputs)]
    pipeline = Pipeline(kernels, points, np.arange(len(points), dtype=np.int32))
    ids = [f"{POINT.id}.anomaly{name}" for name in ("-score", "", "-kernel", "-expected")]
    places = {point.id: number for number, point in enumerate(points)}
    rows = []
    for time_ns, value in zip(history.time_ns.tolist(), history.value.tolist(), strict=True):
        pipeline.take(Batch.of([0], time_ns, [value], 0x84 if np.isnan(value) else 0))
        made = Batch.concat(pipeline.tick())
        told = [made.value[made.point == places[one]].tolist() for one in ids]
        rows.append([one[0] if one else np.nan for one in told])
    return np.array(rows)


def test_it_is_what_the_live_pipeline_gives(file, tmp_path):
    history = read(file, "UTC")
    scored = score(history, POINT, RULES)
    write(tmp_path / "out.csv", history, scored)
    with (tmp_path / "out.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == list(SCORED)
    assert [row["timestamp"] for row in rows] == history.stamps
    one, alarm, kernel, expected = live(history, 2.0).T
    assert np.array_equal(scored.score, one, equal_nan=True)
    assert np.array_equal(scored.expected, expected, equal_nan=True)
    assert scored.kernel == ["" if np.isnan(k) else NAMES[int(k)] for k in kernel.tolist()]
    assert scored.alarm.tolist() == np.select([alarm > 0, alarm == 0], [1.0, -1.0], 0.0).tolist()
    raised = [row for row in rows if row["alarm"] == "1"]
    assert [row["timestamp"] for row in raised] == [
        stamp(at // 10**9) for at in history.time_ns[alarm > 0].tolist()
    ]
    assert any(stamp(BEGIN + 2600 * STEP_S) <= row["timestamp"] for row in raised)
    assert all(row["kernel"] and float(row["expected"]) for row in raised)
    assert rows[100]["score"] == rows[100]["value"] == "", "no reading, no look"
    assert rows[199]["score"]
    assert not rows[200]["score"], "a repeat is no look"


def test_ticks_of_many_rows_change_nothing(file):
    history = read(file, "UTC")
    once = history._replace(stamps=history.stamps[:200], time_ns=history.time_ns[:200],
                            value=history.value[:200])  # fmt: skip
    twice = once._replace(stamps=[*once.stamps, once.stamps[-1]],
                          time_ns=np.append(once.time_ns, once.time_ns[-1]),
                          value=np.append(once.value, once.value[-1]))  # fmt: skip
    many, single = score(once, POINT, RULES), score(twice, POINT, RULES)
    assert np.array_equal(many.score, single.score[:-1], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,value\n1,2\n", ":1: the first line must name timestamp and value"),
        ("timestamp,value\n", "has no rows"),
        ("timestamp,value\n2026-01-01,1\n2026-13-01,2\n", r':3: timestamp "2026-13-01" is neither'),
        ("timestamp,value\n2026-01-01,1\n2026-01-02,x\n", ':3: value "x" is no number'),
        ("timestamp,value\n2026-01-01,inf\n", ":2: an infinite value"),
        ("timestamp,value\n2026-01-01\n", ":2: has 1 columns, the first line 2"),
        (b"timestamp,value\n\xff\n", "is no CSV in UTF-8"),
    ],
)
def test_bad_rows_are_named_with_file_and_line(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=said):
        read(path, "UTC")


@pytest.mark.parametrize(
    "text",
    ["2026-01-01 05:00:00", "2026-01-01T00:00:00Z", "2026-01-01T05:00:00+05:00", "1767225600"],
)
def test_timestamps_are_local_unless_they_say_otherwise(tmp_path, text):
    path = tmp_path / "one.csv"
    path.write_text(f"\ufeffvalue,timestamp\n1.5,{text}\n")
    history = read(path, "Asia/Almaty")
    assert (history.time_ns[0], history.value[0]) == (BEGIN * 10**9, 1.5)
    assert months(history) == 0


def one(name: str, *, watched: bool) -> GatewayPoint:
    rules = PointRules(anomaly=WATCHED if watched else None)
    return GatewayPoint(Point(id=f"g/{name}"), 1.0, 0.0, rules, None)


def test_the_only_point_that_is_watched_needs_no_name():
    points = [one("d/a", watched=True), one("d/b", watched=False)]
    assert chosen(points, "")[0].id == "g/d/a"
    for some, name, said in (
        (points, "d/b", "d/b has no anomaly"),
        (points[1:], "", "no point has it"),
        ([*points, one("d/c", watched=True)], "", "these have: d/a, d/c"),
    ):
        with pytest.raises(ConfigError, match=said):
            chosen(some, name)
