"""Bluetooth devices that are heard: on a real D-Bus with a bluetoothd that can be killed."""

import asyncio
import math
import subprocess
import sys

import pytest

from citytwin import Kind, Quality
from citytwin.adapter import Listens, Locates, Probes, Reads, Scans, Writes
from citytwin.errors import ConfigError
from citytwin.testing import check_adapter
from citytwin_edge.adapters.ble import BLE
from citytwin_edge.adapters.ble_ear import HEARD_MAX
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.commissioning.scanning import scan
from citytwin_edge.config import load
from tests.edge.ble_devices import (
    POINTS,
    TAG,
    advert,
    bluetooth,
    bound,
    device,
    hearing,
    new_site,
    ruuvi,
    said,
)
from tests.waiting import until

KEY = "231d39c1d7cc1ab1aee224cd096db932"


async def test_what_is_heard_becomes_samples(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:
        tag = ruuvi()
        async with hearing(tag) as (ear,):
            await air.said(TAG, company=said(), rssi=-71)
            await ear.until(lambda ear: len(ear.samples) == 3)
    assert [sample[:3] for sample in ear.samples] == [
        (0, 24.3, Quality.GOOD),
        (1, 1000.44, Quality.GOOD),  # in the point's unit
        (2, -71.0, Quality.GOOD),
    ]
    assert not ear.errors
    assert isinstance(tag, Listens)
    assert isinstance(tag, Scans)
    assert isinstance(tag, Probes)
    assert not isinstance(tag, Reads)
    assert not isinstance(tag, Writes)


async def test_the_same_advertisement_counts_once(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:
        async with hearing(ruuvi()) as (ear,):
            await air.said(TAG, company=said(1))
            await air.tell(*[advert(1)] * 20, *[advert(2)] * 20, advert(3))
            await ear.until(lambda ear: len(ear.values()) == 3)
    assert ear.values(0) == [24.3] * 3
    assert len(ear.values(2)) == 3


async def test_what_is_malformed_is_bad_and_the_next_counts(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:
        async with hearing(ruuvi()) as (ear,):
            await air.said(TAG, company={"0499": "0512FC"})
            await air.tell(advert(1))
            await ear.until(lambda ear: len(ear.values()) == 2)
    assert ear.qualities(0) == [Quality.BAD_MALFORMED, Quality.GOOD]
    assert math.isnan(ear.values(0)[0])
    assert ear.qualities(2) == [Quality.GOOD, Quality.GOOD]  # it was heard all the same


async def test_an_encrypted_device(tmp_path, monkeypatch):
    address, data = "54:48:E6:8F:80:A5", "41a47266c95f730011223378237214"  # BTHome's example
    points = {"t": {"field": "temperature", "unit": "Cel"}, "h": {"field": "humidity", "unit": "%"}}
    keys = tmp_path / "key"
    keys.write_text(f"{KEY}\n")
    site = new_site()
    async with bluetooth(tmp_path, monkeypatch) as air:
        known = device(site, points, "a", address=address, format="bthome", key_file=str(keys))
        wrong = device(site, points, "b", address=address, format="bthome", key="00" * 16)
        async with hearing(known, wrong) as (ear, other):
            await air.said(address, service={"fcd2": data})
            await ear.until(lambda ear: len(ear.samples) == 2)
            await other.until(lambda ear: len(ear.samples) == 2)
    assert ear.values(0) + ear.values(1) == [25.06, 50.55]
    assert other.qualities() == [Quality.BAD_MALFORMED]


async def test_what_bluez_remembers_is_not_heard(tmp_path, monkeypatch):
    """A connection, or that the device is not heard any more, repeats nothing that it said."""
    async with bluetooth(tmp_path, monkeypatch) as air:
        govee = device(new_site(), {"t": {"field": "temperature", "unit": "Cel"}},
                       format="govee", repeat_s=0)  # fmt: skip
        async with hearing(govee) as (ear,):
            await air.said(TAG, company={"EC88": "000341c26400"})
            await ear.until(lambda ear: len(ear.samples) == 1)
            await air.do("property", address=TAG, name="Connected", signature="b", value=True)
            await air.do("property", address=TAG, name="Paired", signature="b", value=True)
            await air.do("unheard", address=TAG)
            await air.tell({"do": "advertise", "address": TAG, "company": {"EC88": "000341c36400"}})
            await ear.until(lambda ear: len(ear.samples) == 2)
            # heard again without a change: that does count, since it is not numbered
            await air.tell({"do": "advertise", "address": TAG, "company": {"EC88": "000341c36400"}})
            await ear.until(lambda ear: len(ear.samples) == 3)
    assert ear.values() == [21.3, 21.3, 21.3]


async def test_one_scanner_for_all_and_each_hears_its_own(tmp_path, monkeypatch):
    site, other = new_site(), "C1:C2:C3:C4:C5:C6"
    async with bluetooth(tmp_path, monkeypatch) as air:
        tag, bthome = (
            ruuvi(site),
            device(
                site,
                {"t": {"field": "temperature", "unit": "Cel"}},
                "b",
                address=other,
                format="bthome",
            ),
        )
        async with hearing(tag, bthome) as (ear, second):
            await air.said(TAG, company=said(1))
            await air.said(other, service={"fcd2": "4002ca09"})
            await ear.until(lambda ear: len(ear.samples) == 3)
            await second.until(lambda ear: len(ear.samples) == 1)
            assert len((await air.state())["active"]) == 1
        assert not (await air.state())["active"]  # with the last device the scanner ends
    assert second.values() == [25.06]


async def test_a_flood_costs_the_oldest_and_says_so(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:
        tag = ruuvi()
        stream = tag.listen()
        waiting = asyncio.ensure_future(anext(stream))
        await air.said(TAG, company=said(0))
        assert (await waiting).quality.tolist() == [Quality.GOOD] * 3
        await air.tell(*(advert(number) for number in range(1, HEARD_MAX + 51)))
        await until(lambda: tag._ear._lost == 50, "a flood")
        lost, batch = await anext(stream), await anext(stream)
        await stream.aclose()
        await tag.close()
    assert lost.quality.tolist() == [Quality.BAD_OVERFLOW] * 3
    assert batch.quality.tolist() == [Quality.GOOD] * 3
    assert tag._ear.in_all_lost == 50


# ---- a technician's look
async def test_probe_shows_bytes_and_why_not(tmp_path, monkeypatch):
    monkeypatch.setattr("citytwin_edge.adapters.ble.PROBE_S", 5.0)
    points = {**POINTS, "co2": {"field": "co2", "unit": "[ppm]"}}
    async with bluetooth(tmp_path, monkeypatch) as air:
        tag = ruuvi(points=POINTS)
        looking = asyncio.create_task(tag.probe())
        await air.said(TAG, company=said(1))
        temperature, pressure, signal = await looking
        assert (temperature.value, pressure.value, signal.value) == (24.3, 1000.44, -60)
        assert temperature.raw.hex() == said(1)["0499"].lower()
        monkeypatch.setattr("citytwin_edge.adapters.ble.PROBE_S", 0.5)
        looking = asyncio.create_task(ruuvi(points=points).probe())
        await air.said(TAG, company=said(2))
        assert (await looking)[3].note == "it was heard, but says nothing of this"
        nobody = await device(new_site(), POINTS, address="00:00:00:00:00:01").probe()
        assert {one.note for one in nobody} == {"it was not heard within 0.5 s"}
        await air.do("power", on=False)
        off = await ruuvi().probe()
        assert {one.quality for one in off} == {Quality.BAD_SILENT}
        assert "switched off" in off[0].note


async def test_scan_tells_of_every_device_in_range(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter", "monitors": True}) as air:
        adapter = device(new_site(), {}, address="00:00:00:00:00:00", scan_s=1.0)
        scanning = asyncio.create_task(collected(adapter.scan()))
        await air.until_active()
        await air.tell(
            {"do": "advertise", "address": TAG, "company": said(1), "name": "Ruuvi 884F"},
            {"do": "advertise", "address": "A4:C1:38:00:00:01", "rssi": -90,
             "service": {"fcd2": "41"}, "name": "SBHT-003C"},
            {"do": "advertise", "address": "AA:00:00:00:00:01", "company": {"004c": "0215"}},
            {"do": "advertise", "address": "AA:00:00:00:00:02", "rssi": -40},
        )  # fmt: skip
        found = await scanning
        assert not (await air.state())["active"]
    assert sorted(one[:3] for one in found[:2]) == [
        ('address = "A4:C1:38:00:00:01"\nformat = "bthome"', "SBHT-003C, bthome", -90.0),
        (f'address = "{TAG}"\nformat = "ruuvi"', "Ruuvi 884F, ruuvi", -60.0),
    ]
    assert [one[:3] for one in found[2:]] == [
        ('address = "AA:00:00:00:00:02"', "no name, no known format (says nothing)", -40.0),
        ('address = "AA:00:00:00:00:01"', "no name, no known format (company:004c)", -60.0),
    ]


async def test_scan_names_the_profile(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:

        async def look():
            return [row async for row in scan("ble", {"scan_s": 1.0}, Shelf([OURS]), new_site())]

        scanning = asyncio.create_task(look())
        await air.until_active()
        await air.tell(
            {"do": "advertise", "address": "A4:C1:38:00:00:01", "rssi": -70,
             "service": {"fcd2": "44000701642E2D45E9FF"}, "name": "SBHT-003C"},
            {"do": "advertise", "address": "AA:00:00:00:00:01", "company": {"004c": "0215"}},
        )  # fmt: skip
        rows = {row["address"]: row for row in await scanning}
    shelly = rows['address = "A4:C1:38:00:00:01", format = "bthome"']
    assert (shelly["profile"], shelly["dBm"]) == ("shelly/blu-ht", -70)
    assert rows['address = "AA:00:00:00:00:01"']["profile"] == ""


async def test_a_name_is_a_field_of_every_format(tmp_path, monkeypatch):
    points = {"name": {"field": "name", "kind": "text"}}
    async with bluetooth(tmp_path, monkeypatch) as air:
        async with hearing(ruuvi(points=points)) as (ear,):
            await air.said(TAG, company=said(1), name="Ruuvi 884F")
            await ear.until(lambda ear: ear.samples)
    assert ear.samples[0][:3] == (0, 1.0, Quality.GOOD)


async def collected(stream):
    return [one async for one in stream]


# ---- the contract
async def test_it_keeps_the_contract(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch) as air:

        async def speak():
            number = 0
            while True:
                number = (number + 1) % 0xFFFF
                await air.do("advertise", address=TAG, company=said(number))
                await asyncio.sleep(0.02)

        speaking = asyncio.create_task(speak())
        try:
            report = await check_adapter(ruuvi, bound("tag", POINTS))
            batch = report.batch
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    assert batch.value.tolist()[:2] == [24.3, 1000.44]


async def test_who_looks_at_the_line_sees_what_is_said(tmp_path, monkeypatch):
    seen = []
    site = new_site()
    site.taps.append(seen.append)
    async with bluetooth(tmp_path, monkeypatch) as air:
        async with hearing(ruuvi(site)) as (ear,):
            await air.said(TAG, company=said(1), rssi=-55)
            await ear.until(lambda ear: ear.samples)
    assert [(one.line, one.device, one.direction.value, one.note) for one in seen] == [
        ("Bluetooth hci0", "tag", "rx", f"{TAG} company:0499 rssi:-55")
    ]
    assert seen[0].data == bytes.fromhex(said(1)["0499"])


async def test_a_described_layout(tmp_path, monkeypatch):
    points = {
        "level": {"at": 1, "type": "uint16", "order": "ABCD", "unit": "mm"},
        "name": {"at": 3, "type": "string", "length": 3, "kind": "text"},
    }
    async with bluetooth(tmp_path, monkeypatch) as air:
        probe = device(new_site(), points, format="bytes", section="company:0a0b", match="07")
        async with hearing(probe) as (ear,):
            await air.said(TAG, company={"0a0b": "0704d2414243"})
            await ear.until(lambda ear: len(ear.samples) == 2)
    assert ear.values(0) + ear.values(1) == [1234.0, 1.0]


# ---- settings
def test_a_configuration(tmp_path):
    text = f"""
[gateway]
name = "medeu-1"
[[device]]
name = "tag"
adapter = "ble"
address = "{TAG}"
format = "ruuvi"
[[device.point]]
name = "temperature"
field = "temperature"
unit = "Cel"
"""
    path = tmp_path / "edge.toml"
    path.write_text(text)
    (tag,) = load(path).devices
    assert tag.adapter == "ble"
    adapter = tag.build(new_site())
    assert isinstance(adapter, Listens)
    path.write_text(text.replace('"temperature"\nunit', '"warmth"\nunit'))
    with pytest.raises(ConfigError, match="field 'warmth' is none of ruuvi; there are"):
        load(path).devices[0].build(new_site())


def test_points_that_do_not_fit():
    for points, settings, why in (
        ({"t": {"field": "temperature"}}, {}, 'measured in Cel: write unit = "Cel"'),
        ({"t": {"field": "temperature", "unit": "Pa"}}, {}, "Pa is none"),
        ({"t": {"unit": "Cel"}}, {}, "needs field"),
        ({"t": {"characteristic": "2a6e", "at": 0}}, {}, 'needs mode = "polled" or "notified"'),
        ({"t": {"field": "temperature"}}, {"mode": "polled"}, "needs characteristic"),
        ({"t": {"field": "battery", "unit": "%", "writable": [0, 1]}}, {}, "cannot be written"),
        ({"t": {"field": "firmware"}}, {"format": "bthome"}, 'kind = "text" goes with texts'),
        ({"t": {"field": "mass"}}, {"format": "bytes", "section": "company:0001"}, "needs at"),
        ({"t": {"field": "co2", "unit": "[ppm]"}}, {"format": "ruuvi", "key": KEY}, "leave key"),
        ({"t": {"field": "co2", "unit": "[ppm]"}}, {"format": "bthome", "key": "00"}, "32 hexa"),
        ({"t": {"field": "rssi", "unit": "dB[mW]"}}, {"key_file": "/nowhere"}, "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            device(new_site(), points, **settings)


def test_texts_and_converted_units():
    points = {
        "weight": {"field": "mass", "unit": "kg"},
        "version": {"field": "firmware", "kind": Kind.TEXT},
        "second": {"field": "temperature-2", "unit": "K"},
    }
    assert device(new_site(), points, format="bthome")


def test_where_a_device_is():
    assert isinstance(BLE, Locates)
    heard = BLE.locate(ruuvi()._settings)
    assert heard == f"advertisements of {TAG} at hci0"


def test_bleak_is_imported_only_by_an_open_device():
    """It takes 3 MiB of a gateway: one without Bluetooth devices has no use for it."""
    script = (
        "import sys; import citytwin_edge.adapters.ble;"
        "sys.exit(any(name in sys.modules for name in ('bleak', 'dbus_fast')))"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0
