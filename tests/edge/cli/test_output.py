"""What commands print: a table or JSON."""

import os
import pty

from citytwin_edge.cli import output


def test_probe_cuts_long_bytes_in_its_table_only(capsys):
    long = "".join(f"{n:02x} " for n in range(40)).strip()
    row = {"device": "d", "raw": long, "note": "x" * 80}
    output.show([row], as_json=False)
    said = capsys.readouterr().out
    assert "0d 0e 0f…  " in said
    assert row["note"] in said, "what people can read is not cut"
    output.show([row], as_json=True)
    assert long in capsys.readouterr().out


def test_a_table_fits_its_terminal_and_loses_no_word():
    why = "not asked: /dev/ttyUSB7 is not reachable: No such file or directory"
    row = {"point": "current-l1", "raw": "7b 22 " * 15, "quality": "bad: silent", "note": why}
    lines = output.table([row, {**row, "note": "short"}], chars_max=80)
    assert max(map(len, lines)) <= 80
    assert lines[1].count("…") == 1, "bytes are cut"
    column = lines[0].index("note")
    assert " ".join(line[column:] for line in lines[1:-1]) == why
    assert lines[2].startswith(" " * column)
    assert lines[-1].endswith("  short")
    assert len(output.table([row])) == 2, "where nobody says how wide it is, a row is a line"


def on_terminal(monkeypatch, rows):
    """Return what a terminal is sent."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as screen:
        monkeypatch.setattr("sys.stdout", screen)
        output.show(rows, as_json=False)
        screen.flush()
        monkeypatch.undo()
        said = ""
        while said.count("\n") < len(rows) + 1:
            said += os.read(master, 4096).decode()
    os.close(master)
    return said


def test_a_terminal_sees_colours_and_a_pipe_does_not(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows = [{"point": "flow", "quality": "good"}, {"point": "bad", "quality": "bad: silent"}]
    said = on_terminal(monkeypatch, rows)
    assert "\x1b[32mgood" in said
    assert "\x1b[1;31mbad: silent\x1b[0m" in said
    assert "bad  " in said.splitlines()[2], "a point's name has no colour"
    output.show(rows, as_json=False)
    assert "\x1b" not in capsys.readouterr().out


def test_who_wants_no_colour_has_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in on_terminal(monkeypatch, [{"quality": "good"}])
