"""Reloading under load on the machine's own clock: real Modbus TCP devices that count."""

import asyncio
from random import Random

from citytwin import Severity, SystemClock
from citytwin.quality import severity
from citytwin_edge.agent import Agent
from citytwin_edge.config import load
from tests.edge.small_hub import SmallHub
from tests.faults.meters import Liar, serving
from tests.waiting import until

RELOADS = 50


def written(folder, *tables, flush_ms=50):
    path = folder / "edge.toml"
    path.write_text(
        f'[gateway]\nname = "g"\nstate = "state"\n[outbox]\nflush_ms = {flush_ms}\n'
        + "".join(tables)
    )
    return path


def read_of(hub, meter):
    """Return what the hub has of a meter's first register, bad ones left out."""
    batch = hub.of(f"g/{meter.name}/r0")
    good = batch.select(severity(batch.quality) != Severity.BAD)
    return [int(value) for value in good.value]


async def test_fifty_reloads_under_load_lose_and_repeat_nothing(tmp_path):
    meters = [Liar(name) for name in ("kept", "changed", "guest")]
    for meter in meters:
        meter._period_s = 0.05
    kept, changed, guest = meters
    clock = SystemClock()
    hub = SmallHub(clock)
    async with serving(*meters):
        agent = Agent(load(written(tmp_path, kept.table())), clock, hub.connect, Random(1))
        running = asyncio.create_task(agent.run())
        poller = agent.pollers["kept"]
        try:
            for turn in range(RELOADS):
                pace = changed.table().replace(
                    "backoff_s_max = 1.0", f"backoff_s_max = {turn + 1}.0"
                )
                written(tmp_path, kept.table(), pace, guest.table() if turn % 2 else "",
                        flush_ms=50 + turn % 3)  # fmt: skip
                answer = await agent.reloader.reload()
                assert (answer.number, answer.result) == (turn + 1, "applied"), answer
                await until(lambda wanted=changed.answers + 2: changed.answers >= wanted, "more")
            assert agent.pollers["kept"] is poller
        finally:
            agent.stop()
            await asyncio.wait_for(running, 10)
    assert hub.repeated == 0
    left = agent.accepted_samples - len(hub.samples)
    assert (agent.dropped_samples, left) == (0, left)
    for meter in meters:
        read = read_of(hub, meter)
        # What was read last may not have been acknowledged yet; it is in the outbox.
        assert read == list(range(1, len(read) + 1)), meter.name
        assert meter.answers - len(read) <= 3, meter.name
    assert kept.peer.connections == 1, "it never noticed"
    assert poller.stats.failures.total() == 0
    assert changed.peer.connections == RELOADS, "it was built anew each time"
    assert guest.answers > RELOADS // 4
