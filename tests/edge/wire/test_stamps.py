"""Stamps: every way in which devices write a moment, and what is refused."""

import pytest

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.stamps import Stamp, since_1970

SECOND = 10**9
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z


@pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
def test_seconds_since_1970_and_their_parts(unit):
    assert since_1970(1_767_268_800 * unit) == NOON


@pytest.mark.parametrize("seen", [1e99, -1e30])
def test_moments_that_no_sample_can_have(seen):
    with pytest.raises(DeviceMalformed, match="centuries away"):
        since_1970(seen)


@pytest.mark.parametrize(
    "text", ["9999-12-31 23:59", "0001-01-01 00:00", "1600-01-01 00:00", "2300-01-01 00:00"]
)
def test_dates_that_no_sample_can_have(text):
    for hours in (-14, 14):
        with pytest.raises(DeviceMalformed, match="centuries away"):
            Stamp("%Y-%m-%d %H:%M", hours).time_ns(text, now_ns=NOON)


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        (Stamp("%d.%m.%Y %H:%M:%S", utc_offset_h=5), "01.01.2026 17:00:00"),
        (Stamp("%y%m%d%H%M%S", 0), "260101120000"),
        (Stamp("%Y-%j %H:%M", 0), "2026-001 12:00"),
        (Stamp("%Y-%m-%dT%H:%M:%S%z", utc_offset_h=9), "2026-01-01T17:00:00+0500"),
        (Stamp("%Y-%m-%d %H:%M:%S %z"), "2026-01-01 17:00:00 +0500"),
        (Stamp(), " 1767268800 "),
        (Stamp(), "1767268800000"),
        (Stamp(), "1.7672688e+18"),
        (Stamp(), "2026-01-01T12:00:00Z"),
        (Stamp(utc_offset_h=5), "2026-01-01 17:00:00"),
        (Stamp(utc_offset_h=9), "2026-01-01T17:00:00+05:00"),
        (Stamp("%H%M%S", 0), "120000"),
        (Stamp("%H:%M:%S", utc_offset_h=5), "17:00:00"),
        (Stamp("%H:%M:%S", utc_offset_h=-5.5), "06:30:00"),
    ],
)
def test_formats(stamp, text):
    assert stamp.time_ns(text, now_ns=NOON + 5 * SECOND) == NOON


def test_fractions():
    assert Stamp("%H%M%S.%f", 0).time_ns("120000.25", now_ns=NOON) == NOON + SECOND // 4


def test_a_fraction_that_may_be_and_is_not():
    stamp = Stamp("%H%M%S.%f %d%m%y", utc_offset_h=0)
    whole = stamp.time_ns("123519 230394")
    assert stamp.time_ns("123519.25 230394") == whole + 250_000_000
    with pytest.raises(DeviceMalformed):
        Stamp("%H%M%S", utc_offset_h=0).time_ns("123519.25")


@pytest.mark.parametrize("now_h", range(-11, 12))
def test_a_time_of_day_is_of_the_nearest_day(now_h):
    hour = 3600 * SECOND
    midnight = NOON + 12 * hour
    for second, text in ((-2, "23:59:58"), (0, "00:00:00"), (2, "00:00:02")):
        said = Stamp("%H:%M:%S", 0).time_ns(text, now_ns=midnight + now_h * hour)
        assert said == midnight + second * SECOND


@pytest.mark.parametrize("text", ["", "25:00:00", "12:00", "noon", "12:00:00 PM"])
def test_what_is_no_time(text):
    with pytest.raises(DeviceMalformed, match="is not a time like"):
        Stamp("%H:%M:%S", 0).time_ns(text, now_ns=NOON)


@pytest.mark.parametrize("text", ["", "x", "inf", "1e400", "nan", "-5", "1_000", "9" * 5000])
def test_what_is_neither_a_date_nor_a_number_of_seconds(text):
    with pytest.raises(DeviceMalformed, match="is not a time like ISO 8601, nor seconds"):
        Stamp(utc_offset_h=0).time_ns(text, now_ns=NOON)


def test_a_time_without_an_offset_is_no_moment():
    with pytest.raises(DeviceMalformed, match="utc_offset_h can say which is meant"):
        Stamp().time_ns("2026-01-01 12:00:00")
    with pytest.raises(ValueError, match="names no offset: utc_offset_h must say"):
        Stamp("%Y-%m-%d %H:%M:%S")
    with pytest.raises(ValueError, match="within ±14"):
        Stamp(utc_offset_h=15)


def test_whole_numbers_keep_every_nanosecond():
    assert Stamp().time_ns(str(NOON + 1)) == NOON + 1


def test_which_formats_have_a_date():
    formats = ("auto", "%H:%M:%S", "%d.%m.%Y %H:%M")
    assert [Stamp(one, 0).has_date for one in formats] == [True, False, True]


@pytest.mark.parametrize("text", ["%Y-%m-%d", "%d.%m. %H:%M", "%Y %H:%M", "noon", "%H %Q", "%H %H"])
def test_formats_that_tell_no_moment(text):
    with pytest.raises(ValueError, match="format"):
        Stamp(text, 0)
