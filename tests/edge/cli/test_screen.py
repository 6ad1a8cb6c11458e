"""The screen: what fits of a table, and keys that move it."""

import os

import pytest

from citytwin_edge.cli import screen as module
from citytwin_edge.cli.screen import Screen

TABLE = ["head", *(f"row {number}" for number in range(20))]


@pytest.fixture
def drawn(monkeypatch, capsys):
    """Draw on a screen of six lines; return the lines."""
    monkeypatch.setenv("LINES", "6")

    def draw(screen, table=TABLE):
        screen.draw("points", table)
        text = capsys.readouterr().out
        for code in ("\x1b[?7l", "\x1b[?7h", "\x1b[H", "\x1b[K", "\x1b[J"):
            text = text.replace(code, "")
        return text.split("\r\n")

    return draw


async def test_the_first_line_stays_and_the_rest_moves(drawn, monkeypatch):
    screen, keys = (
        Screen(),
        iter([b"\x1b[B", b" ", b"b", b"k", b"\x1b[6~", b"\x1b[6~" * 1, b"\x1b[A"]),
    )
    monkeypatch.setattr(os, "read", lambda _fd, _size: next(keys))
    monkeypatch.setattr(module.sys.stdin, "fileno", lambda: 0, raising=False)
    assert drawn(screen) == [
        "points, 1 to 4: arrows and space - q ends", "head", "row 0", "row 1", "row 2", "row 3",
    ]  # fmt: skip
    firsts = []
    for _ in range(7):
        screen._typed()
        lines = drawn(screen)
        assert lines[1] == "head"
        assert len(lines) == 6
        firsts.append(int(lines[2].split()[1]))
    assert firsts == [1, 5, 1, 0, 4, 8, 7]


async def test_a_table_that_fits_is_shown_whole(drawn):
    assert drawn(Screen(), ["head", "row"]) == ["points - q ends", "head", "row"]


async def test_beyond_the_end_there_is_nothing(drawn):
    screen = Screen()
    screen._first = 99
    assert drawn(screen)[-1] == "row 19"
    screen._first = -99
    assert drawn(screen)[2] == "row 0"


async def test_q_leaves_and_other_keys_do_not(monkeypatch):
    screen, keys = Screen(), iter([b"x", b"q"])
    monkeypatch.setattr(os, "read", lambda _fd, _size: next(keys))
    monkeypatch.setattr(module.sys.stdin, "fileno", lambda: 0, raising=False)
    screen._typed()
    assert not screen.is_left
    screen._typed()
    assert screen.is_left
    await screen.moved(0)
