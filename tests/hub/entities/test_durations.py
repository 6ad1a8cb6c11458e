"""ISO 8601 durations and the periods they make."""

import datetime

import pytest

from citytwin_hub.entities.durations import Duration, parse
from citytwin_hub.entities.errors import BadRequestData

SECOND = 10**9
DAY = 86_400 * SECOND


def ns(text):
    return int(datetime.datetime.fromisoformat(text + "+00:00").timestamp()) * SECOND


@pytest.mark.parametrize(
    ("text", "months", "expected"),
    [
        ("PT1H", 0, 3600 * SECOND),
        ("P1D", 0, DAY),
        ("P2W", 0, 14 * DAY),
        ("P1Y2M", 14, 0),
        ("P1M2DT3H4M5S", 1, 2 * DAY + 11_045 * SECOND),
        ("PT0.25S", 0, SECOND // 4),
        ("PT1,5H", 0, 5400 * SECOND),
        ("PT0S", 0, 0),
        ("P0D", 0, 0),
    ],
)
def test_durations(text, months, expected):
    assert parse(text) == Duration(months, expected)
    assert parse(text).is_whole == (months == expected == 0)


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "1H", "PT1", "P-1D", "bogus", "PT1H1H", "P9999Y", "PT1H ", "P1H"],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(BadRequestData, match="aggrPeriodDuration"):
        parse(text)


def test_months_are_those_of_the_calendar():
    month = parse("P1M")
    assert month.starts(ns("2026-01-31T06:00:00"), 4) == [
        ns("2026-01-31T06:00:00"),
        ns("2026-02-28T06:00:00"),
        ns("2026-03-31T06:00:00"),
        ns("2026-04-30T06:00:00"),
    ]
    assert parse("P1Y").start(ns("2024-02-29T00:00:00"), 1) == ns("2025-02-28T00:00:00")
    assert month.start(ns("2026-12-15T00:00:00"), 1) == ns("2027-01-15T00:00:00")
    with pytest.raises(BadRequestData, match="calendar"):
        month.start(0, 12 * 9000)
