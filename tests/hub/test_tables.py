"""Tables: aligned columns, local times with their offset, and what people type."""

import time

import pytest

from citytwin.errors import CityTwinError
from citytwin_hub.tables import duration_ms, local_time, moment_ms, table


@pytest.fixture
def almaty(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Almaty")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_columns_are_aligned_and_cells_are_words():
    items = [
        {"name": "a", "connected": True, "load": 0.1 + 0.2, "span": [0.0, None], "gone": None},
        {"name": "longer", "connected": False, "load": 1e9, "span": [None, 2.5]},
    ]
    assert list(table(items, ["name", "connected", "load", "span", "gone"])) == [
        "name    connected  load        span    gone",
        "a       yes        0.3         0 …     -",
        "longer  no         1000000000   … 2.5  -",
    ]
    assert list(table([], ["name", "seen_ms"])) == ["name  seen", "(none)"]


def test_times_are_local_with_their_offset(almaty):
    assert local_time(1_763_665_200_123) == "2025-11-21T00:00:00.123+05:00"
    assert moment_ms(local_time(1_763_665_200_123)) == 1_763_665_200_123
    assert list(table([{"at_ms": 1_763_665_200_000}], ["at_ms"]))[1] == (
        "2025-11-21T00:00:00.000+05:00"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [("yesterday", "is not a time"), ("2026-11-21T00:00", "no time zone"), ("", "is not a time")],
)
def test_what_is_no_time(text, words):
    with pytest.raises(CityTwinError, match=words):
        moment_ms(text)


def test_durations():
    assert [duration_ms(text) for text in ("90s", "15m", "2h", "3d")] == [
        90_000, 900_000, 7_200_000, 259_200_000,
    ]  # fmt: skip
    for text in ("", "h", "2", "2 weeks", "-1h", "0s", "nanh", "infd", "1e9d"):
        with pytest.raises(CityTwinError, match="is not a duration"):
            duration_ms(text)
