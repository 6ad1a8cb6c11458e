"""A BLE radio: what bleak repeats and what is new, and how it scans; on a real D-Bus."""

import asyncio

import pytest

from citytwin import SystemClock
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters import ble_radio
from citytwin_edge.adapters.ble_ear import Ear
from citytwin_edge.adapters.ble_radio import PATTERNS_MAX, SECTIONS_MAX, Radio, sections_of
from citytwin_edge.wire.adverts import SECTION_BYTES_MAX, Section
from tests.edge.ble_devices import bluetooth
from tests.waiting import until

TAG = "CB:B8:33:4C:88:4F"
FCD2 = "0000fcd2-0000-1000-8000-00805f9b34fb"


def test_sections_are_bounded():
    company = dict.fromkeys(range(SECTIONS_MAX + 5), b"x")
    assert len(sections_of(company, {})) == SECTIONS_MAX
    assert sections_of({1: b"x" * (SECTION_BYTES_MAX + 1)}, {}) == ()
    services = {FCD2: b"@", "a7ea14cf-1000-43ba-ab86-1d6e136a2e9e": b"-"}
    assert sections_of({}, services) == (Section("service", 0xFCD2, b"@"),)


def test_only_what_a_device_says_is_new():
    radio = Radio("hci0", SystemClock())
    first = Section("company", 1, b"a")
    second = Section("service", 2, b"b")
    properties = {"RSSI": -60, "Connected": False}

    def fresh(*sections, **changed):
        properties.update(changed)
        return radio._fresh(TAG, sections, properties)

    assert fresh(first) == (first,)
    assert fresh(first) == (first,)  # heard again
    assert fresh(first, RSSI=-61) == (first,)
    assert fresh(first, Connected=True) is None
    assert fresh(first, second) == (second,)
    assert fresh(first, second._replace(data=b"c"), Connected=False) == (
        second._replace(data=b"c"),
    )  # fmt: skip


async def test_how_it_scans_follows_who_listens(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter", "monitors": True}):
        radio = Radio("hci0", SystemClock())
        quiet, none = Ear(TAG, frozenset({("company", 0x0499)})), Ear(TAG)
        asking = Ear(TAG, frozenset({("company", 0xEC88)}), asks=True)
        radio.attend(none)
        await radio.ready()
        assert radio.scanning == ""
        radio.attend(quiet)
        await until(lambda: radio.scanning == "passive", "passive scanning")
        radio.attend(asking)
        await until(lambda: radio.scanning == "active", "active scanning")
        await radio.forsake(asking)
        await until(lambda: radio.scanning == "passive", "passive scanning again")
        await radio.forsake(quiet)
        await until(lambda: radio.scanning == "", "no scanning")
        await radio.forsake(none)
        await radio.forsake(none)
        assert radio._task is None
        assert radio._ears == {TAG: []}


async def test_too_many_patterns_are_asked_for_actively():
    radio = Radio("hci0", SystemClock())
    ear = Ear(TAG, frozenset(("company", number) for number in range(PATTERNS_MAX + 1)))
    radio._attending.add(ear)
    assert radio._wish() == ("active", frozenset())


async def test_a_scanner_that_hears_nobody_is_started_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(ble_radio, "QUIET_S_MAX", 0.05)
    monkeypatch.setattr(ble_radio, "LOOK_S", 0.02)
    async with bluetooth(tmp_path, monkeypatch) as air:
        radio = Radio("hci0", SystemClock())
        ear = Ear(TAG, frozenset(), asks=True)
        radio.attend(ear)

        async def starts():
            return (await air.state())["calls"].count("Adapter1.StartDiscovery")

        async with asyncio.timeout(10):
            while await starts() < 3:
                await asyncio.sleep(0.02)
        await radio.forsake(ear)


async def test_who_seeks_is_told_why_not(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:
        radio = Radio("hci0", SystemClock())
        ear = Ear(TAG)
        radio.attend(ear)
        seeking = asyncio.create_task(radio.find(TAG))
        await until(lambda: radio._seekers and radio.scanning, "seeking")
        await air.do("unplug")
        with pytest.raises(DeviceSilent, match="no Bluetooth adapter hci0"):
            await seeking
        assert not radio._seekers
        assert "no Bluetooth adapter" in await radio.troubled()
        await radio.forsake(ear)


async def test_an_error_that_nobody_foresaw_reaches_who_listens(monkeypatch):
    def broken(*_):
        raise LookupError("hm")

    monkeypatch.setattr("citytwin_edge.adapters.ble_watch.Watch.__init__", broken)
    radio = Radio("hci0", SystemClock())
    ear = Ear(TAG, frozenset())
    radio.attend(ear)
    with pytest.raises(Exception, match="LookupError"):
        await ear.get()
