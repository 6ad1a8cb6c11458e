"""The calendar: local time with its changes, and holidays as Sundays."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from citytwin_edge.kernels.anomaly.calendar import Calendar, kazakhstan


def at(calendar: Calendar, *moments: str) -> list[tuple[int, int, int]]:
    times = [int(datetime.fromisoformat(one).replace(tzinfo=UTC).timestamp()) for one in moments]
    found = calendar.places(np.array(times, np.int64) * 10**9)
    return list(zip(*(column.tolist() for column in found), strict=True))


def test_almaty_is_five_hours_ahead_of_utc_since_2024():
    ((half, week, day),) = at(Calendar("Asia/Almaty", "none", ()), "2026-11-25T20:40")
    assert (half, week, day) == (3, 3 * 12 + 0, date(2026, 11, 26).toordinal())


def test_daylight_saving_keeps_the_time_of_the_day():
    calendar = Calendar("Europe/Berlin", "none", ())
    winter, summer = at(calendar, "2026-01-14T07:00", "2026-07-15T06:00")
    assert winter[:2] == summer[:2] == (16, 2 * 12 + 4)
    doubled = at(calendar, "2026-10-25T00:30", "2026-10-25T01:30")
    assert [half for half, _, _ in doubled] == [5, 5], "one hour comes twice"


@pytest.mark.parametrize(
    ("day", "free"),
    [
        ("2025-03-21", True),
        ("2025-03-24", True),  # for Saturday, 22
        ("2025-03-25", True),  # for Sunday, 23
        ("2025-03-26", False),
        ("2025-10-27", True),  # for Saturday, 25
        ("2026-01-07", True),
        ("2026-05-27", True),  # Kurban Ait
        ("2026-11-26", False),
    ],
)
def test_kazakhstans_days_off(day, free):
    assert (date.fromisoformat(day) in kazakhstan(int(day[:4]))) is free


def test_a_holiday_counts_as_a_sunday():
    moments = ("2026-05-01T05:00", "2026-05-03T05:00", "2026-04-24T05:00")
    holiday, sunday, friday = at(Calendar("Asia/Almaty", "kz", ()), *moments)
    assert holiday[1] == sunday[1] != friday[1]
    plain = Calendar("Asia/Almaty", "none", ("2026-04-24",))
    holiday, sunday, friday = at(plain, *moments)
    assert friday[1] == sunday[1] != holiday[1]


def test_a_clock_that_is_far_off_is_no_error():
    far = np.array([-(2**62), 0, 2**62], np.int64)
    assert len(Calendar("Asia/Almaty", "kz", ()).places(far)[0]) == 3
