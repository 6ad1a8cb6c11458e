"""REST over real sockets on a whole hub: who may ask, what is answered, what is refused."""

import httpx
import pytest

from citytwin_hub.access import Role


async def test_points_that_are_gone_are_listed_apart(running):
    registry = running.hub.registry
    level = registry.points[int(running.rows[0])]
    async with running.client() as web:
        assert (await web.get("points", params={"gone": True})).json()["points"] == []
        before = (await web.get("points")).json()["points"]
        registry.rows([level], gone={0})
        (shown,) = (await web.get("points", params={"gone": True})).json()["points"]
        assert (shown["id"], shown["gone"]) == (level.id, True)
        assert [p for p in before if p["id"] != level.id] == (await web.get("points")).json()[
            "points"
        ]
        assert (await web.get("latest")).json()["values"] == []
        history = {"rows": shown["row"], "start_ms": 0, "end_ms": 9_000_000_000_000}
        assert (await web.get("history", params=history)).json()["samples"][0]["value"]
        assert "citytwin_points 1" in (await web.get(f"{running.address}/metrics")).text


async def test_points_latest_and_history(running):
    async with running.client(Role.VIEWER) as web:
        points = (await web.get("points", params={"q": "уров"})).json()
        assert [point["id"] for point in points["points"]] == ["g-1/d/level"]
        assert points["points"][0]["place"] == [76.9, 43.2, None]
        page = (await web.get("points", params={"limit": 1})).json()
        assert page["next"] == page["points"][0]["row"]
        row = int(running.rows[0])
        (value,) = (await web.get("latest", params={"rows": row})).json()["values"]
        assert (value["value"], value["reason"]) == (35.99, "good")
        span = {
            "rows": row,
            "start_ms": running.now_ns // 10**6 - 59_000,
            "end_ms": running.now_ns // 10**6 + 1,
        }
        (samples,) = (await web.get("history", params=span)).json()["samples"]
        assert len(samples["value"]) == 60
        (steps,) = (await web.get("history", params={**span, "step_ms": 10_000})).json()["steps"]
        assert sum(steps["count"]) == 60
        assert max(steps["high"]) == 35.99


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "points?limit=0", None, 422, "greater than or equal"),
        ("GET", "latest?rows=one", None, 422, "whole numbers"),
        ("GET", "latest?rows=" + ",".join(["1"] * 2000), None, 422, "at most 1000"),
        ("GET", "latest?rows=99999999999", None, 422, "a row is"),
        ("GET", "history?rows=1&start_ms=-1&end_ms=5", None, 422, "start_ms"),
        ("GET", "history?rows=1", None, 422, "start_ms"),
        ("GET", "commands/none", None, 404, "no command"),
        ("GET", "nothing", None, 404, "Not Found"),
        ("POST", "alarms/7/acknowledge", {}, 404, "no open alarm"),
        ("POST", "commands", {"point": "g-1/d/none", "value": 1}, 404, "no point"),
        ("POST", "commands", {"point": "g-1/d/level", "value": 1}, 422, "cannot be written"),
        ("POST", "commands", {"point": "g-1/d/pump", "value": 2}, 422, "outside 0 … 1"),
        ("POST", "commands", {"point": "g-1/d/pump", "value": "x"}, 422, "value"),
        ("POST", "commands", {"point": "g-1/d/pump", "value": 1, "color": 1}, 422, "color"),
        ("POST", "commands", {"reason": "x" * 70_000}, 413, "at most"),
    ],
)
async def test_what_is_wrong_is_said(running, method, path, body, status, words):
    async with running.client() as web:
        answer = await web.request(method, path, json=body)
        assert answer.status_code == status
        assert words in answer.json()["error"]["message"]


async def test_who_may_do_what(running):
    wish = {"point": "g-1/d/pump", "value": 1}
    async with running.client(token="wrong") as web:
        for path in ("me", "points", "latest", "gateways", "alarms", "commands", "city"):
            assert (await web.get(path)).status_code == 401
    async with running.client(Role.VIEWER) as web:
        assert (await web.get("me")).json() == {
            "name": "viewer",
            "role": "viewer",
            "acts": ["read"],
        }
        assert (await web.post("commands", json=wish)).status_code == 403
        assert (await web.post("alarms/1/acknowledge")).status_code == 403
    async with running.client() as web:
        made = await web.post("commands", json=wish)
        assert (made.status_code, made.json()["state"]) == (202, "submitted")
        assert (await web.get(f"commands/{made.json()['id']}")).json()["point"] == "g-1/d/pump"


async def test_open_pages_need_nothing_from_elsewhere(running):
    async with httpx.AsyncClient(base_url=running.address) as web:
        described = (await web.get("/api/openapi.json")).json()
        assert "/api/v1/points" in described["paths"]
        docs = await web.get("/api/docs")
        assert "/api/v1/live" in docs.text
        assert "default-src 'self'" in docs.headers["content-security-policy"]
        assert (await web.get("/healthz")).text == "ok\n"
        assert "citytwin_points 2.0" in (await web.get("/metrics")).text
