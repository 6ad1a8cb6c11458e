"""Signing in on the page in a real Chromium: a name and a password, and out again."""

import pytest
from playwright.async_api import async_playwright

from tests.city.demo_city import CHROMIUM
from tests.hub.running import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
WORD = "Alatau over Medeu"


async def test_a_person_signs_in_and_out(tmp_path):
    async with serving(tmp_path / "hub") as running, async_playwright() as playwright:
        running.hub.accounts.set_password("operator", WORD)
        chromium = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM
        )
        page = await (await chromium.new_context(locale="ru")).new_page()
        page.set_default_timeout(30_000)
        await page.goto(running.address)
        await page.fill("input[name=name]", "operator")
        await page.fill("input[name=password]", "not the one, but long")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=Имя и пароль не подходят")
        await page.fill("input[name=name]", "operator")
        await page.fill("input[name=password]", WORD)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".live.on")
        kept = await page.evaluate("JSON.stringify(sessionStorage) + document.cookie")
        assert "token" not in kept, "no script can read what opens the session"
        await page.reload()
        await page.wait_for_selector(".live.on")
        await page.click("button[aria-label=Выйти]")
        await page.wait_for_selector("input[name=password]")
        await page.reload()
        await page.wait_for_selector("input[name=password]")
        await chromium.close()
