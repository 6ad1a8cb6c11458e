"""A scan asks each unit once, reads only, and leaves a line alone on which others speak."""

import asyncio
import os

import pytest

from citytwin.adapter import Direction, Scans
from citytwin.errors import DeviceError
from citytwin_edge.adapters import modbus_scan
from tests.edge.modbus_devices import (
    build,
    device,
    new_site,
    pty_line,
    serial_server,
    tcp_server,
)


async def found(adapter):
    scans: Scans = adapter
    try:
        return [one async for one in scans.scan()]
    finally:
        await adapter.close()


async def test_units_behind_one_address_are_met_by_reading_only():
    site, sent = new_site(), []
    site.taps.append(lambda one: sent.append(one.data) if one.direction == Direction.SENT else None)
    async with tcp_server(device(2, [(0, [1])]), device(4, [(50, [1])])) as port:
        adapter = build(site, [], host="127.0.0.1", port=port, scan_units=[1, 5])
        units = {one.address: one.description for one in await found(adapter)}
    assert units["unit = 2"] == "answers"
    assert "exception 2: illegal data address" in units["unit = 4"]
    assert len(sent) == 5
    assert {frame[7] for frame in sent} == {3}, "function 3: read holding registers"


async def test_a_serial_line_is_scanned():
    with pty_line() as line:
        ours, theirs = line.ends
        async with serial_server(theirs, device(3, [(0, [1])])):
            adapter = build(new_site(), [], serial=ours, scan_units=[2, 4], reply_timeout_s=0.2)
            units = {one.address: one.description for one in await found(adapter)}
    # pymodbus's server says "device failure" for units that it does not have.
    assert [unit for unit, said in units.items() if said == "answers"] == ["unit = 3"]


async def test_a_line_with_another_master_is_left_alone(monkeypatch):
    monkeypatch.setattr(modbus_scan, "LISTEN_S", 0.3)
    with pty_line() as line:
        ours, theirs = line.ends
        other = os.open(theirs, os.O_RDWR | os.O_NOCTTY)

        async def ask():
            while True:
                os.write(other, bytes.fromhex("010300000001840a"))
                await asyncio.sleep(0.05)

        master = asyncio.create_task(ask())
        try:
            with pytest.raises(DeviceError, match="somebody else speaks on this line"):
                await found(build(new_site(), [], serial=ours))
        finally:
            master.cancel()
            os.close(other)
