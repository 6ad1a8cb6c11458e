"""``citytwin-edge fit``: from a history to a table, and what it refuses."""

import json
import tomllib

from citytwin_edge.cli import main
from tests.common.plants import NAMES, START_NS, plant

START_S = START_NS // 10**9


def history(tmp_path, days=30):
    path = tmp_path / "history.csv"
    rows = [
        f"g/{name},{START_S + 3600 * hour},{value:.6f}"
        for hour, values in enumerate(plant(days))
        for name, value in zip(NAMES, values, strict=True)
    ]
    path.write_text("\n".join(("point,time,value", *rows)))
    return path


def test_a_history_becomes_a_kernel(tmp_path, capsys):
    path = history(tmp_path)
    assert main(["fit", str(path), "--without", "*/spare/*", "--name", "station"]) == 0
    printed = capsys.readouterr().out
    (table,) = tomllib.loads(printed)["kernel"]
    assert table["name"] == "station"
    assert table["inputs"] == sorted(NAMES[:-1])
    assert "of 3600 s" in printed
    out = tmp_path / "kernel.toml"
    assert main(["fit", str(path), "--step", "7200", "--output", str(out)]) == 0
    assert "of 7200 s" in out.read_text()
    assert main(["fit", str(path), "--output", str(out)]) == 1
    assert "is there already" in capsys.readouterr().err


def test_scripts_get_json(tmp_path, capsys):
    assert main(["fit", str(history(tmp_path)), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kernel"], said["steps"], said["still"]) == (
        "multivariate", 719, ["spare/status"],
    )  # fmt: skip
    assert said["alarms"][f"{said['threshold']:g}"] <= 4
    assert said["model"].startswith("plant1:")


def test_mistakes_are_said(tmp_path, capsys):
    for arguments, words in (
        (["--step", "0"], "--step is at least 1 second, not 0"),
        (["--name", "a/b"], "--name"),
        (["--without", "*"], "no good sample of any point"),
    ):
        assert main(["fit", str(history(tmp_path, 4)), *arguments]) == 1
        assert words in capsys.readouterr().err
    assert main(["fit", str(history(tmp_path, 4))]) == 1
    assert "take a longer history" in capsys.readouterr().err
