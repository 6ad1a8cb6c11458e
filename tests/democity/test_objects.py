"""The demo's objects: every point belongs to one that the hub is told of."""

import tomllib
from typing import Any

import pyproj
import pytest
import wntr

from citytwin.point import Label
from democity.devices import city_devices
from democity.gateways import fed, write_configs
from democity.objects import FIELD, NETWORK, Placed, field_objects, urn
from democity.places import CRS, position
from democity.truth import WaterTruth, write_network

KINDS = {
    "Junction": "junctions", "Tank": "tanks", "Reservoir": "reservoirs",
    "Pipe": "pipes", "Pump": "pumps",
}  # fmt: skip


@pytest.fixture(scope="module")
def truth():
    opened = WaterTruth(0)
    yield opened
    opened.close()


def test_whatever_is_fed_is_an_object(tmp_path, truth):
    devices = city_devices(truth)
    known = {one["id"] for one in field_objects(fed(devices))}
    for kind, names in KINDS.items():
        known |= {urn(kind, NETWORK, name) for name in getattr(truth.network, names)}
    endpoints = {one.name: {"host": "127.0.0.1", "port": 1, "unit": 1} for one in devices}
    files = write_configs(tmp_path, devices, endpoints, "127.0.0.1:1", 2)
    asked = set()
    for path in files.values():
        for device in tomllib.loads(path.read_text())["device"]:
            for point in device["point"]:
                assert point["attribute"]
                asked.add(point["feeds"])
    assert len(asked) > 50
    assert asked <= known


def test_an_object_is_told_once_with_its_place():
    label = Label("а", "б", "c")
    valve = urn("Valve", FIELD, "189")
    fed_twice = [Placed(valve, label, 76.9, 43.2), Placed(valve, label, 1, 2)]
    (entity,) = field_objects([*fed_twice, Placed(urn("Tank", NETWORK, "1"), label, 1, 2)])
    assert entity["location"]["value"]["coordinates"] == [76.9, 43.2]
    assert entity["controls"]["object"] == urn("Pipe", NETWORK, "189")
    assert entity["name"]["languageMap"] == {"kk": "а", "ru": "б", "en": "c"}


def test_the_network_lies_where_the_map_has_it(tmp_path, truth):
    write_network(tmp_path / "network.inp")
    model = wntr.network.WaterNetworkModel(str(tmp_path / "network.inp"))
    to_degrees = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    for name, place in truth.network.nodes.items():
        node: Any = model.get_node(name)
        there = to_degrees.transform(*node.coordinates)
        assert there == pytest.approx(position(*place), abs=2e-6), name
    assert len(model.link_name_list) == len(truth.network.links)
