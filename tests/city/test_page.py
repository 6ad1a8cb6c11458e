"""The page in a real Chromium, on the demo city: what an operator sees and does."""

import contextlib
import re
import signal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import async_playwright, expect

from tests.city.demo_city import CHROMIUM, Demo
from tests.waiting import answered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WAIT_MS = 30_000


class Browser:
    """Chromium whose pages note what they ask for and what they complain about."""

    def __init__(self, demo, chromium):
        self.demo, self.chromium = demo, chromium
        self.requests, self.complaints = [], []

    async def page(self, **settings):
        context = await self.chromium.new_context(**settings)
        page = await context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)
        return page

    def _note(self, message):
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    async def operator(self, **settings):
        page = await self.page(**settings)
        await page.goto(self.demo.url)
        await page.wait_for_selector(".live.on")
        return page

    def asked_only_the_hub(self):
        home = urlsplit(self.demo.address).netloc
        assert len(self.requests) > 10
        return {
            url for url in self.requests if urlsplit(url).netloc != home and url[:5] != "blob:"
        } == set()


@contextlib.asynccontextmanager
async def browser_on(demo):
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM
        )
        yield Browser(demo, chromium)
        await chromium.close()


async def test_an_operator_at_work(tmp_path):
    arguments = ["--fault", "burst", "--fault-after", "0", "--fault-lasts", "280"]
    async with Demo(tmp_path / "demo", *arguments) as demo, browser_on(demo) as browser:
        page = await browser.operator(viewport={"width": 1280, "height": 800}, locale="kk")
        assert "token" not in page.url, "no history and no screenshot shows the token"
        await an_alarm_is_seen_and_acknowledged(page)
        await a_value_is_read_with_its_trend(page)
        await a_valve_is_closed_and_opened(page)
        await the_keyboard_is_enough(page)
        await the_map_is_owed_to_somebody(page)
        await a_telephone_is_wide_enough(browser)
        assert browser.complaints == []
        assert browser.asked_only_the_hub(), "it works without internet"


async def an_alarm_is_seen_and_acknowledged(page):
    await page.click(".languages button[lang=ru]")
    alarm = page.locator("li[data-alarm]", has_text="Датчик давления 111")
    await expect(alarm).to_have_class("raised", timeout=WAIT_MS)
    await expect(alarm).to_contain_text("бар")
    await alarm.locator("button.ack").click()
    await expect(alarm).to_have_class("acknowledged", timeout=WAIT_MS)
    await expect(alarm).to_contain_text("demo")
    await alarm.locator("button.point").click()
    await page.wait_for_selector("h2:has-text('Датчик давления 111')")
    await page.wait_for_selector("[data-point$='pl-111/pressure'][data-point-state=low]")


async def a_value_is_read_with_its_trend(page):
    point = page.locator("[data-point$='pl-111/pressure']")
    await expect(point).to_contain_text("ниже нормы")
    await expect(point).to_contain_text("возраст")
    await expect(point.locator(".caption")).to_contain_text(
        re.compile(r"бар\s+· норма \d,\d … \d,\d бар")
    )
    canvas = point.locator(".trend canvas")
    box = await canvas.bounding_box()
    await page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 40)
    await expect(point.locator(".readout")).to_contain_text(
        re.compile(r"^\d\d:\d\d:\d\d +\d(,\d+)? бар$")
    )
    await the_trend_grows(page)


async def the_trend_grows(page):
    # The page's own policy forbids what playwright's wait_for_function would need.
    samples = "Number(document.querySelector('.trend').dataset.samples)"
    before = await page.evaluate(samples)

    async def grown():
        return await page.evaluate(samples) > before

    await answered(grown, "the trend to grow", WAIT_MS / 1000)


async def a_valve_is_closed_and_opened(page):
    await page.click(".languages button[lang=kk]")
    await page.fill(".search input", "vc-125")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("h2:has-text('Ысырма камерасы 125')")
    valve = page.locator("[data-point$='vc-125/open']")
    await expect(valve.locator(".value")).to_have_text("ашық")
    await valve.locator(".command >> text=Жабу").click()
    await expect(valve.locator(".confirm")).to_contain_text("Нақты мәні қазір: ашық")
    await valve.locator(".confirm button.go").click()
    # What was asked for stands beside what was read; the value changes by the reading alone.
    await page.wait_for_selector("[data-state=settled]")
    await expect(valve.locator(".progress")).to_contain_text("Сұралған мән")
    await expect(valve.locator(".value")).to_have_text("жабық", timeout=WAIT_MS)
    await valve.locator(".command >> text=Ашу").click()
    await valve.locator(".confirm button.go").click()
    await expect(valve.locator(".value")).to_have_text("ашық", timeout=WAIT_MS)


async def the_keyboard_is_enough(page):
    await page.keyboard.press("Escape")
    await expect(page.locator(".card")).to_have_count(0)
    await page.keyboard.press("/")
    await page.keyboard.type("ps-10")
    await page.keyboard.press("Enter")
    speed = page.locator("[data-point$='ps-10/speed']")
    await speed.locator("input").focus()
    await page.keyboard.type("500")
    await page.keyboard.press("Enter")
    await expect(speed.locator("[role=alert]")).to_have_text("Ауқымдағы санды енгізіңіз")
    await speed.locator("input").fill("95,5")
    await page.keyboard.press("Enter")
    await expect(speed.locator(".confirm")).to_contain_text("50 … 110 %")
    await expect(speed.locator(".confirm .go")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(speed.locator(".confirm")).to_have_count(0)


async def the_map_is_owed_to_somebody(page):
    await expect(page.locator(".maplibregl-ctrl-attrib")).to_be_visible()
    for language, words in (("en", "© OpenStreetMap contributors (ODbL)"), ("kk", "қатысушылары")):
        await page.click(f".languages button[lang={language}]")
        await expect(page.locator(".maplibregl-ctrl-attrib")).to_contain_text(words)


async def a_telephone_is_wide_enough(browser):
    for language in ("kk", "ru", "en"):
        page = await browser.operator(
            viewport={"width": 390, "height": 844}, locale=language, has_touch=True
        )
        width = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
        assert await page.evaluate(width) == 390
        for button in await page.locator("aside nav button").all():
            await button.tap()
            assert await page.evaluate(width) == 390
        await page.fill(".search input", "vc-189")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".trend canvas")
        assert await page.evaluate(width) == 390
        await page.context.close()


async def test_the_hub_and_the_token_go_and_the_page_says_so(tmp_path):
    demo = Demo(tmp_path / "demo")
    async with demo, browser_on(demo) as browser:
        page = await browser.operator(locale="en")
        await page.fill(".search input", "pl-111")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".trend canvas")
        demo.child("citytwin_hub.cli").kill()
        await page.wait_for_selector(".live.off")
        assert await page.get_attribute("html", "data-live") == "false"
        await page.wait_for_selector(".live.on", timeout=60_000)
        await the_trend_grows(page)
        # The whole demo ends and starts again; the page that was open finds back by itself.
        assert await demo.end(signal.SIGINT) == (0, "")
        await page.wait_for_selector(".live.off")
        async with Demo(tmp_path / "demo", offset=demo.offset, port=demo.port) as again:
            assert again.url == demo.url
            await page.wait_for_selector(".live.on", timeout=60_000)
            await page.reload()
            await page.wait_for_selector(".live.on")
            await a_token_that_has_ended_leads_to_the_sign_in(page, again)


async def a_token_that_has_ended_leads_to_the_sign_in(page, demo):
    renewed = await demo.renew_token()
    demo.child("citytwin_hub.cli").kill()
    await page.wait_for_selector("text=The token is not valid", timeout=60_000)
    await page.fill("input[name=token]", "wrong")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=The token is not valid")
    await page.fill("input[name=token]", renewed)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".live.on")
    await page.wait_for_selector("#map canvas")
