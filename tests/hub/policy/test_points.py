"""Points: who is limited sees, commands and follows live only the points that are his."""

import asyncio
import json
import struct

import numpy as np
import pytest
import websockets

from citytwin import Batch, Kind, Place, Point, Span
from citytwin.testing import VirtualClock
from citytwin_hub.policy.document import load
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.points import AGE_NS_MAX, PointsSeen
from citytwin_hub.registry import Registry
from tests.hub.policy.city import POLICY, town

POINTS = [
    Point(id="g-2/d/speed", feeds="urn:ngsi-ld:Pump:1", attribute="speed", writable=Span(0, 9)),
    Point(id="g-2/d/far", feeds="urn:ngsi-ld:Pump:2", attribute="speed"),
    Point(id="g-2/d/level", feeds="urn:ngsi-ld:Tank:1", attribute="level", writable=Span(0, 9)),
    Point(id="g-2/d/owner", feeds="urn:ngsi-ld:Tank:1", attribute="ownerName"),
    Point(id="g-2/d/placed", place=Place(76.95, 43.2)),
    Point(id="g-2/d/away", place=Place(76.5, 43.2)),
    Point(id="g-2/d/speed.alarm", kind=Kind.ALARM),
]
SEEN = {
    "types": {"g-2/d/speed", "g-2/d/far", "g-2/d/speed.alarm"},
    "attributes": {"g-2/d/speed", "g-2/d/far", "g-2/d/level", "g-2/d/speed.alarm"},
    "area": {
        "g-1/d/level", "g-2/d/speed", "g-2/d/level", "g-2/d/owner", "g-2/d/placed",
        "g-2/d/speed.alarm",
    },
    "points": {"g-1/d/pump"},
}  # fmt: skip


@pytest.fixture
async def call(tmp_path):
    async with town(tmp_path) as calling:
        running = calling.running
        calling.rows = dict(
            zip([one.id for one in POINTS], running.hub.registry.rows(POINTS).tolist(), strict=True)
        )
        rows = sorted(calling.rows.values())
        running.take(Batch.of(rows, running.now_ns, np.arange(len(rows)) + 0.3))
        yield calling


async def test_lists_values_and_history_are_of_seen_points(call):
    for role, seen in SEEN.items():
        listed = (await call(role, "GET", "/api/v1/points", params={"limit": 1000})).json()[
            "points"
        ]
        assert {one["id"] for one in listed} == seen, role
        rows = {one["row"] for one in listed}
        latest = (await call(role, "GET", "/api/v1/latest")).json()["values"]
        assert {one["row"] for one in latest} <= rows
        hidden = next(row for name, row in call.rows.items() if name not in seen)
        for path in ("latest", "history?start_ms=0&end_ms=9000000000000"):
            answer = await call(role, "GET", f"/api/v1/{path}", params={"rows": hidden})
            assert answer.status_code in {404, 422}, (role, path, answer.text)
        things = (await call(role, "GET", "/things")).json()
        shown = {f"{one['id'].removeprefix('urn:citytwin:device:')}/{name}".replace(":", "/")
                 for one in things for name in one["properties"]}  # fmt: skip
        assert shown == seen
        gateways = (await call(role, "GET", "/api/v1/gateways")).json()["gateways"]
        assert {one["name"] for one in gateways} <= {one.split("/")[0] for one in seen}


async def test_only_ones_own_points_are_commanded(call):
    for role, point, status in (
        ("types", "g-2/d/speed", 202),
        ("types", "g-2/d/level", 404),
        ("attributes", "g-2/d/speed", 403),
        ("area", "g-2/d/level", 202),
        ("area", "g-1/d/pump", 404),
        ("points", "g-1/d/pump", 202),
        ("points", "g-2/d/speed", 404),
        ("reader", "g-2/d/speed", 403),
        ("public", "g-2/d/speed", 404),
        ("", "g-2/d/speed", 401),
    ):
        answer = await call(role, "POST", "/api/v1/commands", json={"point": point, "value": 1})
        assert answer.status_code == status, (role, point, answer.text)
    mine = (await call("types", "GET", "/api/v1/commands")).json()["commands"]
    assert {one["point"] for one in mine} == {"g-2/d/speed"}
    every = (await call("admin", "GET", "/api/v1/commands")).json()["commands"]
    other = next(one["id"] for one in every if one["point"] == "g-1/d/pump")
    assert (await call("types", "GET", f"/api/v1/commands/{other}")).status_code == 404


async def test_control_streams_and_their_commands_are_of_seen_points(call):
    streams = "/ogc/connected-systems/v1/controlstreams"
    speed, level = call.rows["g-2/d/speed"], call.rows["g-2/d/level"]
    given = {"parameters": {"speed": 1}}
    for role, row, status in (
        ("types", speed, 201),
        ("types", level, 404),
        ("attributes", speed, 403),
        ("reader", speed, 403),
        ("public", level, 404),
        ("area", speed, 201),
    ):
        answer = await call(role, "POST", f"{streams}/{row}/commands", json=given)
        assert answer.status_code == status, (role, row, answer.text)
    seen = (await call("types", "GET", streams)).json()["items"]
    assert [one["id"] for one in seen] == [str(speed)]
    made = (await call("area", "GET", "/ogc/connected-systems/v1/commands")).json()["items"]
    mine = f"/ogc/connected-systems/v1/commands/{made[0]['id']}"
    assert (await call("points", "GET", mine)).status_code == 404
    assert (await call("attributes", "POST", mine + "/status", json={"statusCode": "CANCELED"}
                       )).status_code in {403, 422}  # fmt: skip
    asked = await call("reader", "POST", f"{streams}/{speed}/feasibility", json=given)
    assert asked.json()["feasible"] is False
    kept = f"/ogc/connected-systems/v1/feasibility/{asked.json()['id']}"
    assert (await call("types", "GET", kept)).status_code == 404


async def test_the_live_stream_has_only_seen_points(call):
    async def rows(role):
        found = set()
        async with websockets.connect(call.running.socket) as socket:
            await socket.send(json.dumps({"token": call.tokens[role]}))
            async with asyncio.timeout(20):
                while not found:
                    frame = await socket.recv()
                    if isinstance(frame, bytes):
                        count = struct.unpack_from("<I", frame, 4)[0]
                        found |= set(np.frombuffer(frame, "<i4", count, 8).tolist())
        return found

    names = {row: name for name, row in call.rows.items()}
    shown = {names[row] for row in await rows("types")}
    assert shown == SEEN["types"]
    assert {names.get(row) for row in await rows("admin")} > shown


def test_changes_of_entities_count_after_a_while(tmp_path):
    (tmp_path / "policy.toml").write_text(POLICY)
    rights = load(tmp_path / "policy.toml").rights(["types"])
    registry, clock, asked = Registry(tmp_path / "registry.db"), VirtualClock(), []

    def find(ids):
        asked.append(ids)
        return {}

    seen = PointsSeen(registry, find, str, clock)
    registry.rows(POINTS[:1])
    assert seen.rows(rights, Act.READ) == frozenset()
    seen.rows(rights, Act.READ)
    assert len(asked) == 1
    clock.advance(AGE_NS_MAX)
    seen.rows(rights, Act.READ)
    assert len(asked) == 2
    assert seen.rows(load().rights(["viewer"])) is None
    registry.close()
