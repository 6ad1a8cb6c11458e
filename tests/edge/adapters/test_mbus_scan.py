"""M-Bus scan: who is on a bus, though several answer at a time; bounded in time."""

from __future__ import annotations

import math

import pytest

from citytwin.errors import DeviceSilent
from citytwin_edge.adapters import mbus_scan
from citytwin_edge.adapters.mbus_scan import Search
from tests.edge.mbus_meters import VOLUME, Meter, build, bus
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import opened

FAST = {"reply_timeout_s": 0.15, "baud": 19200}


async def found_on(port, **device):
    adapter = build(new_site(), [], serial=port, **{**FAST, **device})
    return [(one.address, one.description) async for one in adapter.scan()]


async def test_secondary_addresses_that_begin_alike(tmp_path):
    port = str(tmp_path / "port")
    meters = [
        Meter("06855817"), Meter("07855818", (b"",)), Meter("16855818", (b"\x01\x13\x05",)),
        Meter("99999999", manufacturer="LUG", version=7, medium=7), Meter("12345678", is_dead=True),
    ]  # fmt: skip
    async with bus(port, *meters):
        assert await found_on(port, scan="secondary") == [
            (f'id = "{one.id}"\nmanufacturer = "{one.manufacturer}"\nversion = {one.version}\n'
             f"medium = {one.medium}",
             f"{'water' if one.medium == 7 else 'heat'}, id {one.id}, {one.manufacturer} version "
             f"{one.version}")
            for one in meters if not one.is_dead
        ]  # fmt: skip


async def test_one_meter_alone_is_found_at_once(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817")) as line:
        assert len(await found_on(port, scan="secondary")) == 1
        assert len(line.asked) == 2


async def test_two_of_one_identification(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817"), Meter("06855817", (b"\x01\x13\x05",), version=9)):
        adapter = build(new_site(), [], serial=port, **FAST)
        async with opened(adapter):
            search = Search(adapter._settings, adapter._port)
            search._until = math.inf
            (found,) = [one async for one in search._secondary("068558FF")]
        assert found.address == ""
        assert found.description.startswith("several meters have id 06855817; add manufacturer")


async def test_primary_addresses(tmp_path, monkeypatch):
    monkeypatch.setattr(mbus_scan, "PRIMARY_MAX", 8)
    port = str(tmp_path / "port")
    meters = [Meter("06855817", address=1), Meter("06855818", address=2),
              Meter("16855819", (b"",), address=2), Meter("26855820", address=8)]  # fmt: skip
    async with bus(port, *meters):
        assert await found_on(port, scan="primary") == [
            ("address = 1", "heat, id 06855817, KAM version 8"),
            ("", "several meters have primary address 2; find them by id"),
            ("address = 8", "heat, id 26855820, KAM version 8"),
        ]


async def test_a_scan_ends_in_time_and_says_so(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port):
        *_, (address, words) = await found_on(port, scan_s_max=0.1)
        assert address == ""
        assert words == "the scan ended after 0.1 s (scan_s_max); there may be more meters"


async def test_a_scan_leaves_room_for_meters_that_are_being_read(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=1)) as line:
        site = new_site()
        reader = build(site, [VOLUME], serial=port, address=1, **FAST)
        async with opened(reader):
            await reader.read()
            scan = build(site, [], serial=port, scan="primary", **FAST).scan()
            assert (await anext(scan)).address == "address = 1"
            assert (await reader.read()).value.tolist() == [12.565]
            await scan.aclose()
            assert (await reader.read()).value.tolist() == [12.565], "the bus stays open"
        assert line.asked


async def test_a_meter_that_reports_an_error_is_found_too(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", (b"\x04",), address=1)):
        ((address, words),) = await found_on(port, scan="secondary")
        assert (address, "a meter that says" in words) == ('id = "FFFFFFFF"', True)


async def test_a_port_that_is_not_there(tmp_path):
    with pytest.raises(DeviceSilent, match="is not reachable"):
        await found_on(str(tmp_path / "none"))
