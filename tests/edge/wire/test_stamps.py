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
            Stamp("%Y-%m-%d %H:%M", utc_offset_h=hours).time_ns(text, now_ns=NOON)


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        (Stamp("%d.%m.%Y %H:%M:%S", utc_offset_h=5), "01.01.2026 17:00:00"),
        (Stamp("%y%m%d%H%M%S"), "260101120000"),
        (Stamp("%Y-%j %H:%M"), "2026-001 12:00"),
        (Stamp("%Y-%m-%dT%H:%M:%S%z", utc_offset_h=9), "2026-01-01T17:00:00+0500"),
        (Stamp("unix"), " 1767268800 "),
        (Stamp("unix"), "1767268800000"),
        (Stamp("%H%M%S"), "120000"),
        (Stamp("%H:%M:%S", utc_offset_h=5), "17:00:00"),
        (Stamp("%H:%M:%S", utc_offset_h=-5.5), "06:30:00"),
    ],
)
def test_formats(stamp, text):
    assert stamp.time_ns(text, now_ns=NOON + 5 * SECOND) == NOON


def test_fractions():
    assert Stamp("%H%M%S.%f").time_ns("120000.25", now_ns=NOON) == NOON + SECOND // 4


@pytest.mark.parametrize("now_h", range(-11, 12))
def test_a_time_of_day_is_of_the_nearest_day(now_h):
    hour = 3600 * SECOND
    midnight = NOON + 12 * hour
    for second, text in ((-2, "23:59:58"), (0, "00:00:00"), (2, "00:00:02")):
        said = Stamp("%H:%M:%S").time_ns(text, now_ns=midnight + now_h * hour)
        assert said == midnight + second * SECOND


@pytest.mark.parametrize("text", ["", "25:00:00", "12:00", "noon", "12:00:00 PM"])
def test_what_is_no_time(text):
    with pytest.raises(DeviceMalformed, match="is not a time like"):
        Stamp("%H:%M:%S").time_ns(text, now_ns=NOON)


@pytest.mark.parametrize("text", ["", "x", "inf", "1e400", "nan"])
def test_what_is_no_number_of_seconds(text):
    with pytest.raises(DeviceMalformed):
        Stamp("unix").time_ns(text, now_ns=NOON)


@pytest.mark.parametrize("text", ["%Y-%m-%d", "%d.%m. %H:%M", "%Y %H:%M", "noon", "%H %Q", "%H %H"])
def test_formats_that_tell_no_moment(text):
    with pytest.raises(ValueError, match="format"):
        Stamp(text)
