"""Meter listener: broken messages told of every point, pauses, probes, a lost port."""

import asyncio
import math
from typing import Any

import pytest

from citytwin import Quality
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters import meter_listener
from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.meter_listener import (
    MeterListener,
    PortSource,
    TelegramValues,
    decoded,
    port_of,
)
from citytwin_edge.adapters.serial_messages import Reading
from citytwin_edge.wire.iec62056 import with_parity
from citytwin_edge.wire.messages import Message
from citytwin_edge.wire.telegrams import TelegramCutter
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import heard, instrument, opened
from tests.waiting import until

TELEGRAM = b"/XXX5x\r\n\r\n1.8.0(7)\r\n!\r\n"
GOOD, MALFORMED = Quality.GOOD, Quality.BAD_MALFORMED


def values():
    return TelegramValues(
        lambda sets, now_ns: [Reading(0, now_ns, float(sets[0].groups[0]), GOOD, b"")]
    )


def listener(port, *, points=1, is_software=False) -> Any:
    site = new_site()
    source = PortSource(
        port_of(Endpoint("test", serial=port), site, "d"), "d",
        lambda: TelegramCutter(crc=False), 0.2, is_software=is_software,
    )  # fmt: skip
    return MeterListener(source, values, points, site)


async def is_open(adapter):
    await until(lambda: adapter._source._port._connection.is_open, "the port is open", 5)


async def test_messages_broken_ones_and_pauses(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = listener(port, points=2)
        async with opened(adapter):
            task = asyncio.ensure_future(heard(adapter, 4))
            await is_open(adapter)
            one.say(TELEGRAM[:20], 0.5, TELEGRAM, TELEGRAM.replace(b"(7)", b"((7)"), 0.1, TELEGRAM)
            told = [(p, None if math.isnan(v) else v, q) for p, v, q in await task]
    assert told == [(0, 7.0, GOOD), (0, None, MALFORMED), (1, None, MALFORMED), (0, 7.0, GOOD)]


async def test_parity_in_software(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = listener(port, is_software=True)
        async with opened(adapter):
            task = asyncio.ensure_future(heard(adapter, 1))
            await is_open(adapter)
            one.say(with_parity(TELEGRAM))
            assert await task == [(0, 7.0, GOOD)]


async def test_a_probe_tells_what_it_heard(tmp_path, monkeypatch):
    monkeypatch.setattr(meter_listener, "PROBE_S", 0.4)
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = listener(port, points=2)
        async with opened(adapter):
            task = asyncio.ensure_future(adapter.probe())
            await is_open(adapter)
            one.say(TELEGRAM)
            first, second = await task
    assert (first.value, first.quality) == (7.0, GOOD)
    assert second.quality == Quality.BAD_SILENT
    assert "within" in second.note


async def test_a_port_that_is_lost(tmp_path):
    port = str(tmp_path / "port")
    adapter = listener(port)
    async with opened(adapter):
        async with instrument(port):
            task = asyncio.ensure_future(heard(adapter, 1))
            await is_open(adapter)
        with pytest.raises(DeviceSilent, match="closed the connection"):
            await task
        (probed,) = await adapter.probe()
        assert "not reachable" in probed.note


def test_decoded_gives_the_last_of_each_point():
    told = decoded(values(), [Message(TELEGRAM[:-2])] * 2, 5)
    assert [(one.point, one.value) for one in told] == [(0, 7.0)]
