"""Recordings that are Parquet files: the same samples as of a CSV file, and mistakes in words."""

import datetime
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from citytwin.errors import ConfigError
from citytwin_edge.adapters import replay_parquet
from citytwin_edge.adapters.replay import read
from citytwin_hub import exports

SECOND = 10**9
NAMES = {"flow": 0, "level": 1}
UTC = datetime.UTC
CSV = """\
point,time,value
flow,2026-01-01T00:00:00Z,1.5
level,2026-01-01T00:00:00Z,10
other,2026-01-01T00:00:01Z,99
flow,2026-01-01T00:00:02Z,
"""


def written(folder, time, **columns):
    path = folder / "recording.parquet"
    table = {
        "point": pa.array(["flow", "level", "other", "flow"]).dictionary_encode(),
        "time": time,
        "value": [1.5, 10.0, 99.0, None],
        "further": [1, 2, 3, 4],
    }
    pq.write_table(pa.table(table | columns), path, row_group_size=3)
    return path


def moments(unit, zone=None):
    begin = datetime.datetime(2026, 1, 1, tzinfo=UTC if zone else None)
    return pa.array(
        [begin + datetime.timedelta(seconds=second) for second in (0, 0, 1, 2)],
        pa.timestamp(unit, zone),
    )


@pytest.mark.parametrize(
    "time",
    [
        moments("ms", "UTC"), moments("us", "Asia/Almaty"), moments("s"),
        pa.array([0, 0, 1, 2]), pa.array([0.0, 0.0, 1.0, 2.0]),
        pa.array(["2026-01-01T00:00:00Z"] * 2 + ["2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"]),
    ],
    ids=str,
)  # fmt: skip
def test_it_is_the_same_recording_as_a_csv_file(tmp_path, time):
    (tmp_path / "recording.csv").write_text(CSV)
    of_csv = read(tmp_path / "recording.csv", NAMES)
    of_parquet = read(written(tmp_path, time), NAMES)
    assert of_parquet.round_ns == of_csv.round_ns
    for one, other in zip(of_parquet[:3], of_csv[:3], strict=True):
        assert [str(value) for value in one.tolist()] == [str(value) for value in other.tolist()]


def test_what_a_hub_exports_is_played(tmp_path):
    part = {"row": 7, "time_ms": [1_767_225_600_000, 1_767_225_601_000], "value": [1.0, None],
            "quality": [0, 129]}  # fmt: skip
    path = tmp_path / "export.parquet"
    assert exports._write_parquet(path, [[part]], {7: "g/d/flow"}) == 2
    found = read(path, {"g/d/flow": 0})
    assert found.after_ns.tolist() == [0, SECOND]
    assert found.value.tolist()[0] == 1.0


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"value": ["1", "x", "2", "3"]}, "row 2: time .* or value 'x' is not one"),
        ({"value": [[1]] * 4}, r"row 1: time .* or value \[1\] is not one"),
        ({"point": pa.array(["a"] * 4)}, "has no rows of these points: flow, level"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path, columns, words):
    with pytest.raises(ConfigError, match=words):
        read(written(tmp_path, moments("ms"), **columns), NAMES)


def test_what_is_no_recording_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "recording.parquet"
    with pytest.raises(ConfigError, match=r"cannot be read: .*No such file"):
        read(path, NAMES)
    path.write_text(CSV)
    with pytest.raises(ConfigError, match="is not a Parquet file"):
        read(path, NAMES)
    pq.write_table(pa.table({"point": ["flow"]}), path)
    with pytest.raises(ConfigError, match="has no column time, value"):
        read(path, NAMES)
    monkeypatch.setattr("citytwin_edge.adapters.replay.ROWS_MAX", 3)
    with pytest.raises(ConfigError, match="has over 3 rows"):
        read(written(tmp_path, moments("ms")), NAMES)


def test_a_gateway_without_pyarrow_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install pyarrow, or save the recording as CSV"):
        list(replay_parquet.rows(tmp_path / "x.parquet", ("point", "time", "value"), 1, int))
