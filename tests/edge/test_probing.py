"""One look at devices through whatever their adapters can do; what a technician reads of it."""

import asyncio
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from citytwin import Batch, Point, Probed, Quality, Site, Span
from citytwin.errors import DeviceError, DeviceRefused
from citytwin.testing import VirtualClock
from citytwin_edge import probing
from citytwin_edge.gateway import Device, GatewayPoint, Pace
from citytwin_edge.kernels.settings import PointRules
from citytwin_edge.probing import probe, probe_all, probe_device, probe_running

NAN = math.nan
SITE = Site(VirtualClock(), lambda _text: 0)


class Plain:
    def __init__(self):
        self.closed = 0

    async def open(self):
        pass

    async def close(self):
        self.closed += 1


class Reading(Plain):
    async def read(self):
        return Batch.of([0, 1], 1, [5.0, NAN], [0, Quality.BAD_REFUSED])


class Probing(Plain):
    async def probe(self):
        return [Probed(0, b"\x00\x7b", 123.0, 0, 1_234_567), Probed(1, b"", NAN, 0x82, 5, "crc")]


class Speaking(Plain):
    async def listen(self):
        yield Batch.of([0], 1, [1.0])
        yield Batch.of([0], 2, [2.0])
        await asyncio.sleep(self.pause_s)
        yield Batch.of([1], 3, [3.0])
        await asyncio.sleep(60)

    pause_s = 0.0


class Failing(Plain):
    def __init__(self, error):
        super().__init__()
        self.error = error

    async def open(self):
        raise self.error


def device_of(adapter, **more):
    points = tuple(
        GatewayPoint(
            Point(id=f"g/d/p{n}", unit="m3/h", valid=Span(0, 10)), 0.1, 1.0, PointRules(), None
        )
        for n in range(2)
    )
    kind: Any = type("Kind", (), {"build": lambda *_: adapter})()
    pace = Pace(10**9, 10**9, 0, 10**9, 10**9)
    return Device("d", "fake", kind, None, pace, points)


async def rows_of(adapter):
    rows = await probe_device(device_of(adapter), SITE)
    assert adapter.closed == 1
    return [
        (r["point"], r["raw"], r["value"], r["unit"], r["quality"], r["ms"], r["note"])
        for r in rows
    ]


async def test_raw_bytes_stand_beside_the_value_in_its_unit():
    assert await rows_of(Probing()) == [
        ("p0", "00 7b", 13.3, "m³/h", "uncertain: range", 1.2, ""),
        ("p1", "", None, "m³/h", "bad: malformed", 0.0, "crc"),
    ]


async def test_an_adapter_that_only_reads():
    assert await rows_of(Reading()) == [
        ("p0", "", 1.5, "m³/h", "good", 0.0, ""),
        ("p1", "", None, "m³/h", "bad: refused", 0.0, ""),
    ]


async def test_a_device_that_speaks_by_itself_is_heard_until_all_is_told():
    rows = await rows_of(Speaking())
    assert [(row[0], row[2], row[4]) for row in rows] == [("p0", 1.2, "good"), ("p1", 1.3, "good")]


async def test_what_it_does_not_tell_in_time_is_silent(monkeypatch):
    monkeypatch.setattr(probing, "LISTEN_S_MAX", 0.05)
    adapter = Speaking()
    adapter.pause_s = 10
    rows = await rows_of(adapter)
    assert [(row[2], row[4], row[6]) for row in rows] == [
        (1.2, "good", ""),
        (None, "bad: silent", "nothing was heard of it"),
    ]


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (DeviceRefused("exception 2"), "exception 2"),
        (OSError("no such port"), "no such port"),
        (TimeoutError(), "no answer within 32 s"),
    ],
)
async def test_a_device_that_cannot_be_opened(error, note):
    rows = await rows_of(Failing(error))
    assert [(row[4], row[6]) for row in rows] == [("bad: silent", note)] * 2


async def test_a_probe_that_hangs_is_ended_later_for_more_points(monkeypatch):
    class Hanging(Plain):
        async def probe(self):
            await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(probing, "DEVICE_S_MAX", 0.1)
    monkeypatch.setattr(probing, "POINT_S_MAX", 0.05)
    rows = await rows_of(Hanging())
    assert [(row[4], row[6]) for row in rows] == [("bad: silent", "no answer within 0.2 s")] * 2


async def test_an_adapter_that_can_do_nothing():
    with pytest.raises(DeviceError, match="neither be read nor listened to"):
        await probe(Plain(), 2)


async def test_devices_are_asked_at_once_and_told_in_order(monkeypatch):
    inside, most = 0, 0

    class Slow(Reading):
        def __init__(self, number):
            super().__init__()
            self.number = number

        async def read(self):
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            inside -= 1
            return Batch.of([0, 1], 1, np.array([self.number, 0.0]))

    devices = []
    for number in range(20):
        devices.append(device_of(Slow(10.0 * number - 10)))
    rows = await probe_all(devices, SITE)
    assert [row["value"] for row in rows[::2]] == list(range(20))
    assert 1 < most <= probing.AT_ONCE_MAX


def lent(adapter, error: BaseException | None = None) -> Any:
    """A poller that lends its adapter, or does not."""
    return Lent(adapter, error)


class Lent:
    """A poller as far as a probe knows it."""

    def __init__(self, adapter, error=None):
        numbers = np.array([100, 101], np.int32)
        self.spec = SimpleNamespace(adapter=adapter, numbers=numbers)
        self.error = error

    async def lend(self, use, _timeout_s):
        if self.error is not None:
            raise self.error
        return await use(self.spec.adapter)


async def nobody(_numbers, _within_s):
    return {}


async def test_a_running_agents_adapter_is_borrowed_and_left_open():
    adapter = Probing()
    device = device_of(adapter)
    rows = await probe_running([device], {device.name: lent(adapter)}, nobody)
    assert [(row["raw"], row["value"], row["note"]) for row in rows] == [
        ("00 7b", 13.3, ""), ("", None, "crc"),
    ]  # fmt: skip
    assert adapter.closed == 0


@pytest.mark.parametrize(
    ("error", "note"), [(DeviceError("it is off"), "it is off"), (TimeoutError(), "no answer with")]
)
async def test_a_running_agents_device_that_cannot_be_had(error, note):
    device = device_of(Probing())
    rows = await probe_running([device], {device.name: lent(Probing(), error)}, nobody)
    assert [row["quality"] for row in rows] == ["bad: silent"] * 2
    assert rows[0]["note"].startswith(note)


async def test_who_only_speaks_is_not_heard_twice_but_waited_for():
    async def heard(numbers, within_s):
        assert (numbers, within_s) == ([100, 101], probing.LISTEN_S_MAX)
        return {100: (7.5, 0, "")}

    device = device_of(Speaking())
    rows = await probe_running([device], {device.name: lent(Speaking())}, heard)
    assert [(row["value"], row["quality"]) for row in rows] == [
        (7.5, "good"),
        (None, "bad: silent"),
    ]
    assert rows[1]["note"] == "nothing was heard of it within 10 s"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float(np.float32(5.1)), 5.1),
        (float(np.float32(-0.975)), -0.975),
        (123456789.0, 123456789.0),
        (12.3, 12.3),
        (1e300, 1e300),
        (math.nan, None),
    ],
)
def test_a_value_is_shown_with_the_digits_that_the_device_said(value, shown):
    assert probing.shown(value) == shown
