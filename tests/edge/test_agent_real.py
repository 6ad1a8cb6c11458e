"""The whole gateway on the machine's own clock: real Modbus devices, real mutual TLS."""

import asyncio
import contextlib
from random import Random

from citytwin import Command, OutcomeState, Readback, SystemClock
from citytwin_edge.agent import Agent
from citytwin_edge.config import load
from citytwin_edge.dial import Dialler
from citytwin_edge.enrol import load as load_identity
from citytwin_hub.authority import Authority
from tests.edge.modbus_devices import device, tcp_server
from tests.edge.small_hub import SmallHub, identity_of
from tests.waiting import until

POINTS = "".join(
    f'[[device.point]]\nname = "r{n}"\ntable = "holding"\naddress = {n}\nscale = 0.1\n'
    for n in range(10)
)


def written(folder, ports, points=POINTS):
    folder.mkdir(exist_ok=True)
    devices = "".join(
        f'[[device]]\nname = "d{n}"\nadapter = "modbus"\nhost = "127.0.0.1"\nport = {port}\n'
        f"period_s = 0.1\n{points}"
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


def commandable(name, address, failsafe, after_s):
    return (
        f'[[device.point]]\nname = "{name}"\ntable = "holding"\naddress = {address}\n'
        "scale = 0.1\nwritable = [0, 50]\n"
        f"write = {{ failsafe = {failsafe}, failsafe_after_s = {after_s} }}\n"
    )


def order(clock, number, point, value):
    now_ns = clock.now_ns()
    return Command(
        id=f"{number:032x}", point=point, value=value, issued_by="aigul", issued_ns=now_ns,
        expires_ns=now_ns + 60 * 10**9, readback=Readback(point, value, 0.05, 10 * 10**9),
    )  # fmt: skip


async def test_without_its_hub_a_commanded_register_becomes_the_fail_safe_value_once(tmp_path):
    clock, written_to = SystemClock(), []

    async def heard(function, start, address, _count, registers, values):
        if function in {6, 16} and values is not None:
            written_to.append((address, list(values)))

    points = commandable("pump", 0, 1.5, 1) + commandable("valve", 1, 20, 3)
    points += commandable("left-alone", 2, 30, 1)
    authority, hub = Authority(tmp_path / "authority", clock.now_ns()), SmallHub(clock)
    async with contextlib.AsyncExitStack() as later:
        unit = device(1, [(0, [100, 200, 300])], action=heard)
        port = await later.enter_async_context(tcp_server(unit))
        config = written(tmp_path / "gateway", [port], points)
        identity_of(authority, "g", config.state)
        async with hub.listening(authority) as address:
            await later.enter_async_context(running(config, address))
            await hub.until(lambda: len(hub.samples) > 10)
            for number, point in enumerate(("g/d0/pump", "g/d0/valve")):
                hub.order(order(clock, number, point, 40.0))
            await hub.until(lambda: len(hub.outcomes) == 2)
            assert {one.state for one in hub.outcomes} == {OutcomeState.EXECUTED}
            await hub.until(lambda: hub.of("g/d0/valve").value[-1] == 40.0)
        # What has the longer time is set last, after further looks at the one that came first.
        await until(lambda: (1, [200]) in written_to[2:], "the valve's fail-safe value")
        assert written_to == [(0, [400]), (1, [400]), (0, [15]), (1, [200])]
        async with hub.listening(authority, int(address.rpartition(":")[2])):
            await hub.until(lambda: hub.of("g/d0/valve").value[-1] == 20.0)
            assert hub.of("g/d0/pump").value[-1] == 1.5, "nothing is undone"
            assert set(hub.of("g/d0/left-alone").value) == {30.0}, "nobody had commanded it"
    assert len(written_to) == 4
