"""The watch of a Bluetooth adapter, on a real D-Bus."""

import asyncio

from citytwin_edge.adapters.ble_watch import Watch
from tests.edge.ble_devices import bluetooth


async def change(changed):
    async with asyncio.timeout(10):
        await changed.wait()
    changed.clear()


async def test_each_trouble_has_words_and_each_change_a_sign(tmp_path, monkeypatch):
    changed = asyncio.Event()
    watch = Watch("hci0", changed)
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter", "hci": "hci1"}) as air:
        assert await watch.look() == "there is no Bluetooth adapter hci0 (bluetoothctl list)"
        changed.clear()
        await air.do("adapter", powered=False)
        await change(changed)
        assert await watch.look() == "hci0 is switched off (bluetoothctl power on)"
        await air.do("power", on=False, blocked=True)
        await change(changed)
        assert await watch.look() == "hci0 is blocked (rfkill unblock bluetooth)"
        await air.do("power", on=True)
        await change(changed)
        assert await watch.look() == ""
        await air.do("unplug")
        await change(changed)
        assert "there is no Bluetooth adapter hci0" in await watch.look()
        await air.kill()
        await change(changed)
        assert "bluetoothd is not running" in await watch.look()
        await air.start()
        await change(changed)
        await air.stop_bus()
        await change(changed)
        assert "message bus (D-Bus) is not there" in await watch.look()
        await air.start_bus()
        assert "bluetoothd is not running" in await watch.look()
        await watch.close()
        await watch.close()


async def test_what_others_do_is_no_change(tmp_path, monkeypatch):
    changed = asyncio.Event()
    watch = Watch("hci0", changed)
    async with bluetooth(
        tmp_path, monkeypatch, {"do": "adapter"}, {"do": "adapter", "hci": "hci1"}
    ) as air:
        assert await watch.look() == ""
        changed.clear()
        await air.do("power", on=False, hci="hci1")
        await air.do("gatt", address="C4:7C:8D:6A:3E:7A", characteristics={})
        assert await watch.look() == ""  # whose answer comes after whatever was told before
        assert not changed.is_set()
        await watch.close()
