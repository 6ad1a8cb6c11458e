"""A plant's history at the hub to an alarm with its sentence: fit, push, fault; real processes."""

import contextlib

import numpy as np
import pytest

from citytwin import Batch, SystemClock
from citytwin_edge.config import load
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import EntryKind, NewEntry, Outbox
from citytwin_protos.codec import pack
from tests.edge.modbus_devices import device, tcp_server
from tests.site import Site, asked, latest
from tests.waiting import answered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STEP_S, DAYS = 5, 8
SECOND_NS = 10**9
NAMES = ("flow", "pressure", "running")
BLOCK = 9_999
HOUSE = """\
[[device]]
name = "house"
adapter = "modbus"
label = {{ kk = "Сорғы үйі", ru = "Насосная", en = "Pump house" }}
period_s = 0.5
host = "127.0.0.1"
port = {port}
[[device.point]]
name = "flow"
unit = "m3/h"
table = "holding"
address = 0
scale = 0.1
[[device.point]]
name = "pressure"
unit = "bar"
table = "holding"
address = 1
scale = 0.01
label = {{ kk = "Қысым", ru = "Давление", en = "Pressure" }}
[[device.point]]
name = "running"
kind = "state"
table = "holding"
address = 2
"""


def values(step, random):
    """Return flow, pressure and whether the pump runs, in some steps; shape (3, n).

    It runs for 20 s and rests for 20 s; nobody drives a pump so, but a test need not wait for it.
    """
    running = (step // 4 % 2).astype(float)
    flow = 40 * running + 0.5 * random.standard_normal(len(step))
    pressure = 3 + 1.5 * running + 0.02 * random.standard_normal(len(step))
    return np.array((np.maximum(flow, 0), pressure, running))


class House:
    """A pump house behind Modbus; ``stuck`` is a gauge whose tap is closed."""

    def __init__(self):
        self.random, self.clock = np.random.default_rng(5), SystemClock()
        self.stuck = False

    @contextlib.asynccontextmanager
    async def serving(self):
        simulated = device(1, [(0, [0, 0, 0, 0])], action=self._answer)
        async with tcp_server(simulated) as self.port:
            yield self

    async def _answer(self, _function, _start, _at, _count, registers, _set):
        step = np.array([self.clock.now_ns() // (STEP_S * SECOND_NS)])
        flow, pressure, running = values(step, self.random)[:, 0]
        pressure = 4.5 if self.stuck else pressure
        registers[:3] = round(flow * 10), round(pressure * 100), round(running)


def leave_behind(gateway):
    """Put days into the outbox, as an agent that had no way to its hub leaves them there."""
    config = load(gateway.folder / "edge.toml")
    now = SystemClock().now_ns() // (STEP_S * SECOND_NS)
    step = now - np.arange(DAYS * 86_400 // STEP_S, 0, -1)
    seen = values(step, np.random.default_rng(3))
    outbox = Outbox(gateway.outbox, size_bytes_max=config.outbox_bytes_max)
    numbers = Numbering(outbox.connect()).numbers([one.point for one in config.points])
    point = np.tile(numbers, len(step))
    batch = Batch.of(point, np.repeat(step * STEP_S * SECOND_NS, len(numbers)), seen.T.ravel())
    parts = [batch.select(slice(at, at + BLOCK)) for at in range(0, len(batch), BLOCK)]
    outbox.append_many([NewEntry(EntryKind.TELEMETRY, pack(one), len(one)) for one in parts])
    outbox.close()


@pytest.fixture
async def town(tmp_path):
    async with House().serving() as house, contextlib.AsyncExitStack() as stack:
        site = Site(tmp_path)
        stack.push_async_callback(site.end)
        await site.start_hub()
        gateway = site.gateway("g-1")
        gateway.configure(site.link, HOUSE.format(port=house.port))
        await site.admit(gateway)
        leave_behind(gateway)
        await gateway.start()
        await gateway.until_delivered()
        yield site, gateway, house


async def fitted(site):
    """Fit of the hub's history, and put the kernel behind what the gateway runs; as the guide."""
    clock = SystemClock()
    span = [clock.now_ns() // SECOND_NS - days * 86_400 for days in (DAYS + 1, -1)]
    start, end = (f"{np.datetime64(one, 's')}+00:00" for one in span)
    made = await site.hub_command(
        "fit", "g-1", "--start", start, "--end", end, "--step", str(STEP_S), "-o", "kernel.toml"
    )
    assert made.code == 0, made.err
    table = (site.folder / "kernel.toml").read_text()
    shown = await site.hub_command("config", "g-1", "show")
    assert shown.code == 0, shown.err
    (site.folder / "edge.toml").write_text(f"{shown.out}\n{table}hold_steps = 1\n")


async def alarm(site, judge):
    """Wait for the hub's alarm of the plant to be as it must be; return it."""
    async with site.web() as web:

        async def found():
            alarms = (await asked(web, "alarms"))["alarms"]
            right = [one for one in alarms if one["kind"] == "plant" and judge(one)]
            return right[0] if right else None

        found_alarm = await answered(found, "the plant's alarm at the hub")
    assert found_alarm is not None
    return found_alarm


async def test_a_fitted_model_is_pushed_and_finds_a_fault(town):
    site, gateway, house = town
    await fitted(site)
    pushed = await site.hub_command(
        "config", "g-1", "push", "edge.toml", "--why", "a model of the plant", "--wait"
    )
    assert pushed.code == 0, pushed.err
    async with site.web() as web:

        async def score():
            return await latest(web, "g-1/house/flow.plant-score")

        told = await answered(score, "the plant's score at the hub")
        assert told is not None
        assert told["value"] < 1
        assert (await asked(web, "alarms"))["alarms"] == []

    house.stuck = True
    raised = await alarm(site, lambda one: "Pressure (4.5 bar)" in one["text"]["en"])
    assert (raised["state"], raised["point"]) == ("raised", "g-1/house/flow.plant")
    text = raised["text"]
    begins = "Pump house: the plant behaves unusually, most of all Pressure (4.5 bar), expected "
    assert text["en"].startswith(begins)
    assert 2.5 < float(text["en"].removeprefix(begins).removesuffix(" bar")) < 3.5
    begins = "Насосная: установка ведёт себя необычно, прежде всего Давление (4,5 бар), ожидалось "
    assert text["ru"].startswith(begins)
    begins = "Сорғы үйі: қондырғы әдеттегідей емес, ең алдымен Қысым (4,5 бар), күтілгені "
    assert text["kk"].startswith(begins)
    listed = await site.hub_command("alarms")
    assert "most of all Pressure" in listed.out

    house.stuck = False
    returned = await alarm(site, lambda one: one["state"] == "returned")
    assert returned["id"] == raised["id"]
    await gateway.stop()
    assert not gateway.said("kernel.failed")
