"""What a status comes to, line by line."""

import copy

import pytest

from citytwin_edge.console.doctor import running
from citytwin_edge.console.doctor.findings import Result

S = 10**9
NOW = 1_800_000_000 * S
STATUS = {
    "gateway": "g", "time_ns": NOW, "running_s": 60.0, "pid": 5, "memory_bytes": 50 << 20,
    "configuration": {"file": "/e", "sha256": "a" * 64, "devices": 1, "points": 2},
    "hub": {"connected": True, "acknowledged_ns": NOW - 2 * S, "trouble": ""},
    "clock": {"synchronised": True, "offset_s": 0.0},
    "outbox": {
        "entries": 0, "bytes": 0, "bytes_max": 1000, "oldest_ns": 0, "trouble": "",
        "refused_entries": 0, "lost_samples": 0,
    },
    "devices": [
        {"device": "d", "state": "ok", "points": 2, "bad": 0, "since_ns": NOW - 60 * S, "error": ""}
    ],
}  # fmt: skip


def changed(**changes):
    status = copy.deepcopy(STATUS)
    for path, value in changes.items():
        *tables, name = path.split("__")
        table = status
        for one in tables:
            table = table[one] if isinstance(table, dict) else table[int(one)]
        table[name] = value
    return status


def lines(status):
    findings = [*running.summary(status), *running.devices(status)]
    return {one.check: (one.result, one.found) for one in findings}


def test_a_gateway_that_is_well():
    found = lines(STATUS)
    assert {result for result, _ in found.values()} == {Result.OK}
    assert found["configuration"][1] == (
        "/e: gateway g, devices: 1, points: 2, check sum aaaaaaaaaaaa"
    )
    assert found["agent"][1] == "runs for 60 s, process 5, 50.0 MiB of memory"
    assert found["delivery"][1] == "connected; the hub acknowledged 2 s ago"
    assert found["outbox"][1] == "empty: the hub has everything"
    assert found["device d"][1] == "d answers, points: 2"


@pytest.mark.parametrize(
    ("changes", "check", "result", "words"),
    [
        ({"outbox__held_bytes": 2048}, "outbox", "failed", "2.0 KiB wait in memory"),
        ({"hub__connected": False}, "delivery", "failed", "not connected: is being called"),
        ({"hub__connected": False, "hub__trouble": "no"}, "delivery", "failed", "connected: no"),
        ({"hub__acknowledged_ns": 0}, "delivery", "ok", "nothing had to be acknowledged yet"),
        (
            {"outbox__entries": 3, "outbox__bytes": 500, "outbox__oldest_ns": NOW - 300 * S},
            "outbox", "ok", "3 entries, 500 B of 1000 B, the oldest from 5 min ago",
        ),
        ({"outbox__entries": 9, "outbox__bytes": 801}, "outbox", "warning", "801 B of 1000 B"),
        ({"outbox__trouble": "the outbox is gone"}, "outbox", "failed", "the outbox is gone"),
        (
            {"kernels_failing": {"kernel:dew-point": "ZeroDivisionError (x.py, line 5)"}},
            "kernel dew-point", "warning", "fails, what it gives is stale: ZeroDivisionError (x.py",
        ),
        ({"outbox__refused_entries": 2}, "refused", "warning", "2 entries were refused"),
        ({"outbox__lost_samples": 7}, "lost", "warning", "7 samples were lost"),
        (
            {"clock__synchronised": False, "clock__offset_s": None},
            "clock", "warning", "nothing holds it in step",
        ),
        ({"clock__synchronised": False}, "clock", "ok", "agrees with the hub's"),
        ({"clock__offset_s": None}, "clock", "ok", "held by a time source"),
        ({"clock__offset_s": -7.25}, "clock", "failed", "the hub's clock is -7.2 s ahead"),
        ({"time_ns": 0}, "clock", "failed", "stands at 1970-01-01 00:00:00 UTC"),
        ({"devices__0__state": "waiting"}, "device d", "warning", "not been heard of yet"),
        ({"devices__0__bad": 1}, "device d", "warning", "1 of 2 points are bad"),
        (
            {"devices__0__state": "failing", "devices__0__error": "no answer"},
            "device d", "failed", "d fails for 60 s: no answer",
        ),
    ],
)  # fmt: skip
def test_what_is_not_well_is_said_with_what_to_do(changes, check, result, words):
    status = changed(**changes)
    found = lines(status)[check]
    assert found[0] == result
    assert words in found[1]
    finding = next(
        one for one in [*running.summary(status), *running.devices(status)] if one.check == check
    )
    assert bool(finding.remedy) == (result != "ok")


def test_an_outbox_that_cannot_be_read_has_nothing_else_to_say():
    status = changed()
    status["outbox"] = {"trouble": "it is gone", "lost_samples": 0, "bytes_max": 5}
    assert lines(status)["outbox"] == (Result.FAILED, "it is gone")
