"""Login: a session works by its cookie, and writes only with its CSRF token."""

import json
from typing import Any

import httpx
import websockets

from citytwin_hub.apis.door import COOKIE, CSRF
from citytwin_hub.audit import entries

WORD = "Alatau over Medeu"
WISH = {"point": "g-1/d/pump", "value": 1}


def given(name="operator", password=WORD):
    return {"name": name, "password": password}


async def test_a_session_from_login_to_logout(running):
    running.hub.accounts.set_password("operator", WORD)
    async with httpx.AsyncClient(base_url=f"{running.address}/api/v1/") as web:
        assert (await web.get("session")).status_code == 401
        assert (await web.get("points")).status_code == 401
        wrong = await web.post("login", json=given(password="wrong one"))
        assert (wrong.status_code, "do not fit" in wrong.text) == (401, True)
        assert (await web.post("login", json=given("nobody"))).status_code == 401
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        assert (await web.post("login", json=given(), headers=elsewhere)).status_code == 403
        opened = await web.post("login", json=given())
        assert opened.status_code == 200, opened.text
        cookie = opened.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert all(one in cookie for one in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age"))
        csrf = {CSRF: opened.json()["csrf"]}
        assert (await web.get("session")).json() == opened.json()
        assert (await web.get("me")).json()["name"] == "operator"
        entities = f"{running.address}/ngsi-ld/v1/entities"
        assert (await web.get(entities, params={"local": "true"})).status_code == 200
        body = {"id": "urn:x:1", "type": "Tank"}
        for path, what, done in (("commands", WISH, 202), (entities, body, 201)):
            assert (await web.post(path, json=what)).status_code == 403
            assert (await web.post(path, json=what, headers={CSRF: "wrong"})).status_code == 403
            assert (await web.post(path, json=what, headers=csrf)).status_code == done
        assert (await web.post("logout")).status_code == 403
        assert (await web.post("logout", headers=csrf)).json() == {"ended": True}
        web.cookies.set(COOKIE, cookie.partition("=")[2].partition(";")[0])
        assert (await web.get("me")).status_code == 401
    done = [(one.deed.who, one.deed.what) for one in entries(running.folder / "audit")]
    assert ("operator", "log in") in done
    assert ("operator", "log out") in done


async def test_the_live_stream_takes_the_session_of_the_own_page(running):
    running.hub.accounts.set_password("viewer", WORD)
    async with httpx.AsyncClient(base_url=f"{running.address}/api/v1/") as web:
        await web.post("login", json=given("viewer"))
        cookie = {"Cookie": f"{COOKIE}={web.cookies[COOKIE]}"}
    origins: Any = ((running.address, True), ("http://evil.example", False))
    for origin, opens in origins:
        async with websockets.connect(
            running.socket, origin=origin, additional_headers=cookie
        ) as socket:
            await socket.send(json.dumps({"token": ""}))
            try:
                told = json.loads(await socket.recv())["type"] == "hello"
            except websockets.ConnectionClosed as closed:
                told = closed.rcvd is None or closed.rcvd.code != 1008
        assert told == opens


async def test_guessing_is_answered_with_429(running):
    async with httpx.AsyncClient(base_url=f"{running.address}/api/v1/") as web:
        codes = [
            (await web.post("login", json=given("operator", "wrong one"))).status_code
            for _ in range(6)
        ]
    assert codes == [401] * 5 + [429]
