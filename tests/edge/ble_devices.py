"""Bluetooth for tests: a bus of its own, a bluetoothd on it, adapters that listen, and an ear."""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from citytwin import Kind, Point, SystemClock
from citytwin.adapter import Binding, Site
from citytwin.errors import DeviceError
from citytwin.quality import Quality
from citytwin_edge.adapters.ble import BLE
from citytwin_edge.adapters.ble_settings import BleDevice, BlePoint
from tests.waiting import until

PATIENCE_S = 30.0
TAG = "CB:B8:33:4C:88:4F"
RAWV2 = "0512FC5394C37C0004FFFC040CAC36420000CBB8334C884F"  # Ruuvi's example, sequence 0
POINTS = {
    "temperature": {"field": "temperature", "unit": "Cel"},
    "pressure": {"field": "pressure", "unit": "hPa"},
    "signal": {"field": "rssi", "unit": "dB[mW]"},
}
ROOT = Path(__file__).parents[2]
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"""


@dataclass
class Bluetooth:
    """A bus and the bluetoothd on it, which can be killed and started again."""

    folder: Path
    daemon: Any = None
    service: Any = None
    address: str = ""

    async def start_bus(self):
        path = self.folder / "bus"
        path.unlink(missing_ok=True)
        config = self.folder / "bus.conf"
        config.write_text(CONFIG.format(path=path))
        self.daemon = await asyncio.create_subprocess_exec(
            "dbus-daemon", "--nofork", "--nopidfile", f"--config-file={config}",
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self.address = f"unix:path={path}"
        await until(path.exists, "the bus")

    async def stop_bus(self):
        await ended(self.daemon)
        self.daemon = None

    async def start(self, *orders):
        """Start bluetoothd; by default with one adapter that is on."""
        self.service = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.edge.bluez_service", cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={"DBUS_SYSTEM_BUS_ADDRESS": self.address, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert await self.service.stdout.readline() == b"ready\n"
        await self.tell(*(orders or ({"do": "adapter"},)))

    async def kill(self):
        await ended(self.service)
        self.service = None

    async def tell(self, *orders):
        """Let things happen on the air; returns the last answer."""
        self.service.stdin.write(json.dumps(orders).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return json.loads(await self.service.stdout.readline())

    async def do(self, order, **given):
        return await self.tell({"do": order, **given})

    async def state(self):
        return await self.do("state")

    async def until_active(self):
        """Wait until somebody scans actively."""
        async with asyncio.timeout(PATIENCE_S):
            while not (await self.state())["active"]:
                await asyncio.sleep(0.02)

    async def said(self, address, **given):
        """Say something again and again until somebody has wanted to hear it."""

        async with asyncio.timeout(PATIENCE_S):
            while not await self.do("advertise", address=address, **given):
                await asyncio.sleep(0.02)


async def ended(process):
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def bluetooth(folder, monkeypatch, *orders):
    """Run a bus and a bluetoothd on it; every D-Bus client of this process finds them."""
    one = Bluetooth(folder)
    try:
        await one.start_bus()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", one.address)
        await one.start(*orders)
        yield one
    finally:
        await one.kill()
        await one.stop_bus()


def new_site(clock=None):
    texts: dict[str, int] = {}
    return Site(clock or SystemClock(), lambda text: texts.setdefault(text, len(texts) + 1))


def bound(name, points):
    """Return the bindings of points ``{name: fields}``; kind, unit, writable are the point's."""
    bindings = []
    for point, given in points.items():
        fields = dict(given)
        own = {key: fields.pop(key) for key in ("unit", "writable") if key in fields}
        made = Point(id=f"g/{name}/{point}", kind=Kind(fields.pop("kind", "analog")), **own)
        bindings.append(Binding(made, msgspec.convert(fields, BlePoint)))
    return bindings


def device(site, points, name="tag", **settings) -> Any:
    """Return an adapter with such points."""
    own = msgspec.convert({"address": TAG, **settings}, BleDevice)
    return BLE.build(own, bound(name, points), site)


@dataclass
class Ear:
    """Listens to an adapter as a poller does; keeps samples and errors in order."""

    adapter: Any
    samples: list = field(default_factory=list)
    errors: list = field(default_factory=list)

    async def listen(self):
        while True:
            try:
                async for batch in self.adapter.listen():
                    self.samples += [
                        (int(point), float(value), Quality(int(code)), int(time_ns))
                        for point, time_ns, value, code in zip(
                            batch.point, batch.time_ns, batch.value, batch.quality, strict=True
                        )
                    ]
            except DeviceError as error:
                self.errors.append(str(error))
                await self.adapter.close()

    async def until(self, holds, what="something heard"):
        await until(lambda: holds(self), what, PATIENCE_S)

    def values(self, point=0):
        return [value for index, value, _, _ in self.samples if index == point]

    def qualities(self, point=0):
        return [code for index, _, code, _ in self.samples if index == point]


@contextlib.asynccontextmanager
async def hearing(*adapters):
    """Listen to adapters; yields an ear for each."""
    ears = [Ear(adapter) for adapter in adapters]
    tasks = [asyncio.create_task(ear.listen()) for ear in ears]
    try:
        yield ears
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for adapter in adapters:
            await adapter.close()


def said(sequence=0, temperature=24.3):
    """Return what a RuuviTag says, numbered."""
    data = bytearray.fromhex(RAWV2)
    data[1:3] = round(temperature * 200).to_bytes(2, "big", signed=True)
    data[16:18] = sequence.to_bytes(2, "big")
    return {"0499": data.hex()}


def advert(sequence=0, **given):
    return {"do": "advertise", "address": TAG, "company": said(sequence), **given}


def ruuvi(site=None, points=POINTS, **settings):
    return device(site or new_site(), points, format="ruuvi", **settings)
