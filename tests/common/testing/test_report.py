"""Levels follow from what was proven, and a report says what is missing for the next."""

from pathlib import Path

import pytest

from citytwin.testing import BrokenPromise, Level, Report, State
from citytwin.testing.report import PROPERTIES


def report_of(level, state=State.PROVEN):
    """All that a level needs, and the levels below it."""
    report = Report()
    for one in PROPERTIES:
        if list(Level).index(one.level) <= list(Level).index(level):
            report.found(one.name, state)
    return report


@pytest.mark.parametrize("level", list(Level))
def test_a_level_is_reached_with_all_of_its_properties(level):
    assert report_of(level).level is level


@pytest.mark.parametrize("one", PROPERTIES, ids=lambda one: one.name)
@pytest.mark.parametrize("state", [State.NOT_ASKED, State.NOT_PROVEN])
def test_each_property_stands_in_the_way(one, state):
    report = report_of(Level.GOLD)
    report.found(one.name, state)
    below = {Level.BRONZE: None, Level.SILVER: Level.BRONZE, Level.GOLD: Level.SILVER}
    assert report.level is below[one.level]


def test_what_does_not_apply_is_in_nobodys_way():
    report = report_of(Level.GOLD)
    report.found("writes", State.NOT_APPLICABLE)
    assert report.level is Level.GOLD
    assert report.badge == "CityTwin adapter check: gold (11 of 12 properties proven)"


def test_what_is_missing_is_said():
    report = report_of(Level.BRONZE)
    text = str(report)
    assert text.startswith("CityTwin adapter check: bronze (6 of 12 properties proven)\n")
    assert "give a bench with silent()" in text
    assert len(text.splitlines()) == 1 + len(PROPERTIES)
    assert Report().badge.startswith("CityTwin adapter check: none")


def test_there_are_no_other_properties():
    with pytest.raises(KeyError):
        Report().found("speed", State.PROVEN)
    with pytest.raises(KeyError):
        BrokenPromise("speed", "too slow")


def test_the_specification_has_each_property_at_its_level():
    spec = Path(__file__).parents[3] / "docs/specs/adapter.md"
    rows = [
        line.split("|")[1:3] for line in spec.read_text().splitlines() if line.startswith("| `")
    ]
    said = {name.strip(" `"): level.strip() for name, level in rows}
    assert said == {one.name: one.level for one in PROPERTIES}
