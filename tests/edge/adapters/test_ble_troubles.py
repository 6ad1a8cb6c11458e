"""Bluetooth adapters that go, a bluetoothd that dies, devices out of range; passive scanning."""

import asyncio

import numpy as np
import pytest

from citytwin import Quality, SystemClock
from citytwin_edge.poller import DeviceSpec, Poller
from tests.edge.ble_devices import (
    POINTS,
    TAG,
    bluetooth,
    bound,
    device,
    hearing,
    new_site,
    ruuvi,
    said,
)
from tests.waiting import until


# ---- the adapter of the machine, and bluetoothd
@pytest.mark.parametrize(
    ("trouble", "remedy", "why"),
    [
        ([{"do": "unplug"}], [{"do": "adapter"}], "there is no Bluetooth adapter hci0"),
        ([{"do": "power", "on": False}], [{"do": "power", "on": True}], "hci0 is switched off"),
        ([{"do": "power", "on": False, "blocked": True}], [{"do": "power", "on": True}],
         "hci0 is blocked (rfkill unblock bluetooth)"),
    ],
)  # fmt: skip
async def test_an_adapter_that_goes_and_comes_back(tmp_path, monkeypatch, trouble, remedy, why):
    async with bluetooth(tmp_path, monkeypatch) as air:
        async with hearing(ruuvi()) as (ear,):
            await air.said(TAG, company=said(1))
            await ear.until(lambda ear: ear.values())
            await air.tell(*trouble)
            await ear.until(lambda ear: ear.errors)
            await air.tell(*remedy)
            await air.said(TAG, company=said(2, 25.0))
            await ear.until(lambda ear: len(ear.values()) == 2)
    assert ear.values() == [24.3, 25.0]
    assert len(ear.errors) == 1
    assert why in ear.errors[0]


async def test_bluetoothd_is_killed_and_started_again(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:
        async with hearing(ruuvi()) as (ear,):
            for times in range(1, 4):
                await air.said(TAG, company=said(times))
                await ear.until(lambda ear, times=times: len(ear.values()) == times)
                await air.kill()
                await ear.until(lambda ear, times=times: deaths(ear) == times)
                await air.start()


def deaths(ear):
    return sum(error.startswith("bluetoothd is not running") for error in ear.errors)


async def test_it_begins_before_there_is_anything(tmp_path, monkeypatch):
    """The gateway boots first; then the bus, then bluetoothd, then the adapter is plugged in."""
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter", "hci": "hci1"}) as air:
        await air.kill()
        await air.stop_bus()
        monkeypatch.setattr("citytwin_edge.adapters.ble_radio.RETRY_S", 0.05)
        async with hearing(ruuvi()) as (ear,):
            await ear.until(lambda ear: "message bus (D-Bus) is not there" in str(ear.errors))
            await air.start_bus()
            await ear.until(lambda ear: "bluetoothd is not running" in str(ear.errors))
            await air.start({"do": "adapter", "hci": "hci1"})
            await ear.until(lambda ear: "there is no Bluetooth adapter hci0" in str(ear.errors))
            await air.do("adapter")
            await air.said(TAG, company=said(7))
            await ear.until(lambda ear: ear.values())
    assert ear.qualities() == [Quality.GOOD]


async def test_a_device_out_of_range_is_only_silent(tmp_path, monkeypatch):
    """That it is stale is the gateway's to say; the adapter waits, and hears it when it is back."""
    async with bluetooth(tmp_path, monkeypatch) as air:
        async with hearing(ruuvi()) as (ear,):
            await air.said(TAG, company=said(1))
            await ear.until(lambda ear: ear.values())
            await air.do("unheard", address=TAG)
            await air.do("forget", address=TAG)
            await air.said(TAG, company=said(2))
            await ear.until(lambda ear: len(ear.values()) == 2)
    assert not ear.errors


async def test_the_gateway_says_that_it_is_stale_and_silent_and_well_again(tmp_path, monkeypatch):
    """Through a poller, as in the agent: ordinary qualities, and nothing dies."""
    tag, points = ruuvi(), [binding.point for binding in bound("tag", POINTS)]
    ones, numbers = np.ones(len(points)), np.arange(len(points), dtype=np.int32)
    spec = DeviceSpec(
        "tag", tag, tuple(points), numbers, ones, np.zeros(len(points)),
        stale_after_ns=300_000_000, stale_together=True, backoff_step_ns=50_000_000,
    )  # fmt: skip
    seen: list[Quality] = []
    poller = Poller(spec, SystemClock(), lambda batch: seen.append(Quality(int(batch.quality[0]))))
    async with bluetooth(tmp_path, monkeypatch) as air:
        running = asyncio.create_task(poller.run())
        await air.said(TAG, company=said(1))
        await until(lambda: Quality.BAD_STALE in seen, "stale")
        await air.kill()
        await until(lambda: Quality.BAD_SILENT in seen, "silent")
        await air.start()
        await air.said(TAG, company=said(2))
        await until(lambda: seen.count(Quality.GOOD) == 2, "good again")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert seen[0] == Quality.GOOD
    assert "fault" not in poller.stats.failures


# ---- passive scanning
async def test_it_scans_passively_where_bluez_can(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter", "monitors": True}) as air:
        async with hearing(ruuvi()) as (ear,):
            await air.said(TAG, company=said(1))
            await ear.until(lambda ear: len(ear.samples) == 3)
            assert not await air.do("advertise", address=TAG, company={"004c": "0215"})
            state = await air.state()
        assert state["active"] == []
        assert state["patterns"] == [[0, 0xFF, "9904"]]
        assert (await air.state())["patterns"] == []
    assert ear.values() == [24.3]


async def test_it_asks_where_the_format_or_the_technician_wants_it(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter", "monitors": True}) as air:
        field = {"t": {"field": "temperature", "unit": "Cel"}}
        for settings in ({"format": "govee"}, {"format": "ruuvi", "scan": "active"}, {}):
            async with hearing(device(new_site(), field, **settings)):
                await air.until_active()
        async with hearing(device(new_site(), field, format="govee", scan="passive")) as (ear,):
            await air.said(TAG, company={"EC88": "000341c26400"})
            await ear.until(lambda ear: ear.values())
            assert (await air.state())["active"] == []


async def test_passive_only_says_what_is_missing(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:
        async with hearing(ruuvi(scan="passive")) as (ear,):
            await ear.until(lambda ear: ear.errors)
            assert (await air.state())["active"] == []
    assert "--experimental" in ear.errors[0]
