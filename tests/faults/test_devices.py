"""Devices fail: silent, slow, lying, unplugged, their broker gone; a reason, never a value."""

import asyncio
import contextlib
import json

import aiomqtt
import numpy as np
import pytest

from citytwin import Quality
from tests.edge.modbus_devices import mbap, registers
from tests.faults.books import Life, Watched, heard, opened
from tests.faults.meters import FALSE, IMPATIENCE_S, Liar, Meter, SerialMeter, serving
from tests.servers import free_port, mosquitto
from tests.waiting import cancelled, until

LATE_S = 2 * IMPATIENCE_S
LIES = {
    "silent": (lambda _t, _u, _p: [], 0.0, Quality.BAD_SILENT),
    "garbage": (lambda *_: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], 0.0, Quality.BAD_MALFORMED),
    "wrong-unit": (
        lambda t, u, p: [mbap(t, u + 1, registers(p, FALSE))], 0.0, Quality.BAD_MALFORMED,
    ),
    "wrong-transaction": (
        lambda t, u, p: [mbap(t ^ 0x5555, u, registers(p, FALSE))], 0.0, Quality.BAD_MALFORMED,
    ),
    "half": (lambda t, u, p: [mbap(t, u, registers(p, FALSE))[:-1]], 0.0, Quality.BAD_MALFORMED),
    "slow": (lambda t, u, p: [mbap(t, u, registers(p, FALSE))], LATE_S, Quality.BAD_SILENT),
    "late": (None, LATE_S, Quality.BAD_SILENT),
}  # fmt: skip
LIES_TOLD = 3
UNPLUGS = 3
BROKERS = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


async def misbehave(liar, neighbour):
    """Let a device be honest, then lie, then be honest again."""
    await liar.more(10)
    before, told = neighbour.answers, liar.misdeeds + LIES_TOLD
    liar.lying, liar.late_s, _ = LIES[liar.name]
    await until(lambda: liar.misdeeds >= told, f"{liar.name} to be asked")
    if liar.name in {"slow", "silent", "late"}:
        # The agent has waited twice for two seconds; at ten polls a second the neighbour kept on.
        assert neighbour.answers - before > 20, "the neighbours keep their pace"
    liar.lying, liar.late_s = None, 0.0
    await liar.more(10)


async def devices_misbehave(ground):
    site, neighbour = await ground.town(), Meter("neighbour")
    liars = [Liar(name) for name in LIES]
    async with serving(neighbour, *liars):
        gateway = await ground.gateway(site, "lied-to", neighbour, *liars)
        watched = Watched(gateway, neighbour, *liars)
        await watched.start()
        await asyncio.gather(*(misbehave(liar, neighbour) for liar in liars))
        await watched.finish()
    books = await opened(site, watched)
    for liar in liars:
        for point in liar.points:
            seen = books.of(liar.name, point)
            bad = seen.select(np.isnan(seen.value))
            assert FALSE not in seen.value, "a bad answer is never a value"
            assert int(LIES[liar.name][2]) in bad.quality, (liar.name, bad.quality)
    late = sum(books.late_answers(life) for life in watched.lives)
    assert late >= LIES_TOLD, "an answer that comes late is no value"
    lies = sum(len(liar.lies_after) for liar in liars)
    return books.account(
        "device silent, slow, garbage, foreign ids", len(LIES), f"{lies} lies, {late} late answers"
    )


async def serial_line_unplugged(ground):
    site, neighbour = await ground.town(), Meter("neighbour")
    serial = SerialMeter("serial", ground.folder)
    async with serving(neighbour, serial):
        gateway = await ground.gateway(site, "unplugged", neighbour, serial)
        watched = Watched(gateway, neighbour, serial)
        await watched.start()
        for _ in range(UNPLUGS):
            await serial.more(10)
            await serial.unplug()
            watched.torn(serial)
            await neighbour.more()
            await serial.plug()
        await serial.more(10)
        await watched.finish()
    books = await opened(site, watched)
    silent = books.of("serial", "r0").quality == Quality.BAD_SILENT
    assert np.count_nonzero(silent) >= UNPLUGS
    torn = sum(books.not_accepted(life) for life in watched.lives)
    # While the line is torn out one poll may be on it, and, on RTU, its repetition.
    assert torn <= 2 * (UNPLUGS + 1)
    return books.account("serial line unplugged and back", UNPLUGS, f"{torn} answers torn")


class Publisher(Meter):
    """Publishes a growing number to a broker; counts what the broker has taken."""

    is_asked = False

    def __init__(self, name, port):
        super().__init__(name)
        self.port = port
        self._publishing = None

    @property
    def points(self):
        return ["n"]

    def table(self):
        return (
            f'[[device]]\nname = "{self.name}"\nadapter = "mqtt"\nhost = "127.0.0.1"\n'
            f"port = {self.port}\nbackoff_s = 0.2\nbackoff_s_max = 1.0\n"
            '[[device.point]]\nname = "n"\ntopic = "air/1"\npath = "$.n"\n'
        )

    async def open(self):
        self._publishing = asyncio.ensure_future(self._publish())

    async def close(self):
        if self._publishing is not None:
            await cancelled(self._publishing)

    async def _publish(self):
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self.port) as client:
                    while True:
                        # Counted before it is sent: what a dying broker passed on was measured.
                        self.answers += 1
                        await client.publish("air/1", json.dumps({"n": self.answers}), qos=1)
                        await asyncio.sleep(0.1)
            await asyncio.sleep(0.1)


async def broker_restarts(ground):
    site, neighbour = await ground.town(), Meter("neighbour")
    air = Publisher("air", free_port())
    lives = []
    async with serving(neighbour, air):
        gateway = await ground.gateway(site, "broken", neighbour, air)
        watched = Watched(gateway, neighbour)
        await watched.start()
        for _ in range(BROKERS):
            begin = air.answers
            async with mosquitto(ground.folder, port=air.port):
                await heard(site, "broken/air/n", begin)
                await air.more(10)
            lives.append((begin, air.answers))
        await watched.finish()
    watched.meters = (neighbour, air)
    books = await opened(site, watched)
    seen = books.of("air", "n")
    for begin, end in lives:
        # A broker hands on what comes after the agent has subscribed, and not what it held when
        # it died: between the first and the last number of its life there is no gap.
        mine = seen.value[(seen.value > begin) & (seen.value <= end)]
        watched.lives.append(Life(air, int(mine.min()) - 1, end))
    assert Quality.BAD_SILENT in seen.quality, "without the broker there is no value"
    return books.account("broker restarts", BROKERS, f"{len(seen)} messages and silences")


@pytest.mark.parametrize("scenario", [devices_misbehave, serial_line_unplugged, broker_restarts])
async def test_bad_answers_are_reasons_and_neighbours_lose_nothing(scenario, grounds, told):
    told(await grounds.account(scenario))
