"""Instruments: real serial lines, read and commanded by the agent's own adapter as configured."""

import contextlib
import dataclasses
from random import Random

import pytest

from citytwin import SystemClock
from citytwin.adapter import Site
from citytwin.errors import DeviceRefused
from citytwin_edge.config import load
from citytwin_edge.probing import probe_all
from democity.devices import city_devices
from democity.gateways import write_configs
from democity.instruments import INSTRUMENTS, Analysers, HeatMeter, Instruments, Weather
from democity.truth import WaterTruth

SECOND = 10**9
NOON = 1_767_250_800 * SECOND  # 2026-01-01, noon in Almaty


def site():
    return Site(SystemClock(), lambda _: 0)


@pytest.fixture
async def city(tmp_path):
    """The truth, and what the gateways' files say of the instruments that are plugged in."""
    with (
        contextlib.closing(WaterTruth(NOON)) as truth,
        contextlib.closing(Instruments(truth, tmp_path / "tty", SystemClock())) as instruments,
    ):
        modbus = [
            one if one.line == "tcp" else dataclasses.replace(one, line="tcp")
            for one in city_devices(truth)
        ]
        endpoints = {one.name: {"host": "127.0.0.1", "port": 5000 + n, "unit": 1}
                     for n, one in enumerate(modbus)}  # fmt: skip
        endpoints |= instruments.endpoints
        files = write_configs(tmp_path, modbus, endpoints, "127.0.0.1:7443", 1883)
        yield (
            truth,
            {
                device.name: device
                for path in files.values()
                for device in load(path).devices
                if device.adapter == "serial"
            },
        )


async def test_every_instrument_is_configured_and_good(city):
    truth, devices = city
    assert set(devices) == {one.name for one in INSTRUMENTS}
    assert len(devices) >= 4
    rows = await probe_all(list(devices.values()), site())
    assert {row["quality"] for row in rows} == {"good"}, rows
    said = {(row["device"], row["point"]): row["value"] for row in rows}
    for tank in "12":
        assert said[f"lg-{tank}", "gauge-level"] == pytest.approx(truth.level_m(tank), abs=0.02)
    for number, setpoint in ((1, 0.35), (2, 0.45)):
        assert said[f"wq-{number}", "setpoint"] == setpoint
        assert said[f"wq-{number}", "chlorine"] == pytest.approx(setpoint, abs=0.03)
    assert 0 <= said["ws-1", "wind-direction"] <= 360
    assert -10.1 <= said["ws-1", "temperature"] <= -1.9
    assert said["hm-1", "supply"] > said["hm-1", "return"] + 20
    assert said["hm-1", "flow"] == pytest.approx(24, abs=1)


async def test_both_analysers_share_one_line_and_every_label_is_in_three_languages(city):
    _, devices = city
    lines = [device.settings.serial for device in devices.values()]
    assert lines.count(devices["wq-1"].settings.serial) == 2
    assert len(set(lines)) == len(lines) - 1
    for device in devices.values():
        for point in (one.point for one in device.points):
            for label in (point.label, point.device_label):
                assert all((label.kk, label.ru, label.en)), point.id
            assert point.feeds
            assert point.attribute
    attributes = [
        (one.point.feeds, one.point.attribute) for d in devices.values() for one in d.points
    ]
    assert len(set(attributes)) == len(attributes), "each tells of something of its own"
    assert ("urn:ngsi-ld:Tank:net3:1", "gaugeLevel") in attributes


async def test_a_setpoint_is_set_and_read_back(city):
    _, devices = city
    device = devices["wq-2"]
    adapter = device.build(site())
    (number,) = [n for n, one in enumerate(device.points) if one.point.name == "setpoint"]
    await adapter.open()
    await adapter.write(number, 0.6)
    batch = await adapter.read()
    assert dict(zip(batch.point.tolist(), batch.value.tolist(), strict=True))[number] == 0.6
    with pytest.raises(DeviceRefused, match="02ERR"):
        await adapter.write(number, 0.9)
    await adapter.close()


def test_chlorine_follows_its_setpoint():
    analysers = Analysers(Random(0))

    def chlorine(second):
        answer = analysers.answer(b"#01", NOON + second * SECOND)
        return float(answer.partition(b"CL=")[2].partition(b"mg")[0])

    assert chlorine(0) == pytest.approx(0.35, abs=0.03)
    assert analysers.answer(b"#01SP=0.70", NOON) == b"01OK\r"
    assert chlorine(30) == pytest.approx(0.35 + 0.632 * 0.35, abs=0.03)
    assert chlorine(300) == pytest.approx(0.70, abs=0.03)


@pytest.mark.parametrize("request_", [b"", b"#03", b"#1", b"01", b"#01X", b"#01SP=", b"#01SP=1e9"])
def test_what_is_no_request_is_not_answered(request_):
    assert Analysers(Random(0)).answer(request_, NOON) == b""


def test_a_setpoint_that_is_none_is_refused():
    for text in (b"9.9", b"0.1", b"1.2.3"):
        assert Analysers(Random(0)).answer(b"#02SP=" + text, NOON) == b"02ERR\r"


def test_energy_is_flow_times_heat():
    meter = HeatMeter(Random(0))

    def energy(hour):
        return int.from_bytes(meter.speak(NOON + hour * 3600 * SECOND)[3:7], "little")

    before = energy(0)
    # 24 m3/h, 1.13 kWh/(m3 K), about 27 K at noon.
    assert energy(1) - before == pytest.approx(24 * 1.13 * 27, rel=0.1)


def test_weather_follows_the_day():
    def temperature(hour):
        text = Weather(Random(0)).speak(NOON + (hour - 12) * 3600 * SECOND).decode()
        return float(text.partition("XDR,C,")[2].partition(",")[0])

    assert temperature(14) > temperature(8) > temperature(2)
