"""Gateways: every device belongs to one, and an agent takes each configuration as it stands."""

import contextlib

import pytest

from citytwin.point import Span
from citytwin_edge import config
from democity.devices import city_devices
from democity.gateways import GATEWAYS, assigned, gateway_name, write_configs
from democity.places import nearest
from democity.sensors import SENSORS
from democity.truth import WaterTruth


@pytest.fixture
def devices():
    with contextlib.closing(WaterTruth(0)) as truth:
        yield city_devices(truth)


@pytest.fixture
def configs(devices, tmp_path):
    endpoints = {
        one.name: {"host": "127.0.0.1", "port": 15100 + index, "unit": one.unit}
        if one.line == "tcp"
        else {"serial": f"/dev/{one.line}", "unit": one.unit}
        for index, one in enumerate(devices)
    }
    return write_configs(tmp_path, devices, endpoints, "127.0.0.1:7443", 1883)


def test_every_device_has_one_gateway_and_a_serial_line_one_master(devices):
    shares = assigned(devices)
    assert len(shares) >= 4
    assert all(shares.values()), "no gateway is idle"
    names = [one.name for share in shares.values() for one in share]
    assert sorted(names) == sorted(one.name for one in devices)
    lines = {}
    for gateway, share in shares.items():
        for one in share:
            if one.line != "tcp":
                lines.setdefault(one.line, set()).add(gateway)
            else:
                assert gateway == gateway_name(nearest(one.lon, one.lat, GATEWAYS))
    assert all(len(masters) == 1 for masters in lines.values())


def test_an_agent_loads_every_configuration(devices, configs):
    loaded = {name: config.load(path) for name, path in configs.items()}
    assert set(loaded) == {gateway_name(one) for one in GATEWAYS}
    found = {}
    for name, one in loaded.items():
        assert one.name == name
        assert one.hub == "127.0.0.1:7443"
        for device in one.devices:
            found[device.name] = device
    assert len(found) == len(devices) + len(SENSORS)
    for device in devices:
        points = {one.point.name: one for one in found[device.name].points}
        for register in device.registers:
            point = points[register.name].point
            assert point.unit == register.unit
            assert points[register.name].scale == register.scale
            assert point.label == register.label
            assert point.device_label == device.label
            assert (point.place.lon, point.place.lat) == (device.lon, device.lat)
            for span in ("valid", "normal", "writable"):
                limits, loaded_span = getattr(register, span), getattr(point, span)
                assert loaded_span == (None if limits is None else Span(*limits))


def test_sensors_keep_the_stamps_they_send_and_turn_stale(configs):
    text = "\n".join(path.read_text() for path in configs.values())
    assert text.count('adapter = "mqtt"') == len(SENSORS) >= 10
    assert text.count('time = { path = "$.time" }') == len(SENSORS)
    assert text.count("stale_after_s = 20") == len(SENSORS)


def test_only_valves_and_pumps_can_be_commanded(configs):
    writable = {
        f"{device.name}/{one.point.name}"
        for path in configs.values()
        for device in config.load(path).devices
        for one in device.points
        if one.point.writable is not None
    }
    assert writable
    assert all(name.startswith(("vc-", "ps-")) for name in writable)
