"""Poll statistics: the ratio of answers, and the name of each failure."""

from __future__ import annotations

import pytest

from citytwin.batch import Batch
from citytwin.errors import DeviceMalformed, DeviceRefused, DeviceSilent, MalformedError
from citytwin.quality import Quality
from citytwin_edge.pollstats import LATENCIES_MAX, PollStats, complaint, reason_of


def test_success_is_the_part_of_polls_that_were_answered() -> None:
    assert PollStats().success == 1.0
    assert PollStats(polls=4, answered=3).success == 0.75


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DeviceSilent(""), (Quality.BAD_SILENT, "silent")),
        (TimeoutError(), (Quality.BAD_SILENT, "silent")),
        (ConnectionResetError(), (Quality.BAD_SILENT, "silent")),
        (DeviceRefused(""), (Quality.BAD_REFUSED, "refused")),
        (DeviceMalformed(""), (Quality.BAD_MALFORMED, "malformed")),
        (MalformedError(""), (Quality.BAD_MALFORMED, "malformed")),
        (KeyError(""), (Quality.BAD_MALFORMED, "fault")),
    ],
)
def test_every_failure_has_a_quality_and_a_name(
    error: Exception, expected: tuple[Quality, str]
) -> None:
    assert reason_of(error) == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], ""),
        ([Quality.GOOD], ""),
        ([Quality.BAD_MALFORMED], ""),
        ([Quality.BAD_SILENT, Quality.GOOD], ""),
        ([Quality.BAD_SILENT, Quality.BAD_SILENT], "silent"),
        ([Quality.BAD_OVERFLOW, Quality.GOOD], "overflow"),
    ],
)
def test_what_a_listener_says_of_itself(codes: list[Quality], expected: str) -> None:
    count = len(codes)
    assert complaint(Batch.of(range(count), [1] * count, [0.0] * count, codes)) == expected


def test_latencies_are_those_of_the_newest_polls() -> None:
    stats = PollStats()
    assert stats.latency_s(0.99) is None
    for milliseconds in range(1, 101):
        stats.took(milliseconds * 1_000_000)
    found = [stats.latency_s(part) for part in (0.0, 0.5, 0.99, 1.0)]
    assert found == pytest.approx([0.001, 0.05, 0.099, 0.1])
    for _ in range(LATENCIES_MAX):
        stats.took(7_000_000)
    assert stats.latency_s(1.0) == pytest.approx(0.007), "older ones are forgotten"
    assert stats.latency_ns == 7_000_000
