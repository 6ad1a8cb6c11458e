"""The way to the hub fails: hub gone, line cut in mid-message, stalled, never there at all."""

import asyncio
from random import Random

import pytest

from tests.faults.books import Watched, opened
from tests.faults.meters import Meter, serving
from tests.relay import Relay, Way

DOWN_S = 60
STALL_S = 30
STALLS = 2
CUTS = 30
COLD_STARTS = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


async def hub_down_for_a_minute(ground):
    site, meter = await ground.site(), Meter("m")
    async with serving(meter):
        gateway = await ground.gateway(site, "lonely", meter)
        watched = Watched(gateway, meter)
        await watched.start()
        await meter.more()
        await site.hub.kill()
        before = gateway.waiting().last
        # A minute is what is stated; nothing is waited for.
        await asyncio.sleep(DOWN_S)
        kept = gateway.waiting().last - before
        assert kept > 10, "the agent went on without its hub"
        await site.start_hub()
        await meter.more()
        await watched.finish()
    books = await opened(site, watched)
    return books.account("hub down for a minute", 1, f"{kept} entries waited")


async def uplink_stalls_then_drops(ground):
    site, meter = await ground.town(), Meter("m")
    async with serving(meter), Relay(site.link) as relay:
        gateway = await ground.gateway(site, "stalled", meter, relay=relay)
        watched = Watched(gateway, meter)
        await watched.start()
        for _ in range(STALLS):
            await meter.more()
            await gateway.until_delivered()
            relay.stall()
            await asyncio.sleep(STALL_S)
            assert gateway.waiting().entries > 0, "nothing was taken for delivered"
            relay.drop()
        await watched.finish()
        lines = relay.connections
    books = await opened(site, watched)
    return books.account(f"uplink stalls for {STALL_S} s, then drops", STALLS, f"{lines} lines")


async def line_cut_in_mid_message(ground):
    site, meter, random = await ground.town(), Meter("m"), Random(11)
    async with serving(meter), Relay(site.link) as relay:
        gateway = await ground.gateway(site, "cut", meter, relay=relay)
        watched = Watched(gateway, meter)
        await watched.start()
        for number in range(CUTS):
            # Cut on its way up, an entry has not come; on its way down, an acknowledgement has
            # not, and the entry comes again. Every third time the line is cut while it opens.
            way: Way = ("up", "down")[number % 2]
            if number % 3:
                await gateway.until_delivered()
            async with asyncio.timeout(90):
                await relay.cut(way, random.randrange(1, 2000))
        await watched.finish()
    books = await opened(site, watched)
    return books.account("line cut in mid-message", CUTS, f"{relay.connections} lines")


async def cold_start_without_hub_then_kill(ground):
    site, meter = await ground.town(), Meter("m")
    async with serving(meter), Relay(site.link) as relay:
        gateway = await ground.gateway(site, "cold", meter, relay=relay)
        await relay.refuse()
        watched = Watched(gateway, meter)
        for _ in range(COLD_STARTS):
            await watched.start()
            await meter.more(40)
            await watched.kill()
        assert len(watched.copies) > 10, "what was read is on the disk"
        await relay.listen()
        await watched.start()
        await meter.more()
        await watched.finish()
    books = await opened(site, watched)
    young = sum(books.not_accepted(life) for life in watched.lives)
    remark = f"{len(watched.copies)} entries on the disk; {young} polls were too young to be"
    return books.account("cold start without hub, kill -9", COLD_STARTS, remark)


@pytest.mark.parametrize(
    "scenario",
    [
        hub_down_for_a_minute,
        uplink_stalls_then_drops,
        line_cut_in_mid_message,
        cold_start_without_hub_then_kill,
    ],
)
async def test_nothing_is_lost_or_repeated(scenario, grounds, told):
    told(await grounds.account(scenario))
