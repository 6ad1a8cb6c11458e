"""kill -9 of an agent that listens to a broker: nothing that was published is lost."""

import asyncio
import sys
from random import Random

import aiomqtt
import numpy as np
import pytest

from citytwin import SystemClock
from citytwin_edge.outbox import Outbox
from citytwin_hub.authority import Authority
from citytwin_protos.codec import unpack
from tests.edge.small_hub import identity_of
from tests.servers import broker, free_port

KILLS = 15
EDGE = "import sys; from citytwin_edge.cli import main; sys.exit(main())"


def configured(folder, port):
    """Write a gateway whose device is heard through a kept session; its hub is out of reach."""
    (folder / "edge.toml").write_text(
        f'[gateway]\nname = "g"\nstate = "state"\nhub = "127.0.0.1:{free_port()}"\n'
        "[outbox]\nflush_ms = 50\n"
        f'[[device]]\nname = "d"\nadapter = "mqtt"\nhost = "127.0.0.1"\nport = {port}\n'
        'client_id = "g"\nsession_s = 600\nbackoff_s = 0.1\n'
        '[[device.point]]\nname = "n"\ntopic = "d/n"\n'
    )
    authority = Authority(folder / "authority", SystemClock().now_ns())
    identity_of(authority, "g", folder / "state", hub="127.0.0.1:1")


async def start(folder):
    with (folder / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", EDGE, "run", "--config", "edge.toml",
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip


def kept(folder):
    """Return every number in the outbox."""
    outbox = Outbox(folder / "state" / "outbox.db", size_bytes_max=1 << 30)
    try:
        number = next(
            number for number, id_ in outbox.connect().execute("SELECT number, id FROM points")
            if id_ == "g/d/n"
        )  # fmt: skip
        batches = [unpack(entry.body) for entry in outbox.pending(0, 1_000_000)]
    finally:
        outbox.close()
    values = [batch.value[(batch.point == number)] for batch in batches]
    every = np.concatenate([np.empty(0), *values])
    return every[np.isfinite(every)]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_kept_session_survives_kills(tmp_path):
    random, published, enough = Random(5), 0, asyncio.Event()
    async with broker(tmp_path, "allow_anonymous true", "max_queued_messages 0") as running:
        configured(tmp_path, running.port)
        async with aiomqtt.Client("127.0.0.1", running.port) as client:

            async def publish():
                nonlocal published
                while not enough.is_set():
                    published += 1
                    await client.publish("d/n", str(published), qos=1)
                    await asyncio.sleep(0.003)

            process = await start(tmp_path)
            async with asyncio.timeout(60):
                while "g" not in running.clients():
                    await asyncio.sleep(0.05)
            publishing = asyncio.create_task(publish())
            for _ in range(KILLS):
                await asyncio.sleep(random.uniform(0.5, 3))
                process.kill()
                await process.wait()
                process = await start(tmp_path)
            enough.set()
            await publishing
            await client.publish("d/n", "-1", qos=1)  # the last word
            try:
                async with asyncio.timeout(60):
                    while -1.0 not in kept(tmp_path):
                        await asyncio.sleep(0.5)
            finally:
                process.kill()
                await process.wait()
    seen = kept(tmp_path)
    lost = set(range(1, published)) - set(seen.astype(int).tolist())
    repeated = len(seen) - len(set(seen.tolist()))
    said = f"{KILLS} kills, {published} messages, {len(lost)} lost, {repeated} repeated"
    sys.stderr.write(f"{said}\n")
    assert not lost, said
    assert published > 500
