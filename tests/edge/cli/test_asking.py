"""Questions at a terminal: asked again until the answer can be."""

import io

import pytest

from citytwin.errors import CityTwinError
from citytwin_edge.cli import asking


def typed(monkeypatch, *lines):
    """Let somebody type these lines, and then no more."""
    terminal = io.StringIO("".join(f"{line}\n" for line in lines))
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)


def test_it_asks_again_until_the_answer_is_of_the_fields_type(monkeypatch, capsys):
    typed(monkeypatch, "", "three", "3")
    assert asking.field("unit", int, "", "unit id") == 3
    said = capsys.readouterr().out
    assert said.count("unit: ") == 4, "its meaning, and three questions"
    assert "that cannot be: it must be there" in said
    assert "that cannot be: expected int, got str" in said


def test_enter_takes_the_usual_answer_or_leaves_it_out(monkeypatch):
    typed(monkeypatch, "", "")
    assert asking.field("baud", int, "2400", "") == 2400
    assert asking.field("topic_name", str, "", "", optional=True) is None


def test_an_end_of_the_input_changes_nothing(monkeypatch):
    typed(monkeypatch)
    with pytest.raises(CityTwinError, match="no answer to: unit; nothing was changed"):
        asking.answer("unit")


@pytest.mark.parametrize(("said", "is_yes"), [("Да", True), ("иә", True), ("y", True), ("", False)])
def test_a_yes_in_three_languages(monkeypatch, said, is_yes):
    typed(monkeypatch, said)
    assert asking.agreed("set it") is is_yes


def test_nobody_agrees_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert not asking.agreed("set it")
