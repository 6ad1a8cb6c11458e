"""An operator lets a gateway learn a point anew: a command from the hub to a kernel and back."""

import contextlib

import httpx
import pytest

from tests.city.test_plant import HOUSE, House
from tests.site import Site, asked, latest
from tests.waiting import answered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

POINT = "g-1/house/pressure"
MATURITY = f"{POINT}.anomaly-maturity"


@pytest.fixture
async def town(tmp_path):
    async with House().serving() as house, contextlib.AsyncExitStack() as stack:
        site = Site(tmp_path)
        stack.push_async_callback(site.end)
        await site.start_hub()
        gateway = site.gateway("g-1")
        watched = HOUSE.replace('unit = "bar"', 'unit = "bar"\nanomaly = {{ every_s = 1 }}')
        gateway.configure(site.link, watched.format(port=house.port))
        await site.admit(gateway)
        await gateway.start()
        yield site, gateway


async def test_it_is_asked_for_done_read_back_and_journalled(town):
    site, gateway = town
    async with site.web() as web:

        async def learning():
            told = await latest(web, MATURITY)
            return told is not None and told["time_ms"] > 0

        await answered(learning, "the gateway to say how far it has learnt")
        (found,) = (await asked(web, "points", q=MATURITY))["points"]
        assert (found["writable"], found["kind"]) == ([0, 0], "state")
        done = await site.hub_command("--json", "learn-anew", POINT, "--wait")
        assert done.code == 0, done.err
        (newest, *_) = (await asked(web, "commands"))["commands"]
        assert (newest["point"], newest["value"], newest["state"]) == (MATURITY, 0, "settled")
        steps = [one["state"] for one in newest["history"]]
        assert steps == ["submitted", "sent", "executed", "settled"]
        assert gateway.said("command.executed")
        # Nothing else may be said to it, and nobody who may only look says it.
        wrong = await web.post("commands", json={"point": MATURITY, "value": 1})
        assert wrong.status_code == 422
        made = await site.hub_command("user", "add", "marat", "--role", "viewer")
        headers = {"Authorization": f"Bearer {made.out.strip()}"}
        async with httpx.AsyncClient(base_url=web.base_url, headers=headers) as looker:
            refused = await looker.post("commands", json={"point": MATURITY, "value": 0})
        assert refused.status_code == 403
    other = await site.hub_command("learn-anew", "g-1/house/flow")
    assert other.code == 1
    assert "no point" in other.err
    await gateway.stop()
