"""The last lines of the log: bounded, by device, plain values."""

from pathlib import Path

from citytwin_edge.console.lastlines import CHARS_MAX, LastLines, is_about


def test_the_newest_stay_and_the_limit_holds():
    logs = LastLines(3)
    for number in range(5):
        logs.keep({"event": "e", "number": number})
    assert [line["number"] for line in logs.lines()] == [2, 3, 4]
    assert [line["number"] for line in logs.lines(lines_max=2)] == [3, 4]
    assert logs.lines(lines_max=0) == []


def test_lines_of_one_device():
    logs = LastLines()
    logs.keep({"event": "device failed", "device": "d1"})
    logs.keep({"event": "agent.part_failed", "part": "d2"})
    logs.keep({"event": "agent.started", "devices": 2})
    assert [line["event"] for line in logs.lines("d1")] == ["device failed"]
    assert [line["event"] for line in logs.lines("d2")] == ["agent.part_failed"]
    assert len(logs.lines()) == 3
    assert not is_about({"event": "d10"}, "d1")


def test_fields_become_plain_and_are_cut():
    logs, seen = LastLines(), []
    logs.watchers.append(seen.append)
    logs.keep({"event": "e", "path": Path("/a"), "ok": True, "none": None, "long": "x" * 9999})
    (line,) = logs.lines()
    assert seen == [line]
    assert (line["path"], line["ok"], line["none"]) == ("/a", True, None)
    assert line["long"] == "x" * CHARS_MAX + "…"
