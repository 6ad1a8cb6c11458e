"""The page in a real Chromium, as large as a telephone: three languages, PIN, a write, a lock."""

import contextlib
import re

import pytest
from playwright.async_api import async_playwright, expect

from citytwin_edge.console.page.server import addresses_of
from tests.city.demo_city import CHROMIUM
from tests.edge.console.console_scenes import rtu, running, tcp, typed
from tests.edge.modbus_devices import device, plug, pty_line, serial_server
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WAIT_MS = 30_000
PHONE = {"width": 360, "height": 740}
LABEL = 'label = { ru = "Насосная 7", kk = "7-сорғы үйі", en = "Pump house 7" }\n'


class Phone:
    """A browser on the page; notes what it asks for and what it complains about."""

    def __init__(self, chromium, port, gateway):
        self.chromium, self.gateway = chromium, gateway
        self.home = f"http://127.0.0.1:{port}"
        self.requests, self.complaints = [], []

    async def open(self, **settings):
        context = await self.chromium.new_context(viewport=PHONE, **settings)
        page = await context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)
        await page.goto(f"{self.home}/")
        await page.wait_for_selector(".device")
        return page

    def _note(self, message):
        # A browser tells of every answer that is not 200, of a wrong PIN, too.
        if message.type in {"error", "warning"} and "409" not in message.text:
            self.complaints.append(message.text)

    async def pin(self):
        done = await typed(self.gateway, "page", "unlock", "--json")
        assert done.code == 0, done.err
        assert done.json["addresses"] == [self.home]
        return done.json["pin"]


@contextlib.asynccontextmanager
async def phone(folder):
    port = free_port()
    with pty_line() as line:
        serial = plug(line, folder / "port")
        async with (
            serial_server(line.ends[1], device(1, [(0, [123, 7])])),
            running(
                folder,
                rtu("meter", serial) + tcp("dead", 1),
                head=f'[page]\nlisten = "127.0.0.1:{port}"\n',
            ) as gateway,
            async_playwright() as playwright,
        ):
            chromium = await playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=CHROMIUM
            )
            yield Phone(chromium, port, gateway)
            await chromium.close()


async def test_a_technician_with_a_telephone(tmp_path):
    async with phone(tmp_path) as hand:
        page = await hand.open(locale="ru-RU")
        await it_speaks_three_languages(page)
        await values_come_by_themselves(page)
        await a_wrong_pin_and_the_right_one(page, hand)
        await a_value_is_written_and_read_back(page)
        await a_value_out_of_limits_is_not(page)
        await bytes_are_watched(page)
        await the_device_is_read_now(page)
        await the_doctor_says_what_to_do(page)
        await it_is_locked_from_the_gateway(page, hand)
        await it_is_narrow_enough_and_dark(hand)
        assert hand.complaints == []
        assert {url for url in hand.requests if not url.startswith((hand.home, "data:"))} == set()


async def it_speaks_three_languages(page):
    await expect(page.locator("[data-device=dead]")).to_contain_text("не отвечает")
    await expect(page.locator("html")).to_have_attribute("lang", "ru")
    await page.click(".languages [lang=kk]")
    await expect(page.locator("[data-device=dead]")).to_contain_text("жауап бермейді")
    await expect(page.locator("[data-check=outbox]")).to_contain_text("жазба")
    await page.click(".languages [lang=en]")
    await expect(page.locator("[data-device=dead]")).to_contain_text("fails")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def values_come_by_themselves(page):
    await page.click("[data-device=meter]")
    flow = page.locator("[data-point=flow]")
    await expect(flow).to_contain_text("Flow")
    await expect(flow.locator(".value")).to_have_text("12.3 m³/h")
    await expect(flow).to_contain_text("✓ good")
    await expect(flow.locator("path")).to_have_attribute("d", re.compile("^M.*L.*L"))
    await page.click(".languages [lang=kk]")
    await expect(flow.locator(".value")).to_have_text("12,3 м³/сағ")
    await page.click(".languages [lang=en]")
    await expect(flow.locator(".value")).to_have_text("12.3 m³/h")


async def a_wrong_pin_and_the_right_one(page, hand):
    await page.click("#lock")
    pin = await hand.pin()
    await page.fill("dialog input", f"{(int(pin) + 1) % 1_000_000:06}")
    await page.keyboard.press("Enter")
    await expect(page.locator("dialog .bad")).to_contain_text("4 attempts are left")
    await page.fill("dialog input", pin)
    await page.keyboard.press("Enter")
    await expect(page.locator("dialog")).not_to_be_visible()
    await expect(page.locator("#lock")).to_contain_text("Unlocked for 15 min")


async def a_value_is_written_and_read_back(page):
    await page.click("[data-point=flow] button")
    await page.fill("dialog input", "5.5")
    await page.keyboard.press("Enter")
    await expect(page.locator("dialog")).to_contain_text(
        "Write 5.5 m³/h to Flow? It is 12.3 m³/h now."
    )
    await page.click("dialog button.first")
    await expect(page.locator("dialog .good")).to_have_text("Done: 5.5 m³/h was read back.")
    await page.click("dialog button")
    await expect(page.locator("[data-point=flow] .value")).to_have_text("5.5 m³/h")


async def a_value_out_of_limits_is_not(page):
    await page.click("[data-point=flow] button")
    await page.fill("dialog input", "51")
    await page.keyboard.press("Enter")
    # The browser knows the limits, too; the gateway does not rely on it.
    await expect(page.locator("dialog input")).to_be_visible()
    await page.evaluate("document.querySelector('dialog input').removeAttribute('max')")
    await page.keyboard.press("Enter")
    await page.click("dialog button.first")
    await expect(page.locator("dialog .bad")).to_have_text("Not written: 51 is outside 0 … 50")
    await page.click("dialog button")


async def bytes_are_watched(page):
    await page.get_by_text("Bytes on the line").click()
    await expect(page.locator("#frames")).to_contain_text("TX 01 03 00 00 00 02 c4 0b")
    await page.get_by_text("Stop").click()


async def the_device_is_read_now(page):
    await page.get_by_text("Read now").click()
    await expect(page.locator("#probed")).to_contain_text("flow: 5.5 m³/h")
    await expect(page.locator("#probed")).to_contain_text("00 37")
    await page.click("dialog button")


async def the_doctor_says_what_to_do(page):
    await page.click("nav a >> nth=1")
    dead = page.locator('[data-check="device dead"]')
    await expect(dead).to_have_attribute("data-result", "failed")
    await expect(dead).to_contain_text("citytwin-edge frames --device dead")


async def it_is_locked_from_the_gateway(page, hand):
    assert (await typed(hand.gateway, "page", "lock")).code == 0
    await expect(page.locator("#lock")).to_have_text("Unlock")


async def it_is_narrow_enough_and_dark(hand):
    colours = []
    for scheme in ("light", "dark"):
        page = await hand.open(locale="kk-KZ", color_scheme=scheme)
        for view in ("#", "#device=meter", "#doctor"):
            await page.goto(f"{hand.home}/{view}")
            await page.wait_for_selector(".card")
            assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        colours.append(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(set(colours)) == 2


async def test_a_gateway_that_has_gone_is_told(tmp_path):
    async with phone(tmp_path) as hand:
        page = await hand.open(locale="en-GB")
        await hand.gateway.stop()
        await expect(page.locator("#notice")).to_contain_text("does not answer")
        await hand.gateway.start()
        await expect(page.locator("#notice")).not_to_be_visible()


def test_addresses_for_people():
    assert addresses_of("127.0.0.1:8080") == ["http://127.0.0.1:8080"]
    assert addresses_of("[::1]:80") == ["http://[::1]:80"]
    assert addresses_of("gateway.local:80") == ["http://gateway.local:80"]
    everywhere = addresses_of("0.0.0.0:8080")
    assert everywhere
    assert all(re.fullmatch(r"http://\d+\.\d+\.\d+\.\d+:8080", one) for one in everywhere)
    assert not any("127.0.0" in one for one in everywhere)
