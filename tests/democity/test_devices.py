"""Devices: registers hold the truth, writes change it, a silent one answers nothing."""

import contextlib
import struct

import pytest
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException

from democity.devices import BAR_PER_M, PUMPS, VALVES, city_devices, encoded
from democity.truth import SECOND_NS, WaterTruth

NOON_NS = 1_790_000_000 * SECOND_NS


@pytest.fixture
def city():
    truth = WaterTruth(NOON_NS)
    yield truth, {device.name: device for device in city_devices(truth)}
    truth.close()


async def registers(device):
    """Return what a read of the whole device finds, as the server asks it."""
    size = max(one.address + 2 for one in device.registers)
    block = [0] * size
    assert await device._access(3, 0, 0, size, block, None) is None
    return block


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("uint16", 2.6, [3]),
        ("uint16", -5, [0]),
        ("uint16", 1e9, [65535]),
        ("int16", -1, [0xFFFF]),
        ("int16", -1e9, [0x8000]),
        ("int16", 1e9, [0x7FFF]),
        ("uint32", 0x12345678, [0x1234, 0x5678]),
        ("uint32", -1, [0, 0]),
        ("uint32", 1e12, [0xFFFF, 0xFFFF]),
        ("float32", -2.5, [0xC020, 0x0000]),
    ],
)
def test_a_value_becomes_registers_high_word_first(kind, value, words):
    assert encoded(kind, value) == words


def test_the_city_has_its_devices_at_distinct_addresses(city):
    _, devices = city
    tcp = [one for one in devices.values() if one.line == "tcp"]
    rtu = [(one.line, one.unit) for one in devices.values() if one.line != "tcp"]
    assert len(tcp) >= 40
    assert len(rtu) == len(set(rtu)) >= 4
    for device in devices.values():
        used = [
            one.address + word
            for one in device.registers
            for word in range(2 if one.type.endswith("32") else 1)
        ]
        assert len(used) == len(set(used)), device.name
        assert all((device.label.kk, device.label.ru, device.label.en))


async def test_registers_hold_the_truth_in_their_scale_and_sign(city):
    truth, devices = city
    pressure = (await registers(devices["pl-111"]))[0]
    assert pressure * 0.01 == pytest.approx(truth.pressure_m("111") * BAR_PER_M, abs=0.06)
    block = await registers(devices["fm-191"])
    (flow,) = struct.unpack(">f", struct.pack(">HH", *block[:2]))
    assert flow < 0, "water flows against the pipe's direction, and the sign says so"
    assert flow == pytest.approx(truth.flow_m3h("191"), abs=3)
    level = (await registers(devices["tk-1"]))[0]
    assert level * 0.01 == pytest.approx(truth.level_m("1"), abs=0.03)
    assert (await registers(devices["vc-189"]))[0] == 1


@pytest.mark.parametrize("valve", VALVES)
async def test_a_valve_closes_by_its_register_and_nobody_is_left_dry(city, valve):
    truth, devices = city
    device = devices[f"vc-{valve}"]
    assert await device._access(6, 0, 0, 1, [1] * 4, [0]) is None
    assert not truth.is_open(valve)
    assert (await registers(device))[0] == 0
    assert min(truth.pressure_m(node) for node in truth.network.junctions) > 0


@pytest.mark.parametrize("pump", PUMPS)
async def test_a_pump_takes_speed_in_tenths_of_a_percent(city, pump):
    truth, devices = city
    device = devices[f"ps-{pump}"]
    await device._access(6, 0, 0, 1, [0] * 3, [1])
    await device._access(6, 0, 1, 1, [0] * 3, [905])
    assert truth.speed(pump) == pytest.approx(0.905)
    assert (await registers(device))[1] == 905


async def test_what_cannot_be_written_is_refused(city):
    truth, devices = city
    before = truth.pressure_m("111")
    refused = await devices["pl-111"]._access(6, 0, 0, 1, [0] * 2, [7])
    assert refused == ExcCodes.ILLEGAL_ADDRESS
    assert truth.pressure_m("111") == before


async def test_a_meter_counts_what_has_flowed_however_often_it_is_read(city):
    truth, devices = city

    async def total():
        block = await registers(devices["fm-60"])
        return 0.1 * struct.unpack(">I", struct.pack(">HH", *block[2:4]))[0]

    first = await total()
    assert await total() == first, "reading is not flowing"
    for second in range(60, 601, 60):
        truth.advance(NOON_NS + second * SECOND_NS)
        await total()
    assert await total() - first == pytest.approx(truth.flow_m3h("60") / 6, rel=0.1)


async def test_a_silent_device_gives_no_answer(city):
    _, devices = city
    devices["pl-111"].silent = True
    with pytest.raises(NoSuchIdException):
        await registers(devices["pl-111"])


def test_two_runs_of_the_demo_are_alike(city):
    _, devices = city
    with contextlib.closing(WaterTruth(NOON_NS)) as again:
        noise = {one.name: one.random.random() for one in city_devices(again)}
    assert noise == {name: one.random.random() for name, one in devices.items()}
    assert len(set(noise.values())) == len(noise)
