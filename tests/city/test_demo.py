"""The demo city end to end: real processes, sockets, serial lines, and the page in Chromium."""

import asyncio
import os
import re
import signal
import sys

import httpx
import psutil
import pytest
from playwright.async_api import async_playwright

from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CHROMIUM = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--no-first-run",
]


class Demo:
    """The demo city as ``make demo`` starts it, on ports of its own."""

    def __init__(self, state, offset):
        self.state, self.offset, self.port = state, offset, free_port()

    async def __aenter__(self):
        environment = {**os.environ, "PYTHONPATH": "deploy"}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "democity", "--state", str(self.state), "--port", str(self.port),
            "--port-offset", str(self.offset), env=environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout
        line = (await asyncio.wait_for(self.process.stdout.readline(), 90)).decode().strip()
        found = re.fullmatch(r"(http://127.0.0.1:\d+)/#token=(\S+)", line)
        assert found, f"{line!r}; see {self.state}/logs"
        self.address, self.url = found[1], line
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        self.http = httpx.AsyncClient(
            base_url=f"{found[1]}/api/v1/", headers={"Authorization": f"Bearer {found[2]}"}
        )
        return self

    async def __aexit__(self, *_):
        await self.http.aclose()
        self.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(self.process.wait(), 30) == 0
        left = [child for child in self.children if child.is_running()]
        assert left == [], "nothing is left running"

    async def points(self):
        answer = await self.http.get("points", params={"limit": 1000})
        return {point["id"]: point for point in answer.json()["points"]}

    async def value(self, row):
        values = (await self.http.get("latest", params={"rows": row})).json()["values"]
        return values[0]["value"] if values else None

    async def until(self, condition, seconds=40):
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.2)

    async def settled(self, point, value):
        wish = {"point": point, "value": value}
        answer = await self.http.post("commands", json=wish)
        assert answer.status_code == 202, answer.text
        number = answer.json()["id"]

        async def done():
            return (await self.http.get(f"commands/{number}")).json()["state"] == "settled"

        await self.until(done)


async def test_the_demo_city(tmp_path):
    async with Demo(tmp_path / "demo", 900) as demo:
        points = await demo.points()
        devices = {(p["gateway"], p["device"]) for p in points.values() if p["source"] != "health"}
        assert len({gateway for gateway, _ in devices}) >= 4
        assert len(devices) >= 54
        await every_measured_point_is_good(demo, points)
        await instruments_are_read_and_commanded(demo, points)
        await a_valve_closes_and_pressures_answer(demo, points)
        await the_page_shows_and_commands(demo)
        first = await oldest(demo, points)
    async with Demo(tmp_path / "demo", 900) as demo:
        assert await oldest(demo, points) == first, "the second start continues the history"


async def every_measured_point_is_good(demo, points):
    rows = [p["row"] for p in points.values() if p["source"] == "measured"]

    async def all_good():
        listed = ",".join(map(str, rows))
        values = (await demo.http.get("latest", params={"rows": listed})).json()["values"]
        good = [value for value in values if value["severity"] == 0]
        return len(good) == len(rows)

    await demo.until(all_good)


async def instruments_are_read_and_commanded(demo, points):
    configs = [path.read_text() for path in demo.state.glob("gateways/*/edge.toml")]
    ports = {line for text in configs for line in text.split("\n") if line.startswith("serial = ")}
    assert sum(text.count('adapter = "serial"') for text in configs) >= 4
    assert len(ports) >= 6, "two lines of Modbus RTU, and those of the instruments"
    named = {one.rpartition("/")[0].rpartition("/")[2] for one in points}
    assert {"lg-1", "lg-2", "wq-1", "wq-2", "ws-1", "hm-1"} <= named
    level, gauge = (next(one for one in points if one.endswith(end))
                    for end in ("/tk-1/level", "/lg-1/gauge-level"))  # fmt: skip
    levels = [await demo.value(points[one]["row"]) for one in (level, gauge)]
    assert abs(levels[0] - levels[1]) < 0.1, "both tell of one tank"
    await demo.settled(next(one for one in points if one.endswith("/wq-1/setpoint")), 0.6)


async def a_valve_closes_and_pressures_answer(demo, points):
    valve = next(one for one in points if one.endswith("/vc-189/open"))
    downstream = points[valve.replace("/open", "/downstream")]["row"]
    flow = points[valve.replace("/open", "/flow")]["row"]
    before = await demo.value(downstream)
    await demo.settled(valve, 0)

    async def answered():
        return await demo.value(flow) == 0 and await demo.value(downstream) < before - 1

    await demo.until(answered)
    await demo.settled(valve, 1)
    refused = await demo.http.post("commands", json={"point": valve, "value": 7})
    assert refused.status_code == 422
    assert "outside 0 … 1" in refused.json()["error"]["message"]


async def the_page_shows_and_commands(demo):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(demo.url)
        await page.wait_for_selector(".live.on")
        assert "token" not in page.url
        await page.click(".languages button[lang=kk]")
        await page.fill(".search input", "vc-125")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("h2:has-text('Ысырма камерасы 125')")
        await page.wait_for_selector(".trend canvas")
        await page.click(".command >> text=Жабу")
        await page.click(".confirm button.go")
        await page.wait_for_selector("[data-state=settled]", timeout=30_000)
        await page.wait_for_selector("text=жабық / өшірулі")
        await page.click(".command >> text=Ашу")
        await page.click(".confirm button.go")
        await page.wait_for_selector(".value:has-text('ашық / қосулы')")
        assert errors == []
        await browser.close()


async def oldest(demo, points):
    row = next(p["row"] for p in points.values() if p["device"] == "vc-189")
    query = {"rows": row, "start_ms": 0, "end_ms": 9_000_000_000_000}
    return (await demo.http.get("history", params=query)).json()["samples"][0]["time_ms"][0]
