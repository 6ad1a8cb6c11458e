"""kill -9 of agent and hub at random moments: every accepted entry is journalled, once."""

import asyncio
import json
import signal
import socket
import sys
from random import Random

import httpx
import numpy as np
import pytest

from citytwin_edge.outbox import Outbox
from citytwin_hub.history.parquet import ParquetHistory
from citytwin_hub.journal.segments import SegmentJournal
from citytwin_hub.readers import Readers
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin
from tests.edge.modbus_devices import device, tcp_server

KILLS = 50
EDGE = "import sys; from citytwin_edge.cli import main; sys.exit(main())"
HUB = "import sys; from citytwin_hub.cli import main; sys.exit(main())"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """One hub and one gateway as processes, with their files in one folder."""

    def __init__(self, folder, meter_port):
        self.folder, self.processes = folder, []
        self.http, self.link, self.enrol = free_port(), free_port(), free_port()
        (folder / "hub.toml").write_text(
            f'[hub]\nstate = "{folder}/hub"\n[link]\nbind = "127.0.0.1:{self.link}"\n'
            f'enrol_bind = "127.0.0.1:{self.enrol}"\n[http]\nbind = "127.0.0.1:{self.http}"\n'
            "[history]\nflush_s = 2.0\n"
        )
        points = "".join(
            f'[[device.point]]\nname = "r{n}"\ntable = "holding"\naddress = {n}\ntype = "uint16"\n'
            for n in range(20)
        )
        (folder / "edge.toml").write_text(
            '[gateway]\nname = "g-1"\nstate = "state"\n[outbox]\nflush_ms = 50\n'
            f'[[device]]\nname = "m"\nadapter = "modbus"\nhost = "127.0.0.1"\nport = {meter_port}\n'
            f"period_s = 0.05\n{points}"
        )

    async def command(self, code, *arguments):
        """Run a command to its end; return what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *arguments, cwd=self.folder, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, out
        return out.decode()

    async def start(self, code, *arguments):
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, *arguments, cwd=self.folder, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def end(self):
        """Leave nothing running, however the test went."""
        for process in self.processes:
            if process.returncode is None:
                process.kill()

    def hub(self):
        return self.start(HUB, "--config", "hub.toml", "run")

    def agent(self):
        return self.start(EDGE, "run", "--config", "edge.toml")

    async def until_hub_answers(self):
        async with httpx.AsyncClient() as client:
            async with asyncio.timeout(30):
                while True:
                    try:
                        await client.get(f"http://127.0.0.1:{self.http}/healthz")
                    except httpx.HTTPError:
                        await asyncio.sleep(0.05)
                    else:
                        return

    async def until_drained(self):
        """Wait until the agent, which reads no more, has nothing left to send."""
        async with asyncio.timeout(60):
            while json.loads(await self.command(EDGE, "outbox", "--json", "--config", "edge.toml")):
                await asyncio.sleep(0.2)


async def kill_often(start, kills, random, seconds):
    """Start a process, kill it after a random time, and again; return how often."""
    for _ in range(kills):
        process = await start()
        await asyncio.sleep(random.uniform(*seconds))
        process.send_signal(signal.SIGKILL)
        await process.wait()
    return kills


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_hundred_kills_lose_and_repeat_nothing(tmp_path, request):
    meter = device(1, [(0, list(range(20)))])
    async with tcp_server(meter) as port:
        site = Site(tmp_path, port)
        request.addfinalizer(site.end)
        hub = await site.hub()
        await site.until_hub_answers()
        made = await site.command(
            HUB, "--config", "hub.toml", "--json", "enrol-token", "--gateway", "g-1"
        )
        address, token = f"127.0.0.1:{site.enrol}", json.loads(made)["token"]
        await site.command(EDGE, "enrol", address, token, "--config", "edge.toml")
        hub.kill()
        await hub.wait()
        kills = await asyncio.gather(
            kill_often(site.agent, KILLS, Random(1), (0.4, 1.8)),
            kill_often(site.hub, KILLS, Random(2), (0.5, 2.0)),
        )
    # The meter is gone: what is in the outbox now, and the news that it is gone, must still arrive.
    hub, agent = await site.hub(), await site.agent()
    await site.until_drained()
    for process in (agent, hub):
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    check(tmp_path, sum(kills))


def check(folder, kills):
    outbox = Outbox(folder / "state" / "outbox.db", size_bytes_max=1 << 30)
    last, left = outbox.stats().last_number, outbox.pending(0, 10**6)
    journal = SegmentJournal(folder / "hub" / "journal")
    durable = journal.durable_through(outbox.stream)
    lost = [entry.number for entry in left if entry.number > durable]
    history = ParquetHistory(folder / "hub" / "history", lambda _row: "g-1")
    readers = Readers(journal, Twin(), history, None)
    readers.replay(history.position)
    rows = list(Registry(folder / "hub" / "registry.db").points)
    seen = history.read(rows, 0, 2**62, samples_max=10**7)
    pairs = np.unique(np.stack((seen.point.astype(np.int64), seen.time_ns)), axis=1)
    repeated = len(seen) - pairs.shape[1]
    sys.stdout.write(
        f"\nkills {kills}, entries {last}, samples {len(seen)}, lost {len(lost)}, "
        f"repeated {repeated}\n"
    )
    assert durable >= last - len(left)
    # At its very end the stopping agent keeps a last flush for its next start.
    assert all(number > durable for number in lost)
    assert len(lost) <= 3
    assert repeated == 0
    assert len(seen) > 2000
