"""status, logs and versions: what is printed, without an agent too. With one: console/."""

import json

from citytwin_edge import VERSION
from citytwin_edge.cli import looking, main
from tests.edge.cli.cli_scenes import written
from tests.edge.console.doctor.test_running import NOW, S

DEVICE = {
    "device": "d", "adapter": "modbus", "state": "failing", "since_ns": NOW - 300 * S, "polls": 10,
    "answered_ns": 0, "success": 0.755, "missed": 3, "failures": {}, "latency_p50_ms": 12.34,
    "latency_p99_ms": None, "points": 3, "good": 2, "uncertain": 0, "bad": 1, "samples": 9,
    "error": "no answer",
}  # fmt: skip


def test_a_device_as_a_row():
    assert looking.device_row(DEVICE, NOW) == {
        "device": "d", "state": "failing", "since": "5 min", "answered %": "75.5", "ms p50": "12.3",
        "p99": "", "missed": 3, "points": "2 good, 1 bad", "last error": "no answer",
    }  # fmt: skip
    assert looking.device_row({**DEVICE, "since_ns": 0}, NOW)["since"] == ""


def test_without_an_agent_there_is_no_status(tmp_path, capsys):
    for command in (["status"], ["status", "--json"]):
        assert main([*command, "--config", written(tmp_path)]) == 3
        said = capsys.readouterr()
        assert said.out == ""
        assert f"no agent runs with {tmp_path / 'state'}; start it" in said.err


def test_a_configuration_that_is_wrong_is_no_obstacle_to_asking(tmp_path, capsys):
    path = tmp_path / "edge.toml"
    path.write_text('[gateway]\nname = 7\nstate = "elsewhere"\n[[device]]\nname = "x"\n')
    assert main(["status", "--config", str(path)]) == 3
    assert f"{tmp_path}/elsewhere" in capsys.readouterr().err
    path.write_text("what?")
    assert main(["status", "--config", str(path)]) == 1


def test_logs_without_an_agent_are_systemds(tmp_path, capfd, monkeypatch):
    journal = tmp_path / "journalctl"
    journal.write_text('#!/bin/sh\necho "$@"\n')
    journal.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    arguments = ["logs", "-n", "7", "--device", "d", "--config", written(tmp_path)]
    assert main(arguments) == 0
    assert capfd.readouterr().out == (
        "--unit citytwin-edge --output cat --no-pager --lines 7 --grep d\n"
    )
    monkeypatch.setattr(looking.shutil, "which", lambda _name: None)
    assert main(arguments) == 3


def test_a_line_of_the_log_as_people_read_it():
    line = {
        "timestamp": "2026-01-01T12:00:00.123Z", "level": "warning", "event": "device failed",
        "device": "d", "reason": "silent",
    }  # fmt: skip
    assert looking._text(line) == (
        "2026-01-01 12:00:00 warning  device failed  device=d reason=silent"
    )
    assert looking._text({"event": "x", "exception": "Trace\n  back"}).endswith("\nTrace\n  back")


def test_versions(capsys):
    assert main(["versions"]) == 0
    assert VERSION in capsys.readouterr().out
    assert main(["versions", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["citytwin-edge"] == VERSION
