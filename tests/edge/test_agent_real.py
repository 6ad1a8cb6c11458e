"""The whole gateway on the machine's own clock: real Modbus devices, real mutual TLS."""

import asyncio
import contextlib
from random import Random

from citytwin import SystemClock
from citytwin_edge.agent import Agent
from citytwin_edge.config import load
from citytwin_edge.dial import Dialler
from citytwin_edge.enrol import load as load_identity
from citytwin_hub.authority import Authority
from tests.edge.modbus_devices import device, tcp_server
from tests.edge.small_hub import SmallHub, identity_of

POINTS = "".join(
    f'[[device.point]]\nname = "r{n}"\ntable = "holding"\naddress = {n}\nscale = 0.1\n'
    for n in range(10)
)


def written(folder, ports):
    folder.mkdir(exist_ok=True)
    devices = "".join(
        f'[[device]]\nname = "d{n}"\nadapter = "modbus"\nhost = "127.0.0.1"\nport = {port}\n'
        f"period_s = 0.1\n{POINTS}"
        for n, port in enumerate(ports)
    )
    path = folder / "edge.toml"
    path.write_text(f'[gateway]\nname = "g"\nstate = "state"\n[outbox]\nflush_ms = 100\n{devices}')
    return load(path)


@contextlib.asynccontextmanager
async def running(config, address):
    dialler = Dialler(address, load_identity(config.state, "g"), config.state)
    agent = Agent(config, SystemClock(), dialler, Random(1))
    task = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        agent.stop()
        async with asyncio.timeout(5):
            await task


async def test_registers_reach_the_hub_over_mutual_tls(tmp_path):
    clock = SystemClock()
    authority, hub = Authority(tmp_path / "authority", clock.now_ns()), SmallHub(clock)
    meter = device(1, [(0, range(100, 110))])
    async with tcp_server(meter) as port, hub.listening(authority) as address:
        config = written(tmp_path / "gateway", [port, port + 1 if port < 65535 else 1])
        identity_of(authority, "g", config.state)
        async with running(config, address) as agent:
            await hub.until(lambda: len(hub.samples) > 200)
        first = len(hub.entries)
        # Started again, it goes on with its numbers: nothing is lost, nothing comes twice.
        async with running(config, address) as agent:
            await hub.until(lambda: len(hub.entries) > first + 10)
            assert agent.uplink.connects == 1
        numbers = [number for number, _ in hub.entries]
        assert numbers == sorted(set(numbers))
        assert hub.repeated == 0
        assert len(hub.durable) == 1
        register = hub.of("g/d0/r7")
        assert set(register.value.tolist()) == {10.7}
        assert (register.time_ns[1:] > register.time_ns[:-1]).all()
        silent = hub.of("g/d1/r7")
        assert {int(quality) >> 6 for quality in silent.quality} == {2}


async def test_a_hub_that_goes_and_comes_back_gets_everything(tmp_path):
    clock = SystemClock()
    authority, hub = Authority(tmp_path / "authority", clock.now_ns()), SmallHub(clock)
    async with tcp_server(device(1, [(0, range(10))])) as port:
        config = written(tmp_path / "gateway", [port])
        identity_of(authority, "g", config.state)
        async with contextlib.AsyncExitStack() as later:
            async with hub.listening(authority) as address:
                agent = await later.enter_async_context(running(config, address))
                await hub.until(lambda: len(hub.samples) > 50)
            before = agent.outbox.stats().last_number
            number = int(address.rpartition(":")[2])
            await later.enter_async_context(hub.listening(authority, number))
            await hub.until(lambda: hub.entries[-1][0] > before + 5)
        numbers = [number for number, _ in hub.entries]
        assert numbers == list(range(1, numbers[-1] + 1))
        times = hub.of("g/d0/r0").time_ns
        assert (times[1:] > times[:-1]).all()
