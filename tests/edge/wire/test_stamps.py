"""Stamps: every way in which devices write a moment, and what is refused."""

import pytest

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.stamps import Stamp, moment_ns

SECOND = 10**9
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z


@pytest.mark.parametrize(
    "seen",
    ["2026-01-01T12:00:00Z", "2026-01-01T17:00:00+05:00", 1767268800, 1767268800.0, 1767268800000],
)
def test_moments(seen):
    assert moment_ns(seen) == NOON


@pytest.mark.parametrize("seen", ["noon", "2026-01-01T12:00:00", True, None, float("nan"), []])
def test_no_moments(seen):
    with pytest.raises(DeviceMalformed, match="time"):
        moment_ns(seen)


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
