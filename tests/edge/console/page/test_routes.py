"""What the page may ask: looking is free, orders want an unlocked browser of the page's own."""

import asyncio
import json
import re

import pytest

from citytwin import Quality
from citytwin.adapter import Direction
from citytwin.testing import VirtualClock
from citytwin_edge.console.doctor import examination
from citytwin_edge.console.page.routes import COOKIE, WORD, Routes, language_of
from citytwin_edge.console.page.unlocking import Unlocking
from citytwin_edge.console.page.web import Refusal, Request
from tests.edge.agent_scenes import DEVICES, Gateway, config_of
from tests.edge.console.console_scenes import operations_of

HOST = "192.168.4.1:8080"
LABELLED = DEVICES.replace('name = "d1"\n', 'name = "d1"\nlabel = { ru = "Насос" }\n')


class Page:
    """The routes of a running agent, and a browser."""

    def __init__(self, gateway, agent):
        operations, _ = operations_of(agent)
        self.gateway, self.agent = gateway, agent
        self.unlocking = Unlocking(agent.trust.monotonic_ns, lambda: [f"http://{HOST}"])
        self.routes = Routes(operations, self.unlocking, lambda: agent.config, gateway.clock)
        self.cookie = self.word = ""

    def request(self, method, path, body=None, **headers):
        named = {"host": HOST, "cookie": f"{COOKIE}={self.cookie}"}
        if method == "POST":
            named |= {
                "origin": f"http://{HOST}", "content-type": "application/json", WORD: self.word,
            }  # fmt: skip
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = path.partition("?")
        about = dict(part.split("=") for part in query.split("&") if part)
        return Request(method, path, about, named, json.dumps(body or {}).encode(), "10.0.0.9")

    async def get(self, path, **headers):
        response = await self.routes.handle(self.request("GET", path, **headers))
        return response if response.events else json.loads(response.body)

    async def post(self, path, body=None, **headers):
        response = await self.routes.handle(self.request("POST", path, body, **headers))
        return json.loads(response.body)

    async def unlock(self):
        pin = self.unlocking.offer(15)["pin"]
        response = await self.routes.handle(self.request("POST", "/api/unlock", {"pin": pin}))
        ((_, cookie),) = response.headers
        assert "HttpOnly; SameSite=Strict" in cookie
        self.cookie = cookie.partition("=")[2].partition(";")[0]
        self.word = json.loads(response.body)["word"]


def played(tmp_path, monkeypatch, scene, devices=LABELLED):
    clock = VirtualClock()

    async def play():
        config, kind = config_of(tmp_path, monkeypatch, devices)
        gateway = Gateway(config, kind, clock)
        async with gateway.running() as agent:
            await asyncio.sleep(2.5)
            return await scene(Page(gateway, agent))

    return clock.run(play())


async def refused(status, asking):
    with pytest.raises(Refusal) as told:
        await asking
    assert told.value.status == status, told.value
    return str(told.value)


def test_looking_needs_no_key_and_has_three_languages(tmp_path, monkeypatch):
    async def scene(page):
        shown = {
            language: await page.get(f"/api/state?language={language}")
            for language in ("kk", "ru", "en", "xx")
        }
        assert shown["xx"]["summary"][1:] == shown["en"]["summary"][1:]
        rows = {one["check"]: one for one in shown["ru"]["summary"]}
        assert rows["delivery"]["found"].startswith("связь есть")
        assert {one["label"] for one in shown["ru"]["devices"]} == {"Насос", ""}
        assert shown["kk"]["summary"] != shown["ru"]["summary"] != shown["en"]["summary"]
        assert (shown["en"]["unlocked_s"], shown["en"]["word"]) == (0, "")
        assert shown["en"]["gateway"] == "g"

    played(tmp_path, monkeypatch, scene)


def test_the_files_of_the_page(tmp_path, monkeypatch):
    async def scene(page):
        for path, words in (
            ("/", b"<title>"), ("/page.js", b"EventSource"), ("/page.css", b"dark"),
            ("/words.json", "Приборы".encode()),
        ):  # fmt: skip
            response = await page.routes.handle(page.request("GET", path))
            assert words in response.body
            assert b"://" not in response.body.replace(b"http://www.w3.org/2000/svg", b""), path
        await refused(404, page.get("/../agent.py"))
        await refused(404, page.get("/api/write"))
        await refused(404, page.post("/api/state"))

    played(tmp_path, monkeypatch, scene)


def test_every_word_is_there_in_three_languages(tmp_path, monkeypatch):
    async def scene(page):
        response = await page.routes.handle(page.request("GET", "/words.json"))
        words = json.loads(response.body)
        for key, texts in words.items():
            assert set(texts) == {"kk", "ru", "en"}, key
            assert all(texts.values()), key
        script = (await page.routes.handle(page.request("GET", "/page.js"))).body.decode()
        used = set(re.findall(r'say\("([^"]+)"', script))
        assert used - set(words) == set()
        for quality in Quality:
            assert f"quality {quality.words}" in words

    played(tmp_path, monkeypatch, scene)


def test_values_come_with_units_of_the_language(tmp_path, monkeypatch):
    async def scene(page):
        response = await page.get("/api/watch?device=d2&language=ru")
        first = await anext(response.events)
        assert {one["point"]: one["unit"] for one in first["points"]} == {
            "total": "м³", "total.flow": "м³/ч",
        }  # fmt: skip
        assert (await anext(response.events))["samples"]
        await response.events.aclose()
        assert page.agent.latest.watchers == []

    played(tmp_path, monkeypatch, scene)


def test_orders_of_a_locked_browser_are_refused(tmp_path, monkeypatch):
    async def scene(page):
        for path in ("/api/probe", "/api/write", "/api/lock"):
            assert await refused(403, page.post(path)) == "the page is locked"
        await refused(403, page.get("/api/frames?device=d1"))
        assert page.gateway.kind.meters[0].written == []

    played(tmp_path, monkeypatch, scene)


def test_an_unlocked_browser_probes_writes_and_is_locked_again(tmp_path, monkeypatch):
    async def scene(page):
        await page.unlock()
        state = await page.get("/api/state")
        assert state["word"] == page.word
        assert 890 < state["unlocked_s"] <= 900
        rows = (await page.post("/api/probe", {"device": "d1"}))["rows"]
        assert [row["quality"] for row in rows] == ["good", "good"]
        order = {"point": "d1/pump", "value": 1}
        assert (await page.post("/api/write", order))["state"] == "executed"
        assert page.gateway.kind.meters[0].written == [(1, 1.0)]
        order = {"point": "d1/pump", "value": 3}
        done = await page.post("/api/write?language=ru", order)
        assert (done["state"], done["reason"]) == ("refused", "3 вне пределов 0 … 1")
        by = page.agent.commander._db.execute("SELECT DISTINCT issued_by FROM commands").fetchall()
        assert by == [("page at 10.0.0.9",)]
        await page.post("/api/lock")
        await refused(403, page.post("/api/probe", {"device": "d1"}))

    played(tmp_path, monkeypatch, scene)


def test_what_goes_wrong_is_a_sentence_in_the_language(tmp_path, monkeypatch):
    async def scene(page):
        said = await refused(409, page.post("/api/unlock?language=ru", {"pin": "1"}))
        assert said.startswith("PIN сейчас нет")
        await page.unlock()
        assert "no device 'x'" in await refused(409, page.post("/api/probe", {"device": "x"}))
        assert "no point" in await refused(409, page.post("/api/write", {"point": "x", "value": 1}))
        await refused(409, page.post("/api/write", {"point": "d1/pump"}))

    played(tmp_path, monkeypatch, scene)


def test_other_sites_can_order_nothing(tmp_path, monkeypatch):
    async def scene(page):
        await page.unlock()
        order = {"point": "d1/pump", "value": 1}
        for headers in (
            {"origin": "http://evil.example"},
            {"origin": ""},
            {"origin": "null"},
            {WORD: ""},
            {WORD: "guessed"},
        ):
            await refused(403, page.post("/api/write", order, **headers))
        await refused(415, page.post("/api/write", order, content_type="text/plain"))
        await refused(403, page.post("/api/unlock", {"pin": "1"}, origin="http://evil.example"))
        assert page.gateway.kind.meters[0].written == []
        assert (await page.post("/api/write", order))["state"] == "executed"

    played(tmp_path, monkeypatch, scene)


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("192.168.4.1:8080", True), ("10.0.0.1", True), ("[fe80::1]:8080", True),
        ("localhost:8080", True), ("LOCALHOST", True), ("evil.example:8080", False), ("", False),
        ("10.0.0.1.evil.example", False),
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_gets_nothing(tmp_path, monkeypatch, host, is_ours):
    async def scene(page):
        if is_ours:
            assert (await page.get("/api/state", host=host))["gateway"] == "g"
        else:
            await refused(421, page.get("/api/state", host=host))
            await refused(421, page.get("/", host=host))

    played(tmp_path, monkeypatch, scene)


def test_bytes_are_shown_only_while_it_is_unlocked(tmp_path, monkeypatch):
    async def scene(page):
        await page.unlock()
        stream = (await page.get("/api/frames?device=d1")).events
        await anext(stream)
        page.agent.site.tap("line", Direction.SENT, b"1", device="d1")
        assert len((await anext(stream))["frames"]) == 1
        page.unlocking.lock()
        page.agent.site.tap("line", Direction.SENT, b"2", device="d1")
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert page.agent.site.taps == []

    played(tmp_path, monkeypatch, scene)


def test_the_doctor_looks_through_the_page(tmp_path, monkeypatch):
    async def scene(page):
        found = (await page.get("/api/doctor?language=ru"))["findings"]
        rows = {one["check"]: one for one in found}
        assert rows["enrolment"]["found"] == "этот шлюз не подключён ни к одному хабу"
        assert rows["device d1"]["found"] == "d1 отвечает, точек 2"
        assert "agent" in rows

    async def now(call, *arguments):
        return call(*arguments)

    # A virtual clock waits for no thread.
    monkeypatch.setattr(examination.asyncio, "to_thread", now)
    played(tmp_path, monkeypatch, scene)


def test_the_language_of_a_request():
    for named, language in (("kk", "kk"), ("ru", "ru"), ("de", "en"), ("", "en")):
        assert language_of(Request("GET", "/", {"language": named}, {}, b"", "")) == language
