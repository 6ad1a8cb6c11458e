"""Moments: every one that can be written is read back, and what is none is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_hub.entities.moments import date_ns, format_ns, parse_ns, time_ns

YEAR_1, YEAR_9999 = -62_135_596_800_000_000_000, 253_402_300_799_999_999_999


@given(st.integers(YEAR_1, YEAR_9999))
def test_what_is_written_is_read_back(moment_ns: int) -> None:
    assert parse_ns(format_ns(moment_ns)) == moment_ns


def test_a_moment_has_as_many_digits_as_it_needs() -> None:
    assert format_ns(0) == "1970-01-01T00:00:00Z"
    assert format_ns(1_500_000_000) == "1970-01-01T00:00:01.5Z"
    assert format_ns(1) == "1970-01-01T00:00:00.000000001Z"


def test_offsets_and_long_fractions_are_read() -> None:
    assert parse_ns("1970-01-01T05:00:00+05:00") == 0
    assert parse_ns("1969-12-31T23:30:00,25-00:30") == 250_000_000
    assert parse_ns("1970-01-01T00:00:00.1234567891Z") == 123_456_789
    assert parse_ns("1970-01-01T24:00:00Z") == 86_400_000_000_000


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-26", "2026-11-26T10:00:00", "2026-02-30T00:00:00Z", "2026-01-01T24:01:00Z", "٢"],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|day|month"):
        parse_ns(text)


def test_dates_and_times_of_day_are_comparable() -> None:
    assert date_ns("1970-01-02") == 86_400_000_000_000
    assert time_ns("01:00:00+01:00") == 0
    assert time_ns("00:00:01Z") < time_ns("00:00:01.5Z")
    for wrong in ("1970", "1970-13-01"):
        with pytest.raises(ValueError, match=r"date|month"):
            date_ns(wrong)
    with pytest.raises(ValueError, match="time of day"):
        time_ns("noon")
