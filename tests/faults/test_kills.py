"""kill -9 of agent and hub at random moments: every accepted sample is in the history, once."""

import asyncio
from random import Random

import pytest

from tests.faults.books import Watched, opened
from tests.faults.meters import Meter, serving

KILLS = 50

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="session")]


async def kill_often(start, works, kill, random):
    """Start a program, kill it at a random moment, and again: half of the time when it works."""
    for number in range(KILLS):
        await start()
        if number % 2:
            await works()
        # Any moment will do, that of its first breath too; nothing is waited for.
        await asyncio.sleep(random.uniform(0, 1.5))
        await kill()


async def killed(ground):
    site, meter = await ground.site(), Meter("m", period_s=0.05)
    async with serving(meter):
        gateway = await ground.gateway(site, "mortal", meter, flush_ms=50)
        await site.hub.kill()
        watched = Watched(gateway, meter)
        await asyncio.gather(
            kill_often(watched.start, lambda: meter.more(8), watched.kill, Random(1)),
            kill_often(site.hub.start, site.until_hub_answers, site.hub.kill, Random(2)),
        )
        await site.start_hub()
        await watched.start()
        await meter.more()
        await watched.finish()
    books = await opened(site, watched)
    young = sum(books.not_accepted(life) for life in watched.lives)
    remark = f"{books.kept.last} entries; {young} polls were too young to be on the disk"
    await site.hub.stop()
    return books.account("kill -9 of agent and hub", 2 * KILLS, remark)


async def test_a_hundred_kills_lose_and_repeat_nothing(grounds, told):
    await grounds.others()
    account = await killed(grounds.alone())
    assert account.samples > 2000
    told(account)
