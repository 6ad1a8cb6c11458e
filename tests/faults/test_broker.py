"""kill -9 of an agent that listens to a broker: nothing that was published is lost."""

import asyncio
import contextlib
from random import Random

import aiomqtt
import numpy as np
import pytest

from tests.faults.books import Watched, heard, opened
from tests.servers import broker
from tests.waiting import until

KILLS = 15
DEVICE = """
[[device]]
name = "d"
adapter = "mqtt"
host = "127.0.0.1"
port = {port}
client_id = "listener"
session_s = 600
backoff_s = 0.1
[[device.point]]
name = "n"
topic = "d/n"
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]


class Counting:
    """Publishes 1, 2, 3 … as fast as a busy instrument; ``last`` is how far it has come."""

    def __init__(self, client):
        self.client, self.last, self.enough = client, 0, False

    async def say(self):
        self.last += 1
        await self.client.publish("d/n", str(self.last), qos=1)

    async def run(self):
        while not self.enough:
            await self.say()
            await asyncio.sleep(0.003)


async def killed_while_listening(ground):
    random, site = Random(5), await ground.town()
    async with contextlib.AsyncExitStack() as stack:
        settings = ("allow_anonymous true", "max_queued_messages 0")
        running = await stack.enter_async_context(broker(ground.folder, *settings))
        device = DEVICE.format(port=running.port)
        gateway = await ground.gateway(site, "listener", devices=device, flush_ms=50)
        watched = Watched(gateway)
        await watched.start()
        # Only from then on does the broker keep what the gateway does not hear.
        await until(lambda: "listener" in running.clients(), "the gateway to listen")
        client = await stack.enter_async_context(aiomqtt.Client("127.0.0.1", running.port))
        counting = Counting(client)
        task = asyncio.create_task(counting.run())
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0.5, 3))
            await watched.kill()
            await watched.start()
        counting.enough = True
        await task
        before = counting.last
        await counting.say()
        await heard(site, "listener/d/n", before)
        await watched.finish()
    books = await opened(site, watched)
    seen = books.of("d", "n").value
    seen = seen[np.isfinite(seen)]
    missed = np.setdiff1d(np.arange(1, counting.last + 1), seen)
    # The broker gives again what a killed agent had kept but not confirmed: another reading.
    again = len(seen) - len(np.unique(seen))
    remark = f"{counting.last} messages, {again} given again by the broker"
    account = books.account("kill -9 of a listener with a session", KILLS, remark)
    return account._replace(lost=account.lost + len(missed))


@pytest.mark.parametrize("scenario", [killed_while_listening])
async def test_a_kept_session_survives_kills(scenario, grounds, told):
    account = await grounds.account(scenario)
    assert account.samples > 500
    told(account)
