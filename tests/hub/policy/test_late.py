"""Late: open data are late and averaged by every route, and never finer."""

from typing import Any

import numpy as np
import pytest

from citytwin import Batch, Point
from citytwin.history import Aggregates
from citytwin.testing import VirtualClock
from citytwin_hub.policy.grants import Act, Grant, Names, Rights
from citytwin_hub.policy.late import LateTwin, LateTwins, grid_ns, moment_ns
from tests.hub.policy.city import LD, POLICY, town

MINUTE = 60 * 10**9
RIGHTS = Rights(
    ("open",),
    (Grant(acts=frozenset({Act.READ}), types=Names(["Tank"])),),
    delay_ns=10 * MINUTE,
    mean_ns=MINUTE,
)
LEVEL = Point(id="g-2/d/level", feeds="urn:ngsi-ld:Tank:1", attribute="level")


class Sums:
    """A history that has one mean a row, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def aggregate(self, points, start_ns, end_ns, *, step_ns):
        self.asked.append((list(points), start_ns, end_ns, step_ns))
        one = np.array([points[0]], np.int32)
        column = np.array([1.25])
        return Aggregates(one, np.array([start_ns]), column, column, column, np.array([60]),
                          np.array([0], np.uint8))  # fmt: skip


def test_the_moment_moves_in_steps():
    now = 1_000 * MINUTE + 1
    assert moment_ns(RIGHTS, now) == moment_ns(RIGHTS, now + MINUTE - 2) == 990 * MINUTE
    assert moment_ns(RIGHTS, now + MINUTE) == 991 * MINUTE
    delayed = Rights(("a",), (), delay_ns=100 * MINUTE)
    assert grid_ns(delayed) == 10 * MINUTE


def test_a_late_twin_has_the_mean_of_the_last_whole_step():
    history: Any = Sums()
    clock = VirtualClock(1_000 * MINUTE + 5)
    twin = LateTwin(history, clock, RIGHTS)
    latest = twin.read([7, 8])
    assert history.asked == [([7, 8], 989 * MINUTE, 990 * MINUTE, MINUTE)]
    assert latest.time_ns.tolist() == [990 * MINUTE, 0]
    assert latest.value[0] == 1.25
    twin.read([8, 7])
    assert len(history.asked) == 1, "until the moment moves it is asked once"
    clock.advance(MINUTE)
    twin.read([7])
    assert len(history.asked) == 2
    twins = LateTwins(history, clock)
    assert twins.of(RIGHTS) is twins.of(RIGHTS)


@pytest.fixture
async def call(tmp_path):
    policy = POLICY + "\n[public]\nenabled = true\n"
    async with town(tmp_path, policy=policy) as calling:
        running = calling.running
        calling.row = int(running.hub.registry.rows([LEVEL])[0])
        times = running.now_ns - np.arange(1200)[::-1] * 10**9
        running.take(Batch.of(np.full(1200, calling.row), times, np.arange(1200) / 100 + 0.004))
        yield calling


async def test_nobody_needs_a_token_and_sees_means_of_the_past(call):
    running, row = call.running, call.row
    newest = (running.now_ns - 600 * 10**9) // 10**6
    [one] = (await call("", "GET", "/api/v1/latest")).json()["values"]
    assert one["row"] == row
    assert one["time_ms"] <= newest
    assert one["time_ms"] % 60_000 == 0
    assert one["value"] % 0.5 == 0
    assert (await call("", "GET", "/api/v1/me")).json()["name"] == "anonymous"
    assert (await call("", "GET", "/api/v1/alarms")).json() == {"alarms": []}
    assert (await call("", "GET", "/api/v1/gateways")).json() == {"gateways": []}
    for path in ("config/text", "config"):
        assert (await call("", "GET", f"/api/v1/gateways/g-2/{path}")).status_code in {401, 404}
    assert (await call("", "POST", LD + "entities", json={})).status_code in {401, 411}
    assert (await call("", "GET", "/api/v1/identity/journal")).status_code == 401


async def test_history_is_of_whole_steps_and_not_of_what_lies_between(call):
    span = {"rows": call.row, "start_ms": 0, "end_ms": call.running.now_ns // 10**6}
    for step in (None, 1_000, 90_000):
        given = span if step is None else span | {"step_ms": step}
        assert (await call("", "GET", "/api/v1/history", params=given)).status_code == 403
    [series] = (await call("", "GET", "/api/v1/history", params=span | {"step_ms": 60_000})).json()[
        "steps"
    ]
    assert series["time_ms"]
    assert all(one % 60_000 == 0 for one in series["time_ms"])
    assert series["time_ms"][-1] <= (call.running.now_ns - 660 * 10**9) // 10**6 + 60_000
    assert series["low"] == series["mean"] == series["high"]
    assert set(series["count"]) == {1}
    shifted = span | {"step_ms": 60_000, "start_ms": series["time_ms"][0] + 30_000}
    [other] = (await call("", "GET", "/api/v1/history", params=shifted)).json()["steps"]
    assert other["time_ms"][0] == series["time_ms"][1], "a step that is cut is left out"


async def test_entities_are_those_of_then(call):
    # They were made a moment ago; ten minutes ago there were none.
    for path in (LD + "entities?local=true", LD + "entities?type=Tank"):
        assert (await call("", "GET", path)).json() == []
    assert (await call("", "GET", LD + "entities/urn:ngsi-ld:Tank:1")).status_code == 404
    collections = (await call("", "GET", "/ogc/features/v1/collections")).json()["collections"]
    assert collections == []
