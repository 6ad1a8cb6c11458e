"""IEC 62056-21 line: turns, silence, a line that is never quiet, a port that goes."""

import asyncio
import contextlib

import pytest

from citytwin.clock import SystemClock
from citytwin.errors import DeviceMalformed, DeviceSilent
from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.iec62056_line import IecLine, Manner, Meter
from citytwin_edge.wire.iec62056_dialogue import Plan, identify, readout
from tests.edge.meters import iec_meter
from tests.edge.wire.meter_recordings import E350
from tests.waiting import until

NAME = b"/LGZ4ZMF100AC.M26"
MANNER = Manner("xor", True, timeout_s=0.4, total_s=5.0, pause_s=0.0, wake_up_s=0.0)


@contextlib.asynccontextmanager
async def line_of(path):
    line, meter = (
        IecLine(Endpoint("iec62056", serial=str(path), baud=300), SystemClock()),
        Meter("m"),
    )
    line.join(meter)
    try:
        yield line, meter
    finally:
        await line.leave(meter)


async def test_the_speed_is_the_first_one_again_for_the_next(tmp_path):
    path = tmp_path / "port"
    async with iec_meter(path, NAME, E350), line_of(path) as (line, meter):
        told, time_ns = await line.talk(meter, readout(Plan()), MANNER)
        assert (line.baud, told.sets[0].name) == (4800, "F.F")
        assert time_ns > 0
        who, _ = await line.talk(meter, identify(Plan()), MANNER)
        assert (line.baud, str(who)) == (300, NAME.decode())


async def test_a_dialogue_has_the_line_to_itself(tmp_path):
    path = tmp_path / "port"
    async with iec_meter(path, NAME, E350) as device, line_of(path) as (line, meter):
        await asyncio.gather(*(line.talk(meter, readout(Plan()), MANNER) for _ in range(3)))
    assert device.asked == [b"/?!\r\n", b"\x06040\r\n"] * 3
    assert device.garbled == 2, "each began at 300 Bd while the meter still was at 4800"


async def test_a_whole_dialogue_has_a_limit(tmp_path):
    path = tmp_path / "port"
    async with iec_meter(path, NAME, E350), line_of(path) as (line, meter):
        with pytest.raises(DeviceSilent, match="readout_s_max"):
            await line.talk(meter, readout(Plan()), MANNER._replace(total_s=0.3))
        await line.talk(meter, identify(Plan()), MANNER)


async def test_a_line_that_is_never_quiet(tmp_path):
    path = tmp_path / "port"
    async with iec_meter(path, NAME, E350) as device, line_of(path) as (line, meter):
        await line.talk(meter, identify(Plan()), MANNER)

        async def babble():
            while True:
                device.say(b"xxx")
                await asyncio.sleep(0.02)

        task = asyncio.ensure_future(babble())
        await until(lambda: line._inbox, "somebody speaks", 5)
        with pytest.raises(DeviceMalformed, match="never quiet"):
            await line.talk(meter, identify(Plan()), MANNER._replace(pause_s=0.2, total_s=0.5))
        task.cancel()


async def test_leaving_ends_a_dialogue(tmp_path):
    path = tmp_path / "port"
    async with iec_meter(path, NAME, E350) as device, line_of(path) as (line, meter):
        device.is_dead = True
        talk = asyncio.ensure_future(
            line.talk(meter, readout(Plan()), MANNER._replace(timeout_s=30.0, total_s=30.0))
        )
        await until(lambda: device.asked, "the request has come", 10)
        await line.leave(meter)
        with pytest.raises(DeviceSilent, match="closed"):
            await talk
        with pytest.raises(DeviceSilent, match="was closed"):
            await line.talk(meter, identify(Plan()), MANNER)
