"""score and tune, as a technician types them."""

from __future__ import annotations

import json

import pytest

from citytwin_edge.cli import main
from tests.edge.kernels.anomaly.days import BEGIN, STEP_S, days

CONFIG = """
[gateway]
name = "g"
[anomaly]
time_zone = "UTC"
[[device]]
name = "d"
adapter = "modbus"
host = "127.0.0.1"
[[device.point]]
name = "flow"
unit = "m3/h"
table = "holding"
address = 0
anomaly = { budget = 4 }
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge.toml").write_text(CONFIG)
    rows = [f"{BEGIN + n * STEP_S},{value}\n" for n, value in enumerate(days(3).tolist())]
    (tmp_path / "flow.csv").write_text("timestamp,value\n" + "".join(rows))
    return tmp_path


def test_score_writes_a_row_for_each_row(files, capsys):
    assert main(["score", "flow.csv", "--output", "out.csv"]) == 0
    assert "864 rows, 0 alarms" in capsys.readouterr().err
    lines = (files / "out.csv").read_text().splitlines()
    assert lines[0] == "timestamp,value,score,alarm,kernel,expected"
    assert len(lines) == 865


def test_score_works_without_a_configuration(files, capsys):
    (files / "edge.toml").unlink()
    assert main(["score", "flow.csv", "--output", "out.csv"]) == 0


def test_a_bad_row_is_named(files, capsys):
    with (files / "flow.csv").open("a") as file:
        file.write("1767312000,high\n")
    assert main(["score", "flow.csv", "--output", "out.csv"]) != 0
    assert 'flow.csv:866: value "high" is no number' in capsys.readouterr().err
    assert not (files / "out.csv").exists()


def test_a_point_that_is_not_there_is_named(files, capsys):
    assert main(["score", "flow.csv", "--output", "o.csv", "--point", "d/level"]) != 0
    assert "d/level has no anomaly" in capsys.readouterr().err
    assert main(["tune", "flow.csv", "--point", "d/level"]) != 0
    assert "d/level is no point of this gateway" in capsys.readouterr().err


def test_tune_suggests_with_evidence(files, capsys):
    assert main(["tune", "flow.csv"]) == 0
    said = capsys.readouterr().out
    for part in (
        "normal = [",
        "valid = [",
        "rate_per_s_max = ",
        "# anomaly = { budget = 4 }: ",
        "take with care",
    ):
        assert part in said


def test_both_speak_to_scripts(files, capsys):
    assert main(["score", "flow.csv", "--output", "out.csv", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"rows": 864, "alarms": 0, "months": 0.0986, "output": "out.csv", "notes": []}
    assert main(["tune", "flow.csv", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["budget"] for one in said["budgets"]] == [0.5, 1.0, 2.0, 4.0]
    assert [one["field"] for one in said["limits"]][:2] == ["normal", "valid"]
    assert said["suggested"]["value"] == "{ budget = 1 }"


SERIAL = """
[[device.point]]
name = "serial"
table = "holding"
address = 8
"""


def test_a_meter_that_is_told_by_its_serial_number_is_scored_and_tuned(files, capsys):
    """The history has one point, the exchange is seen by another one."""
    exchange = CONFIG.replace("budget = 4", 'budget = 4, exchange = "d/serial"')
    (files / "edge.toml").write_text(exchange + SERIAL)
    assert main(["score", "flow.csv", "--output", "out.csv"]) == 0
    said = capsys.readouterr().err
    assert "864 rows, 0 alarms" in said
    assert "take with care: d/serial is not in the history" in said
    assert len((files / "out.csv").read_text().splitlines()) == 865
    assert main(["tune", "flow.csv", "--point", "d/flow"]) == 0
    said = capsys.readouterr().out
    assert "# take with care: d/serial is not in the history" in said
    assert "# anomaly = { budget = 4 }: " in said
    assert main(["score", "flow.csv", "--output", "out.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"][0].startswith("d/serial is not")


KERNEL = """
[[device.point]]
name = "volume"
unit = "m3"
table = "holding"
address = 4
kind = "counter"
counter = { flow_unit = "m3/h", factor = 3600.0, flow_max = 400.0 }
[[kernel]]
name = "watch"
kernel = "anomaly"
inputs = ["d/volume.flow"]
budget = 2.0
"""


def test_what_a_kernel_gives_is_scored_and_tuned_too(files, capsys):
    (files / "edge.toml").write_text(CONFIG + KERNEL)
    words = ["--point", "d/volume.flow"]
    assert main(["score", "flow.csv", "--output", "out.csv", *words]) == 0
    assert "864 rows" in capsys.readouterr().err
    assert main(["tune", "flow.csv", *words]) == 0
    assert (
        "anomaly = { budget = 1 }    # 3.0 days tell nothing of months" in capsys.readouterr().out
    )
    assert main(["score", "flow.csv", "--output", "out.csv"]) != 0
    assert "these have: d/flow, d/volume.flow" in capsys.readouterr().err
